"""The image of a row of a dataset that others made, as the JPEG that `fetch` would make of it.

A row holds the bytes of its image, or its place. A place counts only inside the dataset: whoever
made a dataset may have written `/etc/passwd` or `https://...` there.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from PIL.JpegImagePlugin import JpegImageFile

from paperclip_cli.config import PREVIEW_SIZE
from paperclip_cli.dataset.columns import LeftOut
from paperclip_cli.errors import BadItem
from paperclip_cli.images.pictures import encode_jpeg, make_canvas, read_picture, read_picture_bytes

MOST_BYTES = 2**29  # of one image in a zip file, before it is unpacked
_ROOM = 2**16  # bytes of headers that a JPEG may have beside its pixels
_ZIP = re.compile(r"zip://(?P<member>.+)::(?P<container>[^:]+)")


@dataclass(frozen=True)
class Places:
    """Where the image files of a dataset may lie: in `folder`, links followed, or in `root`.

    The snapshots of the Hub's cache are folders of links to files elsewhere in the same `root`.
    """

    folder: Path
    root: Path

    def find(self, said: str) -> Path:
        """The file that a row names.

        Raises:
            BadItem: it lies outside the dataset, or is missing.
        """
        if "://" in said or "\0" in said:
            raise BadItem("an address instead of an image of the dataset")
        try:
            path = Path(self.folder, said).resolve()
            if not self.holds(path):
                raise BadItem("a file outside the dataset")
            is_there = path.is_file()
        except (OSError, RuntimeError):  # a name that is too long, or links that lead to each other
            is_there = False
        if not is_there:
            raise BadItem("no such file in the dataset")
        return path

    def holds(self, path: Path) -> bool:
        """Whether a path, with its links followed, lies inside the dataset."""
        return path.resolve().is_relative_to(self.root.resolve())


def parts(value: object) -> tuple[bytes | None, str]:
    """The bytes of an image, if its row holds them, and its path, which may be empty.

    Raises:
        LeftOut: there is neither.
    """
    if isinstance(value, Mapping):
        data, path = value.get("bytes"), value.get("path")
    else:
        data, path = (None, value) if isinstance(value, str) else (value, None)
    found = data if isinstance(data, bytes) and data else None
    name = path if isinstance(path, str) else ""
    if found is None and not name:
        raise LeftOut("rows without an image")
    return found, name


def jpeg_of(data: bytes | None, path: str, places: Places) -> bytes:
    """The image of a row as a JPEG, padded to a square of at most PREVIEW_SIZE pixels.

    A JPEG that is one already is kept as it is.

    Raises:
        BadItem: it cannot be read, or lies outside the dataset.
    """
    if data is None and (archived := _ZIP.fullmatch(path)):
        data = _unzipped(archived["member"], places.find(archived["container"]))
    source = places.find(path) if data is None else data
    picture = read_picture(source) if isinstance(source, Path) else read_picture_bytes(source)

    canvas = make_canvas(picture, PREVIEW_SIZE)
    if canvas.shape == picture.shape:
        most = canvas.nbytes + _ROOM
        original = _start(source, most + 1) if isinstance(source, Path) else source
        if len(original) <= most and _mode(original) == ("L" if canvas.ndim == 2 else "RGB"):
            return original
    return encode_jpeg(canvas)


def name_of(path: str, places: Places, otherwise: str) -> str:
    """The name of an image in our dataset: its path in the other one, without a way out of it."""
    member = path.partition("::")[0].removeprefix("zip://")
    inside = PurePosixPath(member)
    if inside.is_relative_to(places.folder):
        inside = inside.relative_to(places.folder)
    if inside.is_absolute() or ".." in inside.parts or "://" in member:
        return inside.name or otherwise
    return str(inside) if member else otherwise


def _mode(data: bytes) -> str:
    """The mode of a JPEG that has been read before; empty for other kinds and for turned ones."""
    if not data.startswith(b"\xff\xd8\xff"):
        return ""
    with JpegImageFile(io.BytesIO(data)) as image:
        return "" if image.getexif() else image.mode


def _start(file: Path, most: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(most)


@lru_cache(maxsize=8)
def _archive(container: Path, _: int) -> zipfile.ZipFile:
    """An open zip file. Reading its list of members anew for each of them would take too long."""
    return zipfile.ZipFile(container)


def _unzipped(member: str, container: Path) -> bytes:
    try:
        with _archive(container, container.stat().st_mtime_ns).open(member) as file:
            data = file.read(MOST_BYTES + 1)
    except Exception as error:  # a damaged file may make `zipfile` raise anything
        reason = str(error).partition("\n")[0][:100] or type(error).__name__
        raise BadItem(f"cannot be read from {container.name}: {reason}") from error
    if len(data) > MOST_BYTES:
        raise BadItem(f"unpacks to more than {MOST_BYTES / 2**30:.1f} GB")
    return data
