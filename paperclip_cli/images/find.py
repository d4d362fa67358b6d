"""The search for picture files in folders: by name, since only reading tells what a file holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from paperclip_cli.errors import UsageError

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
            found.update(_walk(root))
        elif root.is_file():
            found.add(root)
        else:
            raise UsageError(
                f"{root}: no such file or folder", "give a folder of images, or image files"
            )
    return sorted(found)


def _walk(root: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if is_image_name(name) and not name.startswith(".") and path.is_file():
                yield path
