"""A query of an open index, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

import numpy as np

from paperclip_cli.config import QueryConfig
from paperclip_cli.config.given import is_text
from paperclip_cli.config.search import image_name
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.indexes.chance import Chance, outdated
from paperclip_cli.indexes.database import Image
from paperclip_cli.indexes.folder import IndexFolder, update_command
from paperclip_cli.indexes.open_index import OpenIndex, QueryPart
from paperclip_cli.indexes.part import part_of
from paperclip_cli.indexes.query_embedder import QueryEmbedder
from paperclip_cli.indexes.several import Row, check_same_model, nearest_and_ranked, provenance_of
from paperclip_cli.indexes.vectors import NoDirection, normalised
from paperclip_cli.records import Hit, Provenance
from paperclip_cli.wording import counted
from paperclip_cli.workspace import Workspace

Chances: TypeAlias = Callable[[float], float]  # `p_chance` of a hit by its cosine

WEAK = 0.2  # the `p_chance` of a best hit from which the answer says so
_READ_AT_ONCE = 32  # images of hits


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The hits of one query, best first. `notes` are for the user to read before the hits.

    `failure` is why there is no answer to a line, while the others are answered.
    """

    query: str
    hits: tuple[Hit, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Provenance
    failure: str = ""


def is_plain_cone(config: QueryConfig, has_vector: bool = False) -> bool:
    """Whether a query has only conditions, among them a place, and nothing to look for.

    Raises:
        UsageError: it has not even a place, or an option that needs a text.
    """
    if config.rank_by == "keyword" and not config.texts:
        raise UsageError("--rank-by keyword needs a text", "add a text, or leave out the option")
    if config.texts or config.images or has_vector:
        return False
    if (config.near is None and config.region is None) or config.minus:
        raise UsageError(
            "the query is empty", 'describe what to look for: paperclip query "galaxy mergers"'
        )
    if (config.min_score, config.max_chance) != (None, None) or config.rank_by != "semantic":
        raise UsageError(
            "--min-score, --max-chance and --rank-by need something to look for",
            "leave them out of a plain cone search",
        )
    return True


class Query:
    """The conditions, images and `minus` texts of `config`, which all answers share.

    The `indexes` are searched together. `embedder` is that of the first.
    A query without texts, images and `vector` is a plain cone search: it needs no model, and its
    hits are ordered by their distance. `vector` float32 [D] is a further part of it, with weight 1.
    `is_many` and `stays_open` are as for `Search`.

    Raises:
        UsageError: the query is empty, or the vector does not fit the index.
        PaperclipError: an image cannot be read, the model is missing or has changed, or the indexes
            are of different models.
    """

    def __init__(
        self,
        config: QueryConfig,
        indexes: Sequence[IndexFolder | OpenIndex],
        embedder: QueryEmbedder,
        workspace: Workspace,
        vector: np.ndarray | None = None,
        is_many: bool = False,
        stays_open: bool = False,
    ) -> None:
        if is_many or not is_plain_cone(config, has_vector=vector is not None):
            check_same_model(indexes)
        self._config, self._embedder, self._vector = config, embedder, vector
        self._size = indexes[0].dimension
        self._weights, images, minus = config.counts
        # float32 [D], not normalised
        self._common = self._images(images) - self._texts(config.minus, minus)
        if vector is not None:
            self._common = self._common + _unit(vector, indexes[0])
        self._parts = [part_of(config, index, workspace, is_many, stays_open) for index in indexes]
        notes = [note for part in self._parts for note in (part.search.note, part.news)]
        self._once = list(filter(None, notes))
        self._outdated, self._chance = outdated(indexes), None
        if self._outdated is None:
            self._chance = Chance([part.judged for part in self._parts], self._common)
        self._provenance = provenance_of(indexes)

    def answer(self) -> Answer:
        """The answer to the texts of the configuration."""
        if is_plain_cone(self._config, has_vector=self._vector is not None):
            return self._told(*self._by_distance())
        texts, weights = self._config.texts, self._weights
        return self._answer(texts, weights, self._common + self._texts(texts, weights))

    def answers(self, lines: Sequence[str]) -> Iterator[Answer]:
        """The answer to each line, as a further text of the configuration.

        The lines are embedded together, which takes half the time. One that cannot be answered
        is a failure of its own.
        """
        texts, weights = self._config.texts, self._weights
        common = self._common + self._texts(texts, weights)
        good = [line for line in lines if is_text(line)]
        vectors = iter(self._embedder.texts(good) if good else ())
        for line in lines:
            if not is_text(line):
                yield self._failed(line, "the line is not text in UTF-8")
                continue
            try:
                yield self._answer((*texts, line), (*weights, 1.0), common + next(vectors))
            except NoDirection as error:
                yield self._failed(line, error.message)

    def _failed(self, line: str, reason: str) -> Answer:
        return Answer(query=line, failure=reason, provenance=self._provenance)

    def _answer(
        self, texts: tuple[str, ...], weights: tuple[float, ...], wanted: np.ndarray
    ) -> Answer:
        if self._config.max_chance is not None and not texts:
            raise UsageError("--max-chance needs a text", "add a text, or leave out the option")
        words, rank_by = " ".join(texts), self._config.rank_by
        nearest, ranked = nearest_and_ranked(self._parts, normalised(wanted), words, rank_by)
        chance = self._chance_of(words, sum(weights), nearest) if texts and nearest else None
        answer = self._told(self._name(texts, weights), ranked, chance, nearest)
        return replace(answer, notes=(*answer.notes, *self._named(words, answer.hits)))

    def _named(self, words: str, hits: tuple[Hit, ...]) -> Iterator[str]:
        """How to ask for an object that the words name, unless the question is not of looks."""
        config = self._config
        if config.rank_by == "semantic" and not config.targets and not config.near and hits:
            for part in self._parts:
                note = part.named(words, hits[0].target)
                yield from self._from_part(part, filter(None, [note]))

    def _from_part(self, part: QueryPart, notes: Iterable[str]) -> Iterator[str]:
        """Notes on one index, which is named where there are several."""
        is_one = len(self._parts) == 1
        yield from (note if is_one else f"index {part.index.name}: {note}" for note in notes)

    def _told(
        self,
        name: str,
        ranked: Iterator[tuple[Row, float | None]],
        chance: Chances | None = None,
        nearest: Sequence[tuple[Row, float]] = (),
    ) -> Answer:
        hits = tuple(self._hits(name, ranked, chance))
        best = None if chance is None else chance(nearest[0][1])
        notes = tuple(self._notes(hits, best, nearest[0][1] if nearest else None))
        return Answer(query=name, hits=hits, notes=notes, provenance=self._provenance)

    def _chance_of(
        self, words: str, weight: float, nearest: Sequence[tuple[Row, float]]
    ) -> Chances | None:
        """What gives the hits of a text their `p_chance`; None in an index of an earlier version.

        Raises:
            PaperclipError: there is none, and `max_chance` needs it.
        """
        if self._chance is not None:
            try:
                return self._chance.of(words, weight, nearest)
            except IndexError as error:
                names = " or ".join(repr(part.index.name) for part in self._parts)
                raise PaperclipError(
                    f"the tables of index {names} are damaged ({error})",
                    "rebuild it with paperclip index --force",
                ) from error
        assert self._outdated is not None
        name, remedy = self._outdated.name, update_command(self._outdated.name)
        if self._config.max_chance is not None:
            raise PaperclipError(
                f"index {name!r} is of an earlier version and gives no p_chance",
                f"update it with {remedy}, which embeds no image again",
            )
        self._once.append(
            f"index {name} is of an earlier version; {remedy} gives its hits a p_chance"
        )
        return None

    def _texts(self, texts: tuple[str, ...], weights: tuple[float, ...]) -> np.ndarray:
        return self._sum(weights, self._embedder.texts(texts) if texts else None)

    def _images(self, weights: tuple[float, ...]) -> np.ndarray:
        images = self._config.images
        return self._sum(weights, self._embedder.images(images) if images else None)

    def _sum(self, weights: tuple[float, ...], vectors: np.ndarray | None) -> np.ndarray:
        if vectors is None:
            return np.zeros(self._size, np.float32)
        return np.asarray(weights, np.float32) @ vectors

    def _by_distance(self) -> tuple[str, Iterator[tuple[Row, None]]]:
        """The name of a plain cone search, and a row of each image in it, the nearest first."""
        cone, region = self._parts[0].selection.cone, self._config.region
        names = [f"in {region.name}"] if region is not None else []
        if cone is not None:
            names.insert(0, f"within {cone.radius * 60:g} arcmin of {cone.ra:.6g} {cone.dec:+.6g}")
        name = " and ".join(names)
        found = sorted(
            (angle, Row(number, row))
            for number, part in enumerate(self._parts)
            for angle, row in part.selection.angles()
        )
        return name, ((row, None) for _, row in found)

    def _hits(
        self, name: str, ranked: Iterator[tuple[Row, float | None]], chance: Chances | None
    ) -> Iterator[Hit]:
        """The hits in order, one for each group of images that `collapse` puts together."""
        seen: set[Row] = set()
        files: set[tuple] = set()
        rank = 0
        for row, cosine, image in self._with_images(self._good_enough(ranked, chance), seen):
            entry = image.entry
            file = entry.sha256, entry.key or entry.path
            if row in seen or (len(self._parts) > 1 and file in files):
                continue
            more = 0
            for number, part in enumerate(self._parts):
                of = part.group if number == row.part else part.group_elsewhere
                rows, others = of(image)
                seen.update(Row(number, one) for one in rows)
                more += others
            files.add(file)  # which another index may hold, too
            rank += 1
            yield Hit(
                rank=rank,
                query=name,
                score=cosine,
                p_chance=None if chance is None or cosine is None else chance(cosine),
                more=more,
                **self._parts[row.part].fields_of(image, cosine),
            )
            if rank == self._config.k:
                return

    def _good_enough(
        self, ranked: Iterator[tuple[Row, float | None]], chance: Chances | None
    ) -> Iterator[tuple[Row, float | None]]:
        """The rows that `min_score` and `max_chance` let through."""
        config, is_sorted = self._config, self._config.rank_by == "semantic"
        least, most = config.min_score, config.max_chance
        for row, cosine in ranked:
            if cosine is None or (
                (least is None or cosine >= least)
                and (most is None or chance is None or chance(cosine) <= most)
            ):
                yield row, cosine
            elif is_sorted:
                return

    def _with_images(
        self, ranked: Iterator[tuple[Row, float | None]], seen: Container[Row]
    ) -> Iterator[tuple[Row, float | None, Image]]:
        """Rows that were not `seen`, with their images, which are read some at a time."""
        size = min(self._config.k, _READ_AT_ONCE)
        while some := list(islice((found for found in ranked if found[0] not in seen), size)):
            images: dict[Row, Image] = {}
            for number, part in enumerate(self._parts):
                rows = [row for row, _ in some if row.part == number]
                if rows:
                    own = part.images_of([row.row for row in rows])
                    images.update(zip(rows, own, strict=True))
            yield from ((row, cosine, images[row]) for row, cosine in some)

    def _notes(
        self, hits: tuple[Hit, ...], best: float | None, cosine: float | None
    ) -> Iterator[str]:
        """What to say beside the hits. `best` is the `p_chance` of the nearest vector."""
        yield from self._once
        self._once = []
        skipped = sum(part.selection.moving for part in self._parts)
        if skipped:
            moving = counted(skipped, "images of moving targets")
            yield f"skipped {moving} near this place (--moving includes them)"
        most = WEAK if hits else self._config.max_chance
        if best is not None and most is not None and best > most:
            share = f"{best:.2f}" if best >= 0.01 else "less than 0.01"
            yield f"no strong match: an unrelated text does as well with a probability of {share}"
        elif not hits and cosine is None:
            for part in self._parts:
                yield from self._from_part(part, part.unmet())
        elif not hits and self._config.min_score is not None:
            yield f"no image has a score of {self._config.min_score:g}: the best is {cosine:.3f}"

    def _name(self, texts: tuple[str, ...], weights: tuple[float, ...]) -> str:
        """The query in one line: `spiral galaxy + 2 × M51.fits - edge-on`."""
        config = self._config
        _, of_images, of_minus = config.counts
        wanted = [
            *map(_weighed, texts, weights),
            *map(_weighed, map(image_name, config.images), of_images),
            *([] if self._vector is None else ["vector"]),
        ]
        return " - ".join([" + ".join(wanted), *map(_weighed, config.minus, of_minus)])


def _unit(vector: np.ndarray, index: IndexFolder | OpenIndex) -> np.ndarray:
    size = index.dimension
    given = np.asarray(vector)
    kind = given.dtype
    if kind.kind in "iuf":
        with np.errstate(over="ignore"):  # what is too large is not finite then
            given = given.astype(np.float32)
    if given.dtype != np.float32 or given.shape != (size,) or not np.isfinite(given).all():
        raise UsageError(
            f"a vector of {size} finite numbers is needed to search index {index.name!r}, "
            f"not an array {list(given.shape)} of {kind}",
            "take it from the index's own model",
        )
    return normalised(given)


def _weighed(part: str, weight: float) -> str:
    return part if weight == 1 else f"{weight:g} × {part}"
