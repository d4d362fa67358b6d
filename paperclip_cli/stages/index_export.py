"""Writes an index to one file, to share it: `index --export`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from paperclip_cli.config import BundleConfig
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.images.picture_file import read_file, thumbnail
from paperclip_cli.images.pictures import quiet_decoders
from paperclip_cli.indexes import bundle
from paperclip_cli.indexes.bundle import BundledImage, BundledProposal, pictureless
from paperclip_cli.indexes.database import Image
from paperclip_cli.indexes.folder import IndexFolder, choose_index, open_index
from paperclip_cli.indexes.model import model_of, write_text_tower
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import to_json
from paperclip_cli.report import Report
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.workspace import Manifest, Workspace

_SIDE = 128  # pixels of a thumbnail
_BLOCK = 8_192


def run(config: BundleConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Writes an index to one file: float16 vectors, thumbnails and the text tower.

    Raises:
        MissingStage: there is no such index.
        PaperclipError: its model is missing, or the file cannot be written.
    """
    place = Path(config.place).expanduser()
    index = open_index(workspace.index(choose_index(config.name, workspace)))
    model = model_of(index, workspace)
    images = list(index.observations.images())

    try:
        with bundle.write_bundle(place) as writer:
            _write_model(writer, model)
            _write_vectors(writer, index.vectors)
            lengths = _write_thumbnails(
                writer, index, images, workspace, progress or SilentProgress()
            )
            pairs = zip(images, lengths, strict=True)
            _write_lines(writer, bundle.IMAGES, (_bundled(*pair) for pair in pairs))
            found = {
                image.proposal.key: BundledProposal(image.proposal, image.split)
                for image in images
                if image.proposal
            }
            _write_lines(writer, bundle.PROPOSALS, found.values())
            writer.finish(_said(index.manifest))
    except OSError as error:
        raise PaperclipError(
            f"{place} cannot be written ({error.strerror or error})",
            "give a file in a folder that you may write to",
        ) from error
    return Report(
        stage="export",
        counts={"images": len(images), "bytes": place.stat().st_size},
        notes=pictureless(lengths),
        output=place,
    )


def _said(manifest: Manifest) -> dict:
    """The part of an index's manifest that is valid wherever the index is."""
    kept = [name for name in ("model", "view", "reading") if name in manifest.config]
    return {
        "config": {name: manifest.config[name] for name in kept},
        "inputs": manifest.inputs,
        "extra": {name: manifest.extra[name] for name in ("dimension", "background")},
        "created": manifest.created,
    }


def _write_model(writer: bundle.BundleWriter, model: ModelFolder) -> None:
    with tempfile.TemporaryDirectory() as place:
        write_text_tower(model, Path(place, "model"))
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
