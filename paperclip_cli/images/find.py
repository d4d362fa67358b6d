"""Which files of a folder are pictures, by name; whether they are, their content tells."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from paperclip_cli.errors import UsageError

SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".tif",
    ".tiff",
    ".fits",
    ".fit",
    ".fts",
    ".fits.gz",
    ".fit.gz",
    ".fz",
)


def find_images(roots: Iterable[Path]) -> list[Path]:
    """The image files in some folders (all depths, nothing hidden) and the files given themselves, absolute and sorted.

    UsageError for a path that does not exist.
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
            if name.lower().endswith(SUFFIXES) and not name.startswith(".") and path.is_file():
                yield path
