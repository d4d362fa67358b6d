"""Creates an index from a bundle: nothing of it appears before all of it has been checked."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import replace_folder
from paperclip_cli.http.download import is_url
from paperclip_cli.images.reading import Reading
from paperclip_cli.images.tiles import tile_count
from paperclip_cli.images.view import View
from paperclip_cli.indexes import bundle
from paperclip_cli.indexes.bundle import BundledImage, BundledProposal
from paperclip_cli.indexes.database import Entry
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.described import THUMBNAILS
from paperclip_cli.indexes.folder import STAGE, folder_sha256, generation_paths
from paperclip_cli.indexes.unrelated import table_paths, unrelated_texts
from paperclip_cli.indexes.update import write_unrelated
from paperclip_cli.indexes.vectors import open_vectors, write_vectors
from paperclip_cli.records import Key, checked, from_dict
from paperclip_cli.sky.footprint import with_whole_position
from paperclip_cli.towers.folder import MODEL_FILES, ModelFolder, fingerprint_now
from paperclip_cli.towers.numpy_text_tower import checked_embeddings
from paperclip_cli.workspace import Manifest, checked_name, stamps_of, write_manifest

_MAX_THUMBNAIL = 2**17  # bytes
_MAX_LINE = 2**20  # bytes: the longest abstracts have a few thousand
_BLOCK = 8_192
# The errors that the readers of a bundle raise when its contents are malformed.
_MALFORMED = (
    *(KeyError, TypeError, ValueError, AttributeError),
    *(RecursionError, UnicodeError, OverflowError, EOFError),
)


@dataclass(frozen=True)
class Terms:
    """How a bundle is taken in.

    `splits` are the names of sides of a model's data that may be told. With `model`, a fingerprint,
    only an index of that model is accepted. `extra` is added to the manifest.
    """

    splits: Collection[str]
    model: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


def import_bundle(
    file: Path, origin: str, scratch: Path, folder: Path, terms: Terms
) -> tuple[int, list[int]]:
    """Creates the index `folder` from a bundle; `origin` names it in messages.

    The caller holds the lock of `folder`. `scratch` is an empty folder on the same disk. Returns
    the number of vectors and the lengths of the thumbnails.

    Raises:
        PaperclipError: the bundle is damaged or of another model.
    """
    card = bundle.unpack(file, scratch, MODEL_FILES)
    try:
        with replace_folder(folder) as new:
            return _build(card, scratch, new, folder, terms)
    except _MALFORMED as error:
        raise PaperclipError(
            f"{origin} is not a valid index ({str(error)[:200]})", bundle.AGAIN
        ) from error


def _build(
    card: bundle.Card, unpacked: Path, new: Path, folder: Path, terms: Terms
) -> tuple[int, list[int]]:
    """Writes the files of an index into the folder `new`, which will become `folder`.

    Returns the number of vectors and the lengths of the thumbnails.
    """
    said = card.manifest
    name, made_by = str(said["config"]["model"])[:200], str(said["inputs"]["model"])
    if terms.model not in (None, made_by):
        raise PaperclipError(
            f"the bundle was made by another model ({name}, fingerprint {made_by[:12]}...)",
            "leave out --model",
        )
    view, reading = View(**said["config"]["view"]), Reading(**said["config"].get("reading", {}))

    (unpacked / "model").rename(new / "model")
    model = ModelFolder.open(new / "model", name)
    texts = checked_embeddings(model, unrelated_texts())
    images = [_image(line) for line in _lines(unpacked / bundle.IMAGES)]
    if not images:  # `index` makes no such index either
        raise ValueError("it holds no image")
    shape = sum(image.tiles for image in images), model.config.projection_dim
    if {image.tiles for image in images} - {tile_count(view, reading)}:
        raise ValueError("the number of tiles does not fit the view")

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
        {item.proposal.key: item.split for item in proposals if item.split in terms.splits},
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
        **write_unrelated(new, 1, open_vectors(vectors_path, shape), texts),
        "text_tower": fingerprint_now(model),
        "exported": str(said.get("created"))[:40],
        THUMBNAILS: folder_sha256(new / THUMBNAILS),
        **terms.extra,
    }
    manifest = Manifest(
        stage=STAGE,
        config=config,
        inputs={"model": made_by},
        counts={"images": len(entries), "vectors": shape[0]},
        extra=extra,
        files=stamps_of(
            new, [path.name for path in (vectors_path, observations_path, *table_paths(new, 1))]
        ),
    )
    write_manifest(new, manifest)
    return shape[0], [image.thumbnail for image in images]


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE):
            if not line.endswith(b"\n"):
                raise ValueError(f"a line of {path.name} is too long or truncated")
            yield line


def _image(line: bytes) -> BundledImage:
    """The image of one line, with the types of its values checked.

    Half of a position, or one off the sky, which an earlier version may have written, is left out.
    """
    image = checked(from_dict(BundledImage, json.loads(line)))
    image = replace(image, observation=with_whole_position(image.observation))
    url = image.observation.access_url
    if not 0 <= image.thumbnail <= _MAX_THUMBNAIL or not 1 <= image.tiles <= 10_000:
        raise ValueError("an image has an invalid thumbnail or number of tiles")
    if image.mission is not None:
        checked_name(image.mission, "mission")
    if url is not None and not is_url(url):
        image = replace(image, observation=replace(image.observation, access_url=None))
    return image


def _vectors(path: Path, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """The vectors of a bundle, as blocks of unit vectors float32 [n, D]."""
    vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    if vectors.dtype != np.float16 or vectors.shape != shape:
        found = f"{vectors.dtype} {list(vectors.shape)}"
        raise ValueError(f"the vectors are {found} instead of float16 {list(shape)}")
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK].astype(np.float32)
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        if not (np.abs(lengths - 1) < 0.01).all():  # also true for NaN
            raise ValueError("there are vectors that are not of unit length")
        yield block / lengths


def _entries(images: Sequence[BundledImage], thumbnails: Path, folder: Path) -> Iterator[Entry]:
    """The entries of the images, whose thumbnails are written to one file each."""
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
            key = None
            if image.mission is not None and image.proposal_id is not None:
                key = Key(image.mission, image.proposal_id)
            yield Entry(
                path=f"{THUMBNAILS}/{path.name}",
                size=len(data),
                mtime_ns=modified,
                sha256=image.sha256,
                key=key,
                observation=image.observation,
                tiles=image.tiles,
                wcs=image.wcs,
            )
        if file.read(1):
            raise ValueError("there are more thumbnails than images")
