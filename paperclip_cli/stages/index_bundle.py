"""Hands an index on as one file, and takes one in: `index --export` and `index --import`."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from paperclip_cli.config import BundleConfig
from paperclip_cli.dataset.split import SPLITS
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.http.download import download, is_url
from paperclip_cli.images.picture_file import read_file, thumbnail
from paperclip_cli.images.pictures import quiet_decoders
from paperclip_cli.images.reading import Reading
from paperclip_cli.images.tiles import tile_count
from paperclip_cli.images.view import View
from paperclip_cli.indexes import bundle
from paperclip_cli.indexes.background import Background
from paperclip_cli.indexes.database import Entry, Image
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.folder import (
    THUMBNAILS,
    Index,
    choose_index,
    generation_paths,
    open_index,
)
from paperclip_cli.indexes.model import model_of, write_text_tower
from paperclip_cli.indexes.vectors import write_vectors
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import Key, Observation, Proposal, Wcs, checked, from_dict, to_json
from paperclip_cli.report import Report
from paperclip_cli.towers.folder import MODEL_FILES, ModelFolder, fingerprint, resolve
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.wording import counted
from paperclip_cli.workspace import (
    Manifest,
    Workspace,
    checked_name,
    lock,
    read_manifest,
    replace_folder,
    write_manifest,
)

STAGE = "index"
_SIDE = 128  # pixels of a thumbnail
_MAX_THUMBNAIL = 2**17  # bytes
_MAX_LINE = 2**20  # bytes: the longest abstracts have some thousand
_BLOCK = 8_192


@dataclass(frozen=True)
class BundledImage:
    """An image of a bundle: its file's hash, its proposal, what is known of it, and the bytes of its thumbnail (0: there is none)."""

    sha256: str
    thumbnail: int
    mission: str | None = None
    proposal_id: int | None = None
    tiles: int = 1
    wcs: Wcs | None = None
    observation: Observation = field(default_factory=Observation)


@dataclass(frozen=True)
class BundledProposal:
    """A proposal of a bundle, and the side of the model's data on which it lies."""

    proposal: Proposal
    split: str = "none"


def export(config: BundleConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Writes an index with vectors of half precision, small pictures and its text tower to one file.

    Raises:
        MissingStage: there is no such index.
        PaperclipError: its model is gone, or the file cannot be written.
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
            _write_lines(
                writer,
                bundle.IMAGES,
                (_bundled(image, length) for image, length in zip(images, lengths, strict=True)),
            )
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
            "name a file in a folder of yours",
        ) from error
    return Report(
        "export",
        {"images": len(images), "bytes": place.stat().st_size},
        notes=_pictureless(lengths),
        output=place,
    )


def _said(manifest: Manifest) -> dict:
    """What of an index's manifest holds wherever the index is."""
    return {
        "config": {
            name: manifest.config[name]
            for name in ("model", "view", "reading")
            if name in manifest.config
        },
        "inputs": manifest.inputs,
        "extra": {name: manifest.extra[name] for name in ("dimension", "background")},
        "created": manifest.created,
    }


