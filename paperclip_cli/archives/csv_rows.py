"""The rows of a table of comma-separated values, one line or several, and quotes that stay open.

A cell may run over several lines, if it is in quotes. A quote that is opened by mistake would take
in all rows up to the next quote. Such a line is a row of its own, and so are those after it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from paperclip_cli.images.find import is_image_name

_MOST_LINES = 200  # of one row


class CsvRow(NamedTuple):
    """The cells of a row, which begins at a line (from 0).

    `open` is the number of the cell whose quote is not closed; there the cells are cut at every
    delimiter. What is in the cells after it is certain only if none is missing or beyond.
    """

    line: int
    cells: list[str]
    open: int | None = None


def csv_rows(
    lines: Sequence[str], delimiter: str, columns: int, image: int, first: int = 0
) -> Iterator[CsvRow]:
    """The rows from line `first` on, without blank lines and comments.

    `columns` is the number of columns, and `image` the place of the one that names a picture.

    Raises:
        csv.Error: a cell is too long; its `args` are the message and the line.
    """
    at = first
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith("#") or not line.strip():
            at += 1
        elif '"' not in line:
            yield CsvRow(at, line.split(delimiter))
            at += 1
        else:
            cells, count = _quoted(lines, at, delimiter)
            if count > 1 and not _is_whole(
                lines[at : at + count], cells, delimiter, columns, image
            ):
                cells, count = (
                    next(csv.reader([line], delimiter=delimiter, quoting=csv.QUOTE_NONE)),
                    0,
                )
                yield CsvRow(at, cells, _opened(cells))
            else:
                yield CsvRow(at, cells)
            at += max(count, 1)


def _quoted(lines: Sequence[str], at: int, delimiter: str) -> tuple[list[str], int]:
    """The cells of a row that begins at a line and has quotes, and the lines that it takes.

    It takes one line more than there are, if its last quote is not closed.
    """
    window = lines[at : at + _MOST_LINES]
    reader = csv.reader([*(line + "\n" for line in window), ""], delimiter=delimiter)
    try:
        cells = next(reader)
    except csv.Error as error:
        if reader.line_num > 1:  # so much text is no cell, but rows behind an open quote
            return [], reader.line_num
        raise csv.Error(str(error), at) from error
    return cells, reader.line_num


def _is_whole(
    taken: Sequence[str], cells: Sequence[str], delimiter: str, columns: int, image: int
) -> bool:
    """Whether a row of several lines is one, and not several behind a quote that stayed open."""
    text = [line + "\n" for line in taken]
    try:
        strict = list(csv.reader(text, delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    others = (line.split(delimiter) for line in taken[1:])
    return (
        strict == [cells]
        and len(cells) == columns
        and not any(len(one) > image and is_image_name(one[image].strip(' "')) for one in others)
    )


def _opened(cells: Sequence[str]) -> int:
    """The last cell that begins with a quote and does not end with one."""
    found = [i for i, cell in enumerate(cells) if cell.startswith('"') and not _closes(cell)]
    return found[-1] if found else len(cells) - 1


def _closes(cell: str) -> bool:
    return len(cell) > 1 and cell.rstrip().endswith('"')
