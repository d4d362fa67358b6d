"""The words of an index in an engine: titles, abstracts and names of targets, in SQLite.

Engines rank words in ways of their own, or not at all. So that the answers are those of an index in
a folder, the words are copied into the same tables: of all rows into a file in the cache, when a
query first needs it, and of a few proposals into memory.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from paperclip_cli.engines.base import Filter
from paperclip_cli.engines.opened import Opened, in_blocks
from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import make_folder, replacing
from paperclip_cli.indexes.database import PROPOSAL, Entry, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.records import Key, Observation, Proposal

_COLUMNS = ("id", "path", "tiles", "proposal", "target", "moving", "s_ra", "s_dec", "s_region")
_BLOCK = 4_096  # proposals read at once


@dataclass(frozen=True)
class Names:
    """The words of all rows: `ids` int64 [N] are their ids, in the order of `observations`."""

    ids: np.ndarray
    observations: Observations

    def places_of(self, ids: np.ndarray) -> np.ndarray:
        """The places in that order of some ids."""
        order = np.argsort(self.ids)
        return order[np.searchsorted(self.ids[order], ids)]


def names_of(index: Opened) -> Names:
    """The words of all rows: those kept of this state of the index, or else copied now."""
    known = index.kept.get("names")
    if known is None:
        known = index.kept["names"] = _opened(index)
    return known


def _opened(index: Opened) -> Names:
    place = hashlib.sha256(f"{index.state.version} {index.manifest.created}".encode()).hexdigest()
    words, ids = (index.folder / f"names-{place[:16]}.{kind}" for kind in ("sqlite", "npy"))
    if not ids.is_file():
        make_folder(index.folder)
        made = _write(index, words)
        for old in index.folder.glob("names-*"):
            if old != words:
                old.unlink(missing_ok=True)
        with replacing(ids) as temporary, temporary.open("wb") as file:
            npy.write_array(file, made, allow_pickle=False)
    try:
        return Names(np.load(ids, allow_pickle=False), Observations(words))
    except (OSError, ValueError, EOFError) as error:
        raise PaperclipError(
            f"{index.folder} cannot be read ({error})", "remove it: it is made again"
        ) from error


def _write(index: Opened, path: Path) -> np.ndarray:
    found = sorted(
        index.engine.fetch(_COLUMNS, [Filter("tile", "in", [0])]), key=lambda row: row[1]
    )
    numbers = np.array(sorted({row[3] for row in found} - {0}), np.int64)
    proposals = {
        number: proposal
        for block in in_blocks(numbers, _BLOCK)
        for number, proposal, _ in proposals_of(index, block.tolist())
    }
    entries = [
        Entry(
            path=place,
            size=0,
            mtime_ns=0,
            sha256="",
            key=proposals[number].key if number else None,
            observation=Observation(
                target=target, moving=moving, s_ra=s_ra, s_dec=s_dec, s_region=region
            ),
            tiles=tiles,
        )
        for _, place, tiles, number, target, moving, s_ra, s_dec, region in found
    ]
    write_observations(path, entries, {one.key: one for one in proposals.values()}, {})
    ids = [np.arange(row[0], row[0] + row[2]) for row in found]
    return np.concatenate(ids) if ids else np.empty(0, np.int64)


def proposals_of(index: Opened, numbers: list[int]) -> Iterator[tuple[int, Proposal, bytes]]:
    """Some proposals by number, and the shares of the words of unrelated texts that each has."""
    for number, _, *values, words in index.engine.proposals(numbers):
        yield number, Proposal(**dict(zip(PROPOSAL, values, strict=True))), words


@contextmanager
def words_of(proposals: Iterable[tuple[int, Proposal]]) -> Iterator[tuple[Observations, dict]]:
    """Tables with the words of some proposals, and the numbers in it by those given."""
    given = dict(proposals)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "words.sqlite")
        entries = [
            Entry(path=str(number), size=0, mtime_ns=0, sha256="", key=proposal.key)
            for number, proposal in given.items()
        ]
        write_observations(path, entries, {one.key: one for one in given.values()}, {})
        observations = Observations(path)
        order = {key: place for place, key in enumerate(sorted(_keys(given.values())), 1)}
        try:
            yield observations, {number: order[one.key] for number, one in given.items()}
        finally:
            observations.close()


def _keys(proposals: Iterable[Proposal]) -> set[Key]:
    return {proposal.key for proposal in proposals}
