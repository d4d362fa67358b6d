"""Copies of an index between a folder and an engine, which hold the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from paperclip_cli.engines.base import Engine, Writer
from paperclip_cli.engines.columns import NAMES, Spread, proposal_row, rows_of
from paperclip_cli.engines.index import EngineIndex
from paperclip_cli.engines.opened import in_blocks
from paperclip_cli.engines.records import NEAREST, State, Targets, Unrelated, as_records
from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.contents import contents
from paperclip_cli.indexes.database import PROPOSAL, Image, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.described import THUMBNAILS
from paperclip_cli.indexes.folder import IndexFolder, generation_paths
from paperclip_cli.indexes.unrelated import Unrelated as Tables
from paperclip_cli.indexes.update import publish, write_unrelated
from paperclip_cli.indexes.vectors import open_vectors, write_vectors
from paperclip_cli.progress import Progress
from paperclip_cli.records import Proposal
from paperclip_cli.workspace import Manifest, now

BLOCK = 2_048  # images in memory at once
_REACH = NAMES.index("sky_reach")
# Folders of an imported index, which stay on this machine.
_BESIDE = (THUMBNAILS, "model")


def into_engine(index: IndexFolder, engine: Engine, folder: Path, progress: Progress) -> State:
    """Copies an index from a folder into an engine, in place of what is there.

    The thumbnails and the text tower of an imported index go into `folder`.

    Raises:
        PaperclipError: the index is of an earlier version, or the engine cannot be written.
    """
    tables = index.unrelated
    if tables is None:
        raise PaperclipError(
            f"index {index.name!r} is of an earlier version",
            f"paperclip index --index {index.name}",
        )
    _copy_beside(index.folder, folder)
    manifest, observations = index.manifest, index.observations
    farthest = 0.0
    with (
        engine.writing() as writer,
        progress.task("copy", int(manifest.counts["images"]), "images") as task,
    ):
        writer.create(index.dimension)
        writer.put_proposals(_proposals(observations, tables))
        for block in _blocks(observations):
            farthest = max(farthest, _put(writer, block, index, tables))
            task.advance(len(block))
        numbers = observations.execute("SELECT coalesce(max(id), 0) FROM proposals")
        state = State(
            manifest=_of_engine(manifest),
            next_row=len(index.vectors),
            next_proposal=1 + numbers[0][0],
            farthest=farthest,
            contents=contents(observations),
            proposals=_span(observations),
        )
        targets = Targets.of(
            target for (target,) in observations.execute("SELECT target FROM images")
        )
        nearest = np.array(tables.nearest).astype(NEAREST)
        unrelated = Unrelated(texts=np.array(tables.texts), nearest=nearest)
        writer.write(as_records(state, targets, unrelated))
    return state


def _of_engine(manifest: Manifest) -> Manifest:
    extra = {name: value for name, value in manifest.extra.items() if name != "generation"}
    return replace(manifest, extra=extra, files={}, underway={}, created=now())


def _span(observations: Observations) -> tuple[int, int, int]:
    ((count, first, last),) = observations.execute(
        "SELECT count(*), coalesce(min(p_proposal_id), 0), coalesce(max(p_proposal_id), 0)"
        " FROM proposals"
    )
    return count, first, last


def _proposals(observations: Observations, tables: Tables) -> Iterator[tuple]:
    columns = ", ".join(f"p_{name}" for name in PROPOSAL)
    for number, split, *values in observations.execute(
        f"SELECT id, split, {columns} FROM proposals ORDER BY id"
    ):
        proposal = Proposal(**dict(zip(PROPOSAL, values, strict=True)))
        yield proposal_row(number, proposal, split, tables.words[number].tobytes())


def _blocks(observations: Observations) -> Iterator[list[Image]]:
    after = -1
    while block := observations.images_after(after, BLOCK):
        yield block
        after = block[-1].id


def _put(writer: Writer, images: list[Image], index: IndexFolder, tables: Tables) -> float:
    """Writes the rows of some images. Returns the farthest reach of one, in degrees."""
    first, last = images[0].id, images[-1].id + images[-1].entry.tiles
    spread = tables.spread[first:last]
    pairs = list(zip(spread["mean"].tolist(), spread["deviation"].tolist(), strict=True))
    rows: list[tuple] = []
    for image in images:
        place, tiles = image.id - first, image.entry.tiles
        spreads = [Spread(*pair) for pair in pairs[place : place + tiles]]
        number = int(spread["proposal"][place])
        rows += rows_of(image.id, image.entry, number, image.proposal, spreads)
    writer.upsert(rows, index.vectors[first:last])
    return max((row[_REACH] or 0.0 for row in rows), default=0.0)


def into_folder(index: EngineIndex, folder: Path, progress: Progress) -> Manifest:
    """Copies an index from an engine into an empty folder, and returns its manifest."""
    images = list(index.rows.images())
    folder.mkdir(parents=True, exist_ok=True)
    vectors_path, observations_path = generation_paths(folder, 1)
    shape = sum(image.entry.tiles for image in images), index.dimension
    with progress.task("copy", len(images), "images") as task:
        write_vectors(vectors_path, shape, _vectors(index, images, task.advance))
    proposals = {image.proposal.key: image.proposal for image in images if image.proposal}
    splits = {image.proposal.key: image.split for image in images if image.proposal}
    write_observations(observations_path, (image.entry for image in images), proposals, splits)
    texts = index.unrelated.texts
    unrelated = write_unrelated(folder, 1, open_vectors(vectors_path, shape), texts)
    manifest = replace(index.manifest, extra={**index.manifest.extra, **unrelated})
    _copy_beside(index.folder, folder)
    publish(folder, manifest, 1)
    return manifest


def _copy_beside(source: Path, folder: Path) -> None:
    for name in _BESIDE:
        if (source / name).is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(source / name, folder / name)


def _vectors(
    index: EngineIndex, images: list[Image], advance: Callable[[int], None]
) -> Iterator[np.ndarray]:
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK]
        ids = [np.arange(image.id, image.id + image.entry.tiles) for image in block]
        yield from map(index.vectors_of, in_blocks(np.concatenate(ids), 4 * BLOCK))
        advance(len(block))
