"""The search for picture files in folders: by name, since only reading tells what a file holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from paperclip_cli.errors import UsageError

Stamp: TypeAlias = tuple[int, int]  # of a file: its size in bytes, its modification time in ns

_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
_FITS = (".fits", ".fit", ".fts")
# Only FITS is read compressed: by gzip, bzip2, or fpack, whose `.fz` may be all that a name ends
# in.
_PACKED = tuple(f"{suffix}.{packed}" for suffix in _FITS for packed in ("gz", "bz2"))
SUFFIXES = (*_PICTURES, *_FITS, *_PACKED, ".fz")


def is_image_name(name: str) -> bool:
    """Whether a file of that name is taken for a picture; upper and lower case are the same."""
    return name.lower().endswith(SUFFIXES)


def is_fits_name(name: str) -> bool:
    """Whether a file of that name is taken for FITS, compressed or not."""
    return is_image_name(name) and not name.lower().endswith(_PICTURES)


def find_images(roots: Iterable[Path]) -> list[Path]:
    """The image files in some folders, and files given themselves, sorted.

    Folders are searched to any depth, without hidden files and folders.

    Raises:
        UsageError: a path does not exist.
    """
    found: set[Path] = set()
    for root in roots:
        if root.is_dir():
            found.update(Path(entry.path) for entry in _walk(root))
        elif root.is_file():
            found.add(root)
        else:
            raise UsageError(
                f"{root}: no such file or folder", "give a folder of images, or image files"
            )
    return sorted(found)


def stamps_of(root: Path) -> tuple[dict[str, Stamp], dict[str, str]]:
    """The images at or under `root` with their stamps, and what cannot be looked into, and why.

    Where there is no `root`, it is what cannot be looked into.
    """
    away: dict[str, str] = {}
    if root.is_file():
        return {str(root): _stamp(root.stat())}, away

    def unseen(error: OSError) -> None:
        place = os.fspath(error.filename)
        if not isinstance(error, FileNotFoundError) or place == str(root):
            away[place] = error.strerror or str(error)

    found: dict[str, Stamp] = {}
    for entry in _walk(root, unseen):
        try:
            found[entry.path] = _stamp(entry.stat())
        except OSError as error:
            unseen(error)
    return found, away


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns


def _walk(root: Path, unseen: Callable[[OSError], None] | None = None) -> Iterator[os.DirEntry]:
    """The image files in a folder. Folders that cannot be read are passed over, and `unseen`."""
    folders = [str(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                shown = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            if unseen is not None:
                unseen(error)
            continue
        for entry in shown:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif is_image_name(entry.name) and entry.is_file():
                yield entry