def take_in(config: BundleConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Makes an index of a file that `export` wrote, or of the one at an address. Nothing of it is there before all of it was checked.

    Raises:
        PaperclipError: it is no whole bundle, or none of the model that is asked for; there is such an index already.
    """
    folder = workspace.index(config.name or "default")
    if read_manifest(folder) is not None and not config.force:
        raise PaperclipError(
            f"there is an index {folder.name!r} already",
            "give the new one a name with --index NAME, or replace it with --force",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}.import."
    with lock(folder), tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as place:
        for left in folder.parent.glob(f"{prefix}*"):
            if left != Path(place):  # of an import that was killed
                shutil.rmtree(left)
        file = _fetched(config, workspace, Path(place), progress or SilentProgress())
        card = bundle.unpack(file, Path(place), MODEL_FILES)
        expected = (
            None
            if config.model is None
            else fingerprint(resolve(config.model, workspace), workspace)
        )
        try:
            with replace_folder(folder) as new:
                count, lengths = _build(card, Path(place), new, folder, workspace, expected)
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            RecursionError,
            UnicodeError,
            OverflowError,
        ) as error:
            raise PaperclipError(
                f"{config.place} does not hold a sound index ({str(error)[:200]})", bundle.AGAIN
            ) from error
    fingerprint(
        ModelFolder.open(folder / "model"), workspace
    )  # remembered, so that the first query is as quick as any
    return Report(
        "import",
        {"images": len(lengths), "vectors": count},
        notes=_pictureless(lengths),
        output=folder,
    )


def _pictureless(lengths: Sequence[int]) -> tuple[str, ...]:
    without = sum(not length for length in lengths)
    return (counted(without, "images have no small picture"),) if without else ()


def _fetched(config: BundleConfig, workspace: Workspace, folder: Path, progress: Progress) -> Path:
    if not is_url(config.place):
        path = Path(config.place).expanduser()
        if not path.is_file():
            raise PaperclipError(
                f"there is no file {path}", "give a file that index --export wrote, or an address"
            )
        return path
    if workspace.offline:
        raise PaperclipError(
            f"{config.place} is not here, and --offline forbids to fetch it", "leave out --offline"
        )
    with progress.task("download", unit="bytes") as task:
        download(config.place, folder / "bundle.zip", bundle.MAX_BYTES, task.advance)
    return folder / "bundle.zip"


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
    index: Index,
    images: Sequence[Image],
    workspace: Workspace,
    progress: Progress,
) -> list[int]:
    """Gives the length of each; 0 for an image that cannot be read any more."""

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
        entry.sha256, thumbnail, mission, proposal_id, entry.tiles, entry.wcs, entry.observation
    )


def _build(
    card: bundle.Card,
    unpacked: Path,
    new: Path,
    folder: Path,
    workspace: Workspace,
    expected: str | None,
) -> tuple[int, list[int]]:
    """Writes the files of an index into the folder `new` that will be `folder`; gives the number of vectors and the thumbnails' lengths."""
    said = card.manifest
    name, made_by = str(said["config"]["model"])[:200], str(said["inputs"]["model"])
    if expected not in (None, made_by):
        raise PaperclipError(
            f"the bundle was made by another model ({name}, fingerprint {made_by[:12]}...)",
            "leave out --model",
        )
    view, reading = View(**said["config"]["view"]), Reading(**said["config"].get("reading", {}))
    background = Background(
        tuple(map(float, said["extra"]["background"]["scores"])),
        float(said["extra"]["background"]["best"]),
    )
    if not all(map(math.isfinite, (*background.scores, background.best))):
        raise ValueError("the background is not numbers")
    (unpacked / "model").rename(new / "model")
    model = ModelFolder.open(new / "model", name)
    _check_tower(model)
    images = [_image(line) for line in _lines(unpacked / bundle.IMAGES)]
    shape = sum(image.tiles for image in images), model.config.projection_dim
    if {image.tiles for image in images} - {tile_count(view, reading)}:
        raise ValueError("images have another number of tiles than the view")
    vectors_path, observations_path = generation_paths(new, 1)
    write_vectors(vectors_path, shape, _vectors(unpacked / bundle.VECTORS, shape))
    entries = list(_entries(images, unpacked / bundle.THUMBNAILS, new))
    proposals = [
        checked(from_dict(BundledProposal, json.loads(line)))
        for line in _lines(unpacked / bundle.PROPOSALS)
    ]
    write_observations(
        observations_path,
        entries,
        {item.proposal.key: item.proposal for item in proposals},
        {item.proposal.key: item.split for item in proposals if item.split in SPLITS},
    )
    config = {
        "model": name,
        "model_folder": str(folder / "model"),
        "view": asdict(view),
        "reading": asdict(reading),
    }
    extra = {
        "generation": 1,
        "dimension": shape[1],
        "background": asdict(background),
        "text_tower": fingerprint(model, workspace),
        "exported": str(said.get("created"))[:40],
    }
    write_manifest(
        new,
        Manifest(
            STAGE, config, {"model": made_by}, {"images": len(entries), "vectors": shape[0]}, extra
        ),
    )
    return shape[0], [image.thumbnail for image in images]


def _check_tower(model: ModelFolder) -> None:
    if not np.isfinite(TextTower.open(model).embed(["galaxy"])).all():
        raise ValueError("the text tower does not give numbers")


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE):
            if not line.endswith(b"\n"):
                raise ValueError(f"a line of {path.name} is too long, or cut")
            yield line


def _image(line: bytes) -> BundledImage:
    """A line of the images, its values of the types that they should have."""
    image = checked(from_dict(BundledImage, json.loads(line)))
    url = image.observation.access_url
    if not 0 <= image.thumbnail <= _MAX_THUMBNAIL or not 1 <= image.tiles <= 10_000:
        raise ValueError("an image with a strange thumbnail or number of tiles")
    if image.mission is not None:
        checked_name(image.mission, "mission")
    if url is not None and not url.startswith(("http://", "https://")):
        image = replace(image, observation=replace(image.observation, access_url=None))
    return image


def _vectors(path: Path, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """The vectors of a bundle as blocks float32 [n, D] of unit vectors."""
    vectors = (
        np.load(path, mmap_mode="r", allow_pickle=False)
        if shape[0]
        else np.empty(shape, np.float16)
    )
    if vectors.dtype != np.float16 or vectors.shape != shape:
        raise ValueError(
            f"vectors {vectors.dtype} {list(vectors.shape)} for {shape[0]} of {shape[1]}"
        )
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK].astype(np.float32)
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        if not (np.abs(lengths - 1) < 0.01).all():  # also where one is NaN
            raise ValueError("vectors that are no directions")
        yield block / lengths


def _entries(images: Sequence[BundledImage], thumbnails: Path, folder: Path) -> Iterator[Entry]:
    """The images as an index keeps them, once their thumbnails are files of their own."""
    (folder / THUMBNAILS).mkdir()
    with thumbnails.open("rb") as file:
        for number, image in enumerate(images):
            path = folder / THUMBNAILS / f"{number:07d}.jpg"
            data = file.read(image.thumbnail)
            if image.thumbnail and not data.startswith(b"\xff\xd8\xff"):
                raise ValueError("a thumbnail is not a JPEG")
            if data:
                path.write_bytes(data)
            modified = path.stat().st_mtime_ns if data else 0
            key = (
                None
                if image.mission is None or image.proposal_id is None
                else Key(image.mission, image.proposal_id)
            )
            yield Entry(
                f"{THUMBNAILS}/{path.name}",
                len(data),
                modified,
                image.sha256,
                key,
                image.observation,
                image.tiles,
                image.wcs,
            )
        if file.read(1):
            raise ValueError("there are more thumbnails than images")
