"""A user's file of phrases with which images are described."""

from __future__ import annotations

import csv
from pathlib import Path

from paperclip_cli.errors import PaperclipError

_HEADINGS = ("label", "labels", "phrase", "phrases")


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels of a file, each once, in order.

    A text file has one label a line. In a `.csv` file they are in the column headed `label` (or
    `phrase`), else in the first one.

    Raises:
        PaperclipError: the file cannot be read or holds no label.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        not_text = "it is not text in UTF-8"
        reason = not_text if isinstance(error, UnicodeDecodeError) else error.strerror
        raise PaperclipError(
            f"--labels {path} cannot be read: {reason}", "give a text file with one label a line"
        ) from error

    labels = _column(lines) if path.suffix.lower() == ".csv" else lines
    found = tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))
    if not found:
        raise PaperclipError(f"--labels {path} holds no label", "write one label a line")
    return found


def _column(lines: list[str]) -> list[str]:
    rows = [row for row in csv.reader(lines) if row]
    heads = [name.strip().lower() for name in rows[0]] if rows else []
    place = next((heads.index(name) for name in _HEADINGS if name in heads), None)
    body = rows if place is None else rows[1:]
    return [row[place or 0] for row in body if len(row) > (place or 0)]
