"""Writes a bundle from an index: float16 vectors, thumbnails, and the text tower of its model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.images.picture_file import read_file, thumbnail
from paperclip_cli.images.pictures import quiet_decoders
from paperclip_cli.indexes import bundle
from paperclip_cli.indexes.bundle import BundledImage, BundledProposal
from paperclip_cli.indexes.database import Image
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.model import write_text_tower
from paperclip_cli.progress import Progress
from paperclip_cli.records import to_json
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.workspace import Manifest, Workspace

_SIDE = 128  # pixels of a thumbnail
_BLOCK = 8_192


def export_index(
    index: IndexFolder,
    model: ModelFolder,
    place: Path,
    workspace: Workspace,
    progress: Progress,
    cleaned: Callable[[Path], None] = lambda _: None,
) -> list[int]:
    """Writes an index to the file `place`, and returns the lengths of its thumbnails.

    `model` has at least the text tower. `cleaned` may change the files of its copy before they are
    packed.

    Raises:
        PaperclipError: the file cannot be written.
    """
    images = list(index.observations.images())
    try:
        with bundle.write_bundle(place) as writer:
            _write_model(writer, model, cleaned)
            _write_vectors(writer, index.vectors)
            lengths = _write_thumbnails(writer, index, images, workspace, progress)
            pairs = zip(images, lengths, strict=True)
            _write_lines(writer, bundle.IMAGES, (_bundled(*pair) for pair in pairs))
            found = {
                image.proposal.key: BundledProposal(image.proposal, image.split)
                for image in images
                if image.proposal
            }
            _write_lines(writer, bundle.PROPOSALS, found.values())
            writer.finish(_said(index.manifest, model.name))
    except OSError as error:
        raise PaperclipError(
            f"{place} cannot be written ({error.strerror or error})",
            "give a file in a folder that you may write to",
        ) from error
    return lengths


def _said(manifest: Manifest, model: str) -> dict:
    """The part of an index's manifest that is valid wherever the index is.

    `model` is the name under which the model can be found there.
    """
    kept = {name: manifest.config[name] for name in ("view", "reading") if name in manifest.config}
    return {
        "config": {"model": model, **kept},
        "inputs": manifest.inputs,
        "extra": {"dimension": manifest.extra["dimension"]},
        "created": manifest.created,
    }


def _write_model(
    writer: bundle.BundleWriter, model: ModelFolder, cleaned: Callable[[Path], None]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        write_text_tower(model, Path(place, "model"))
        cleaned(Path(place, "model"))
        for path in sorted(Path(place, "model").iterdir()):
            with path.open("rb") as file, writer.member(bundle.MODEL + path.name) as member:
                while block := file.read(2**20):
                    member.write(block)


def _write_vectors(writer: bundle.BundleWriter, vectors: np.ndarray) -> None:
    with writer.member(bundle.VECTORS) as member:
        npy.write_array_header_1_0(
            member, {"descr": "<f2", "fortran_order": False, "shape": vectors.shape}
        )  # type: ignore[arg-type]
        for start in range(0, len(vectors), _BLOCK):
            member.write(vectors[start : start + _BLOCK].astype("<f2").tobytes())


def _write_thumbnails(
    writer: bundle.BundleWriter,
    index: IndexFolder,
    images: Sequence[Image],
    workspace: Workspace,
    progress: Progress,
) -> list[int]:
    """Writes all thumbnails, and returns their lengths: 0 for an image that cannot be read."""

    def small(image: Image) -> bytes:
        try:
            picture = read_file(index.file_of(image.entry, workspace), index.reading).picture
            return thumbnail(picture, _SIDE)  # type: ignore[arg-type]
        except (OSError, BadItem):
            return b""

    lengths = []
    with (
        quiet_decoders(),
        progress.task("export", len(images), "images") as task,
        writer.member(bundle.THUMBNAILS) as member,
        ThreadPoolExecutor() as pool,
    ):
        for start in range(0, len(images), 256):
            for data in pool.map(small, images[start : start + 256]):
                member.write(data)
                lengths.append(len(data))
                task.advance()
    return lengths


def _write_lines(writer: bundle.BundleWriter, name: str, records: Iterable[object]) -> None:
    with writer.member(name) as member:
        for record in records:
            member.write(to_json(record).encode() + b"\n")


def _bundled(image: Image, thumbnail: int) -> BundledImage:
    entry = image.entry
    mission, proposal_id = entry.key or (None, None)
    return BundledImage(
        sha256=entry.sha256,
        thumbnail=thumbnail,
        mission=mission,
        proposal_id=proposal_id,
        tiles=entry.tiles,
        wcs=entry.wcs,
        observation=entry.observation,
    )
