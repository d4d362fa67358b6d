"""Copies the images of hits into a folder: `query --copy-to`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from paperclip_cli.errors import BadItem
from paperclip_cli.records import Hit
from paperclip_cli.report import Failure, Report


def run(hits: Iterable[Hit], folder: Path) -> Report:
    """Copies the images of hits into a folder, with the number of the hit before each name.

    No file in the folder is overwritten with different content.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failures: list[Failure] = []
    copied = 0
    for number, hit in enumerate(hits, 1):
        source = Path(hit.image)
        name = "_".join([f"{number:03d}", *(str(part) for part in (hit.key or ())), source.name])
        try:
            _copy(source, folder / name)
            copied += 1
        except BadItem as error:
            failures.append(Failure(hit.image, str(error)))
        except OSError as error:
            failures.append(Failure(hit.image, error.strerror or str(error)))
    return Report(stage="copy", counts={"images": copied}, failures=tuple(failures), output=folder)


def _copy(source: Path, place: Path) -> None:
    if place.exists():
        if place.read_bytes() != source.read_bytes():
            raise BadItem(f"{place} already exists with different content")
        return
    shutil.copyfile(source, place)
