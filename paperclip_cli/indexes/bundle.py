"""A bundle: an index as one file to share, a ZIP with members of fixed names and no code.

    bundle.json         the origin of the index, and size and SHA-256 of every other member
    vectors.npy         float16 [N, D]
    images.jsonl        one line per image, in the order of the vectors
    proposals.jsonl     one line per proposal, with its split
    thumbnails.bin      JPEGs of at most 128 pixels, concatenated; images.jsonl has their lengths
    model/<file>        the text tower of the model, so that the receiver can query at once

Nothing in a bundle is trusted beyond the checks made here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import replacing
from paperclip_cli.records import Observation, Proposal, Wcs
from paperclip_cli.wording import counted

FORMAT = 1
FILE = "index.zip"  # the name of a bundle that is published
CARD = "bundle.json"
VECTORS, IMAGES, PROPOSALS, THUMBNAILS = DATA = (
    "vectors.npy",
    "images.jsonl",
    "proposals.jsonl",
    "thumbnails.bin",
)
MODEL = "model/"
MAX_BYTES = 32 * 2**30  # of a bundle, and of its unpacked files: fifty million images
_MAX_CARD = 2**20
_BLOCK = 2**20
AGAIN = "have it exported or sent again"
_BROKEN = (
    *(OSError, EOFError, RuntimeError, NotImplementedError, RecursionError),
    *(ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, zipfile.LargeZipFile),
)


@dataclass(frozen=True)
class Card:
    """The card of a bundle: its `files` by name, and the index's `manifest`.

    Of the manifest it has the configuration, the inputs, the counts and the extra values.
    """

    manifest: dict
    files: dict[str, dict]
    format: int = FORMAT


@dataclass(frozen=True, kw_only=True)
class BundledImage:
    """An image of a bundle: the hash of its file, its proposal, and its observation.

    `thumbnail` is the number of bytes of its thumbnail, 0 where it has none.
    """

    sha256: str
    thumbnail: int
    mission: str | None = None
    proposal_id: int | None = None
    tiles: int = 1
    wcs: Wcs | None = None
    observation: Observation = field(default_factory=Observation)


@dataclass(frozen=True)
class BundledProposal:
    """A proposal of a bundle, and its side of the model's data."""

    proposal: Proposal
    split: str = "none"


def pictureless(lengths: Sequence[int]) -> tuple[str, ...]:
    """A note that counts the images without a thumbnail, if there are any."""
    without = sum(not length for length in lengths)
    return (counted(without, "images have no small picture"),) if without else ()


class BundleWriter:
    """Adds the members of a bundle, each once, and finally its card."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._files: dict[str, dict] = {}

    @contextmanager
    def member(self, name: str) -> Iterator[_Hashed]:
        """A file to write to. Text is compressed: vectors, weights and pictures gain little."""
        is_text = name.endswith((".json", ".jsonl", ".txt"))
        info = _info(name)
        info.compress_type = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
        with self._archive.open(info, "w", force_zip64=True) as file:
            hashed = _Hashed(file)
            yield hashed
        self._files[name] = {"size": hashed.size, "sha256": hashed.digest.hexdigest()}

    def finish(self, manifest: Mapping) -> None:
        card = Card(dict(manifest), self._files)
        self._archive.writestr(_info(CARD), json.dumps(asdict(card), indent=2))


def _info(name: str) -> zipfile.ZipInfo:
    """A member without the time of day: the same index gives the same bytes."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.external_attr = 0o644 << 16
    return info


class _Hashed:
    """A file that counts and hashes the bytes written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.size, self.digest = file, 0, hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)
        self.digest.update(data)


@contextmanager
def write_bundle(path: Path) -> Iterator[BundleWriter]:
    """A new bundle, which appears at `path` only if the block succeeds."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        yield BundleWriter(archive)


def unpack(path: Path, folder: Path, model_files: Collection[str]) -> Card:
    """Unpacks a bundle into an empty folder and returns its card.

    Names and sizes are checked before, hashes on the way. `model_files` are the names allowed for
    files of the model.

    Raises:
        PaperclipError: the file is not a whole bundle.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            card = _read_card(archive)
            _check_members(archive, card, {*DATA, *(MODEL + name for name in model_files)})
            _check_room(card, folder)
            for name, said in card.files.items():
                _unpack_member(archive, name, said, folder / name)
        return card
    except _BROKEN as error:
        raise PaperclipError(
            f"{path.name} is not a whole bundle of an index ({str(error)[:200]})", AGAIN
        ) from error


def _read_card(archive: zipfile.ZipFile) -> Card:
    if archive.getinfo(CARD).file_size > _MAX_CARD:
        raise ValueError(f"{CARD} is too large")
    with archive.open(CARD) as file:
        said = json.loads(file.read(_MAX_CARD + 1))
    if said["format"] != FORMAT:
        raise ValueError(f"format {said['format']!r}, this program reads {FORMAT}")

    files = {str(name): dict(values) for name, values in said["files"].items()}
    return Card(dict(said["manifest"]), files)


def _check_members(archive: zipfile.ZipFile, card: Card, allowed: set[str]) -> None:
    """Checks that every member is allowed, unique, a plain file, and as long as the card says."""
    infos = [info for info in archive.infolist() if info.filename != CARD]
    names = [info.filename for info in infos]
    strange = sorted(({*names} ^ card.files.keys()) | ({*names} - allowed) | ({*DATA} - {*names}))
    if strange or len(names) != len({*names}) or len(archive.infolist()) != len(names) + 1:
        raise ValueError(f"members {', '.join(strange[:3]) or 'repeated'}")

    for info in infos:
        size = card.files[info.filename]["size"]
        is_plain = (info.external_attr >> 16) & 0o170000 in (0, 0o100000)
        if not is_plain or type(size) is not int or info.file_size != size or info.flag_bits & 1:
            raise ValueError(f"{info.filename} is not a plain file of {size} bytes")

    if sum(info.file_size for info in infos) > MAX_BYTES:
        raise ValueError(f"unpacks to more than {MAX_BYTES / 2**30:.0f} GB")


def _check_room(card: Card, folder: Path) -> None:
    needed = sum(said["size"] for said in card.files.values())
    if needed > shutil.disk_usage(folder).free:
        raise ValueError(f"unpacks to {needed / 2**30:.1f} GB, and the disk has less")


def _unpack_member(archive: zipfile.ZipFile, name: str, said: Mapping, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with archive.open(name) as packed, path.open("wb") as file:
        plain = _Hashed(file)
        while block := packed.read(_BLOCK):
            plain.write(block)
            if plain.size > said["size"]:
                break
    if (plain.size, plain.digest.hexdigest()) != (said["size"], said["sha256"]):
        raise ValueError(f"{name} does not have the size and checksum in the card")
