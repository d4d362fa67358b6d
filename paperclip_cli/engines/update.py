"""The next state of an index in an engine: only what has changed is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

import numpy as np

from paperclip_cli.engines.base import VECTOR, Engine, Filter, Writer
from paperclip_cli.engines.chance import found_by
from paperclip_cli.engines.columns import NAMES, Spread, proposal_row, rows_of
from paperclip_cli.engines.lists import Lists
from paperclip_cli.engines.names import words_of
from paperclip_cli.engines.opened import Opened, in_blocks
from paperclip_cli.engines.records import State, Targets, Unrelated, as_records
from paperclip_cli.engines.tally import contents_of, cycle_of, span_of
from paperclip_cli.indexes.background import SAMPLE, measure
from paperclip_cli.indexes.database import Entry, Image
from paperclip_cli.indexes.shared_words import share_table
from paperclip_cli.indexes.unrelated import BEST, spread_of, unrelated_texts
from paperclip_cli.indexes.update import Embeddings
from paperclip_cli.indexes.update import State as Images
from paperclip_cli.records import Key, Proposal
from paperclip_cli.workspace import Manifest, now

_BLOCK = 2_048  # images, or vectors, in memory at once
_SHORT = 64  # rows: lists that have become shorter are made anew
_REACH = NAMES.index("sky_reach")


@dataclass(frozen=True)
class Known:
    """What is in an index: its images in the order of their paths, and the numbers of proposals."""

    images: tuple[Image, ...] = ()
    numbers: Mapping[Key, int] = field(default_factory=dict)

    @classmethod
    def of(cls, numbered: Iterable[tuple[int, Image]]) -> Known:
        """From images with the numbers of their proposals."""
        pairs = list(numbered)
        numbers = {image.proposal.key: number for number, image in pairs if image.proposal}
        return cls(tuple(image for _, image in pairs), numbers)

    @cached_property
    def state(self) -> Images:
        return Images(
            tuple(image.entry for image in self.images),
            {image.proposal.key: image.proposal for image in self.images if image.proposal},
        )


@dataclass(frozen=True, kw_only=True)
class Change:
    """What turns one state into the next: rows that go, and entries that come.

    `firsts` are the first rows of the images that stay, by path.
    """

    gone: tuple[int, ...]
    come: tuple[Entry, ...]
    firsts: Mapping[str, int]

    @classmethod
    def between(cls, known: Known, after: Images) -> Change:
        """Images that have changed go, and come again."""
        before = known.state
        old = {image.entry.path: image for image in known.images}
        stay = {
            entry.path
            for entry in after.entries
            if entry.path in old
            and old[entry.path].entry == entry
            and cycle_of(entry, before.proposals) == cycle_of(entry, after.proposals)
        }
        gone = [image for path, image in old.items() if path not in stay]
        return cls(
            gone=tuple(row for one in gone for row in range(one.id, one.id + one.entry.tiles)),
            come=tuple(entry for entry in after.entries if entry.path not in stay),
            firsts={path: old[path].id for path in stay},
        )


class Update:
    """Writes the next state of an index. `old` is None for a new one."""

    def __init__(self, engine: Engine, old: Opened | None, known: Known) -> None:
        self._engine, self._old, self._known = engine, old, known
        self._firsts: dict[str, int] = {}
        self._row = 0 if old is None else old.state.next_row
        self._farthest = 0.0 if old is None else old.state.farthest

    def write(
        self,
        after: Images,
        splits: Mapping[Key, str],
        embeddings: Embeddings,
        manifest: Manifest,
        texts: np.ndarray,
    ) -> State:
        """Writes it in one step. `texts` float32 [T, D] are the embeddings of unrelated texts."""
        change = Change.between(self._known, after)
        lists = self._lists(len(texts))
        with self._engine.writing() as writer:
            if self._old is None:
                writer.create(embeddings.dimension)
            lists.remove(change.gone)
            numbers = self._put_proposals(writer, after, splits)
            self._firsts = dict(change.firsts)
            for start in range(0, len(change.come), _BLOCK):
                block = change.come[start : start + _BLOCK]
                self._put(writer, block, after, numbers, embeddings, texts, lists)
            writer.delete(change.gone)  # not before: what moved still has its vectors there

            ids = self._ids(after.entries)
            if lists.shortest() < min(_SHORT, len(ids)):
                lists = self._anew(ids, texts)
            unrelated = Unrelated(texts=texts, nearest=lists.table())
            extra = {**manifest.extra, **self._measured(ids, unrelated)}
            counts = {**manifest.counts, "vectors": len(ids)}
            state = State(
                manifest=replace(manifest, extra=extra, counts=counts, created=now()),
                version=1 if self._old is None else self._old.state.version + 1,
                next_row=self._row,
                next_proposal=1 + max(numbers.values(), default=0),
                farthest=self._farthest,
                contents=contents_of(after.entries, after.proposals),
                proposals=span_of(numbers),
            )
            targets = Targets.of(entry.observation.target for entry in after.entries)
            writer.write(as_records(state, targets, unrelated))
        return state

    def _lists(self, texts: int) -> Lists:
        if self._old is None:
            return Lists(texts)
        rows = int(self._old.manifest.counts["vectors"])
        return Lists(texts, self._old.unrelated.nearest, rows)

    def _put_proposals(
        self, writer: Writer, after: Images, splits: Mapping[Key, str]
    ) -> dict[Key, int]:
        """Writes the proposals that are new or have changed, and returns the numbers of all."""
        known = self._known.numbers
        before = self._known.state.proposals
        following = 1 if self._old is None else self._old.state.next_proposal
        numbers = {key: known[key] for key in after.proposals if key in known}
        for key in after.proposals:
            if key not in numbers:
                numbers[key] = following
                following += 1
        changed = {key: one for key, one in after.proposals.items() if before.get(key) != one}
        if changed:
            given = {numbers[key]: proposal for key, proposal in changed.items()}
            writer.put_proposals(_with_words(given, splits))
        writer.delete_proposals([known[key] for key in known if key not in numbers])
        return numbers

    def _put(
        self,
        writer: Writer,
        entries: Sequence[Entry],
        after: Images,
        numbers: Mapping[Key, int],
        embeddings: Embeddings,
        texts: np.ndarray,
        lists: Lists,
    ) -> None:
        vectors = np.concatenate(list(embeddings.blocks(entries)))
        scores = texts @ vectors.T
        pairs = zip(*(part.tolist() for part in spread_of(scores)), strict=True)
        spreads = [Spread(*pair) for pair in pairs]
        rows: list[tuple] = []
        first = self._row
        for entry in entries:
            place = self._row - first
            proposal = None if entry.key is None else after.proposals[entry.key]
            number = 0 if entry.key is None else numbers[entry.key]
            own = spreads[place : place + entry.tiles]
            rows += rows_of(self._row, entry, number, proposal, own)
            self._firsts[entry.path] = self._row
            self._row += entry.tiles
        writer.upsert(rows, vectors)
        lists.add(np.arange(first, self._row), scores)
        self._farthest = max(self._farthest, *(row[_REACH] or 0.0 for row in rows))

    def _ids(self, entries: Sequence[Entry]) -> np.ndarray:
        """The ids int64 of all rows, in the order of the paths."""
        ids = [np.arange(entry.tiles) + self._firsts[entry.path] for entry in entries]
        return np.concatenate(ids) if ids else np.empty(0, np.int64)

    def _anew(self, ids: np.ndarray, texts: np.ndarray) -> Lists:
        made = Lists(len(texts))
        for block in in_blocks(ids, _BLOCK):
            made.add(block, texts @ self._vectors(block).T)
        return made

    def _measured(self, ids: np.ndarray, unrelated: Unrelated) -> dict:
        """What the manifest says of unrelated texts; see `indexes.update.write_unrelated`."""
        step = max(1, -(-len(ids) // SAMPLE))
        nearest = unrelated.nearest[:, : min(BEST, len(ids))]
        texts = np.arange(len(unrelated.texts))
        found = found_by(self._engine, nearest["row"], nearest["score"], texts)
        return {
            "background": asdict(measure(self._vectors(ids[::step]), unrelated.texts)),
            "evidence": {name: part.tolist() for name, part in asdict(found.evidence).items()},
        }

    def _vectors(self, ids: np.ndarray) -> np.ndarray:
        made = np.empty((len(ids), self._dimension(ids)), np.float32)
        for start in range(0, len(ids), _BLOCK):
            block = ids[start : start + _BLOCK]
            found = dict(self._engine.fetch(("id", VECTOR), [Filter("id", "in", block)]))
            for place, row in enumerate(block.tolist(), start):
                made[place] = found[row]
        return made

    def _dimension(self, ids: np.ndarray) -> int:
        if not len(ids):
            return 0
        ((vector,),) = self._engine.fetch((VECTOR,), [Filter("id", "in", ids[:1])])
        return len(vector)


def _with_words(proposals: Mapping[int, Proposal], splits: Mapping[Key, str]) -> Iterator[tuple]:
    """The rows of proposals by number, with the shares of the words of unrelated texts."""
    with words_of(proposals.items()) as (observations, places):
        shares = share_table(unrelated_texts(), observations)
        for number, proposal in proposals.items():
            split = splits.get(proposal.key, "none")
            yield proposal_row(number, proposal, split, shares[places[number]].tobytes())
