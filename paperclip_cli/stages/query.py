"""Answers queries from an index.

A query without images imports neither JAX nor an image library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from paperclip_cli import __version__
from paperclip_cli.config import QueryConfig
from paperclip_cli.errors import BadItem, PaperclipError, UsageError
from paperclip_cli.indexes.database import Image
from paperclip_cli.indexes.filters import select
from paperclip_cli.indexes.folder import Index, choose_index, open_index
from paperclip_cli.indexes.model import model_of, whole_model_of
from paperclip_cli.indexes.search import Search
from paperclip_cli.indexes.vectors import normalised
from paperclip_cli.records import Hit, Observation
from paperclip_cli.threads import arriving
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.wording import counted
from paperclip_cli.workspace import Workspace

_AT_ONCE = 16  # lines embedded together, if that many are waiting


@dataclass(frozen=True)
class Answer:
    """The hits of one query, best first.

    `notes` are for the user to read before the hits. `provenance` names the index and the model.
    """

    query: str
    hits: tuple[Hit, ...]
    notes: tuple[str, ...]
    provenance: dict[str, str]


def run(
    config: QueryConfig, workspace: Workspace, lines: Iterable[str] | None = None
) -> Iterator[Answer]:
    """Answers the query of `config`. With `lines`, answers one query per line, as a further text.

    Raises:
        MissingStage: there is no such index.
        UsageError: the query is empty.
        PaperclipError: the model of the index is missing or has changed, or an image of the query
            cannot be read.
    """
    if lines is None:
        _refuse_empty(config)
    index = open_index(workspace.index(choose_index(config.index, workspace)))
    model = model_of(index, workspace)
    searcher = Searcher(config, workspace, index, model, is_many=lines is not None)
    if lines is None:
        yield searcher.answer(config.texts)
    else:
        for texts in arriving((line.strip() for line in lines if line.strip()), _AT_ONCE):
            yield from searcher.answers(texts)


class Searcher:
    """An open index and an open model, which several queries share."""

    def __init__(
        self,
        config: QueryConfig,
        workspace: Workspace,
        index: Index,
        model: ModelFolder,
        is_many: bool = False,
    ) -> None:
        self.config, self.workspace, self.index = config, workspace, index
        self.texts = TextTower.open(model)
        self.selection = select(index.observations, config)
        self.provenance = "{software}, index {index}, model {model} {fingerprint:.12}".format(
            **_provenance(index)
        )
        self.search = Search(index, self.selection.rows, is_many)

        self.text_weights, image_weights, minus_weights = config.counts
        images = self._images(config.images, image_weights)
        # The part that all queries of this run share: float32 [D], not normalised.
        self.common = images - self._sum(config.minus, minus_weights)

    def answer(self, texts: tuple[str, ...]) -> Answer:
        """The answer to some texts, with the images and the `minus` texts of the configuration."""
        return self._answer(texts, self.text_weights, self._sum(texts, self.text_weights))

    def _answer(
        self, texts: tuple[str, ...], weights: tuple[float, ...], wanted: np.ndarray
    ) -> Answer:
        query = _describe(self.config, texts, weights)
        vector = normalised(wanted + self.common)
        ranked = self.search.ranked(vector, " ".join(texts), self.config.rank_by)
        hits = tuple(self._hits(query, ranked))
        return Answer(query, hits, tuple(self._notes(hits)), _provenance(self.index))

    def answers(self, lines: Sequence[str]) -> Iterator[Answer]:
        """The answer to each line, as a further text of the configuration.

        The lines are embedded together, which takes half the time.
        """
        texts, weights = self.config.texts, self.text_weights
        common = self._sum(texts, weights)
        for line, vector in zip(lines, self.texts.embed(lines), strict=True):
            yield self._answer((*texts, line), (*weights, 1.0), common + vector)

    def _sum(self, texts: tuple[str, ...], weights: tuple[float, ...]) -> np.ndarray:
        if not texts:
            return np.zeros(self.index.vectors.shape[1], np.float32)
        return np.asarray(weights, np.float32) @ self.texts.embed(texts)

    def _images(self, paths: tuple[Path, ...], weights: tuple[float, ...]) -> np.ndarray:
        if not paths:
            return np.zeros(self.index.vectors.shape[1], np.float32)
        from paperclip_cli.indexes.reader import image_view
        from paperclip_cli.towers.embedder import ImageEmbedder

        views = []
        for path in paths:
            try:
                views.append(image_view(path, self.index.view, self.index.reading))
            except BadItem as error:
                raise PaperclipError(
                    f"{path}: {error}", "give --image a JPEG, PNG, TIFF or FITS file"
                ) from error
        embedder = ImageEmbedder(whole_model_of(self.index, self.workspace), len(views))
        return np.asarray(weights, np.float32) @ embedder.embed(np.stack(views))

    def _hits(self, query: str, ranked: Iterator[tuple[int, float]]) -> Iterator[Hit]:
        """The hits in order, one for each group of images that `collapse` puts together."""
        config = self.config
        seen: set[int] = set()
        rank = 0
        for row, cosine in ranked:
            if row in seen:
                continue
            if config.min_score is not None and cosine < config.min_score:
                if config.rank_by == "semantic":
                    return
                continue

            image = self.index.observations.image(row)
            group = self.index.observations.group(image, config.collapse)
            seen.update(row for first, tiles in group for row in range(first, first + tiles))
            rank += 1
            yield self._hit(rank, query, cosine, image, _selected(group, self.selection.rows) - 1)
            if rank == config.k:
                return

    def _hit(self, rank: int, query: str, cosine: float, image: Image, more: int) -> Hit:
        entry, proposal = image.entry, image.proposal
        observation = entry.observation
        if proposal is not None and not observation.cycle:
            observation = replace(observation, cycle=proposal.cycle or None)
        return Hit(
            rank=rank,
            query=query,
            score=cosine,
            percentile=self.index.background.percentile(cosine),
            mission=entry.key.mission if entry.key else None,
            proposal_id=entry.key.proposal_id if entry.key else None,
            image=str(self.index.file_of(entry, self.workspace)),
            title=proposal.title if proposal else "",
            split=image.split,
            category=proposal.category if proposal else "",
            abstract=proposal.abstract if proposal else "",
            separation=self._separation(observation),
            more=more,
            observation=observation,
            provenance=self.provenance,
            tile_region=self._tile_region(image),
        )

    def _tile_region(self, image: Image) -> str | None:
        if not self.index.reading.tiles or image.entry.wcs is None:
            return None
        from paperclip_cli.images.tiles import tile_region

        return tile_region(self.index.view, image.tile, image.entry.wcs)

    def _separation(self, observation: Observation) -> float | None:
        if self.config.near is None:
            return None
        from paperclip_cli.sky.cone import Cone

        return Cone(*self.config.near, self.config.radius).arcminutes(observation)

    def _notes(self, hits: tuple[Hit, ...]) -> Iterator[str]:
        if self.search.note:
            yield self.search.note
            self.search.note = ""  # say it once per run
        if self.selection.moving:
            moving = counted(self.selection.moving, "images of moving targets")
            yield f"skipped {moving} near this position (--moving includes them)"
        if not hits:
            yield "no image meets the conditions"
        elif (
            self.selection.rows is None
            and not self.config.images
            and max(hit.score for hit in hits) < self.index.background.best
        ):
            yield "no strong match: unrelated queries score as high"


def _refuse_empty(config: QueryConfig) -> None:
    if not config.texts and not config.images:
        raise UsageError(
            "the query is empty", 'describe what to look for: paperclip query "galaxy mergers"'
        )
    if config.rank_by == "keyword" and not config.texts:
        raise UsageError("--rank-by keyword needs a text", "add a text, or leave out the option")


def _selected(group: list[tuple[int, int]], rows: np.ndarray | None) -> int:
    """The number of images of a group that are selected."""
    if rows is None:
        return len(group)
    firsts = [first for first, _ in group]
    return int(np.isin(firsts, rows).sum())


def _provenance(index: Index) -> dict[str, str]:
    """The software, the index and the model behind an answer."""
    manifest = index.manifest
    return {
        "software": f"paperclip {__version__}",
        "index": f"{index.name} of {manifest.created}",
        "model": manifest.config["model"],
        "fingerprint": manifest.inputs["model"],
    }


def _describe(config: QueryConfig, texts: tuple[str, ...], weights: tuple[float, ...]) -> str:
    """A query in one line: `spiral galaxy + 2 × M51.fits - edge-on`."""
    _, image_weights, minus_weights = config.counts
    images = [path.name for path in config.images]
    wanted = [*map(_weighed, texts, weights), *map(_weighed, images, image_weights)]
    unwanted = map(_weighed, config.minus, minus_weights)
    return " - ".join([" + ".join(wanted), *unwanted])


def _weighed(part: str, weight: float) -> str:
    return part if weight == 1 else f"{weight:g} × {part}"
