"""Tables of a user, in CSV, ECSV and VOTable: each row with its line in the file.

Cells are text, in the units that `records.Observation` has. A cell that the file leaves empty, or
whose value it masks, is empty text.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.archives.catalogue import decode
from paperclip_cli.archives.cells import number
from paperclip_cli.archives.columns import HOUR, Heading, heading, is_coordinate, meaning
from paperclip_cli.archives.csv_rows import CsvRow, csv_rows
from paperclip_cli.errors import PaperclipError
from paperclip_cli.values import is_blank

MAX_BYTES = 2**30
_ASIDE = re.compile(r"#|\"?sep=", re.IGNORECASE)
_DELIMITERS = ",;\t|"
_COMMENT = re.compile(r"\s*#+\s*")
_IMAGE = Heading("image")


@dataclass(frozen=True)
class Line:
    """A row of a table: its place in the file (`line 5`), its cells by column, and what is beyond.

    `beyond` are the cells to the right of the last column, and `opened` the column and the text of
    a cell with a quote that is not closed, which has no value.
    """

    place: str
    cells: Mapping[str, str]
    beyond: tuple[str, ...] = ()
    opened: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Content:
    """A table: the names of its columns, its rows, which are read when asked for, and notes."""

    columns: list[str]
    lines: Iterator[Line]
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> Content:
    """The rows of a table. Columns are named in lower case, without units (see `columns`).

    Raises:
        PaperclipError: the file is not a table, or has no column `image`.
    """
    if path.stat().st_size > MAX_BYTES:
        raise PaperclipError(f"{path} is larger than {MAX_BYTES // 2**20:,} MiB")
    data = path.read_bytes()
    if path.suffix == ".csv" and not data.startswith(b"# %ECSV"):
        return _read_csv(path, data)

    from paperclip_cli.archives.astropy_tables import read_ecsv, read_votable

    found = (read_votable if path.suffix == ".vot" else read_ecsv)(path, data)
    names = list(found.columns)
    _need_image_column(path, names)
    cells = zip(*found.columns.values(), strict=True)
    rows = (Line(place, _named(names, row)) for place, row in zip(found.places, cells, strict=True))
    return Content(names, rows, found.notes)


def _read_csv(path: Path, data: bytes) -> Content:
    lines = decode(data).replace("\0", " ").split("\n")
    # Before the header may stand comments, and the delimiter as spreadsheets say it: `sep=;`.
    begins = (i for i, line in enumerate(lines) if line.strip() and not _ASIDE.match(line))
    first = next(begins, 0)
    delimiter, columns = _header(lines[first])
    if _IMAGE not in columns and first > 0:  # the names may be the last comment: `#image,ra,dec`
        first -= 1
        delimiter, columns = _header(_COMMENT.sub("", lines[first]))
    names = [column.name for column in columns]
    _need_image_column(path, names)
    rows = csv_rows(lines, delimiter, len(columns), names.index("image"), first + 1)
    return Content(names, _csv_lines(path, rows, columns))


def _csv_lines(path: Path, rows: Iterator[CsvRow], columns: Sequence[Heading]) -> Iterator[Line]:
    try:
        for row in rows:
            if any(row.cells):
                yield _csv_line(row, columns)
    except csv.Error as error:
        message, at = error.args
        raise PaperclipError(
            f"{path}, line {at + 1}: {message}", "the file must hold comma-separated values"
        ) from error


def _csv_line(row: CsvRow, columns: Sequence[Heading]) -> Line:
    place, cells, opened = f"line {row.line + 1}", list(row.cells), ("", "")
    beyond = tuple(one for one in cells[len(columns) :] if one.strip())
    if row.open is not None:
        at = min(row.open, len(columns) - 1)
        opened = columns[at].name, cells[row.open]
        # A delimiter may be meant to be inside the cell: what is behind it is then of no column.
        cells[at:] = ["", *(cells[at + 1 :] if len(cells) == len(columns) else [])]
        beyond = ()
    scaled = [_scaled(cell, column) for cell, column in zip(cells, columns, strict=False)]
    return Line(place, _named([column.name for column in columns], scaled), beyond, opened)


def _scaled(cell: str, column: Heading) -> str:
    """A cell in the unit that its column is to have; what is no number is left as it is."""
    if column.scale == 1:
        return cell
    try:
        value = number(cell)
    except ValueError:
        return cell
    # Hours say so themselves, so that 25 of them are not taken for 15 degrees.
    return f"{cell.strip()}h" if column.scale == HOUR else repr(value * column.scale)


def _header(line: str) -> tuple[str, list[Heading]]:
    """The delimiter, which is the first one with which there is a column `image`; and the names."""

    def columns(delimiter: str) -> list[Heading]:
        try:
            return list(map(heading, next(csv.reader([line], delimiter=delimiter), [])))
        except csv.Error:
            return []

    found = {delimiter: columns(delimiter) for delimiter in _DELIMITERS}
    return next((item for item in found.items() if _IMAGE in item[1]), (",", found[","]))


def _named(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """The cells by field. What has two columns takes its own name first, then the first known.

    Coordinates keep their own names: those of two positions must not be mixed.
    """
    row: dict[str, str] = {}
    fields = [name if is_coordinate(name) else meaning(name) for name in columns]
    for is_alias in (False, True):
        for name, field, cell in zip(columns, fields, cells, strict=False):
            if (name != field) == is_alias and is_blank(row.get(field, "")):
                row[field] = cell
    return row


def _need_image_column(path: Path, names: list[str]) -> None:
    if "image" not in names:
        raise PaperclipError(
            f"{path} has no column `image`",
            "name the columns in the first line: image, proposal_id, target, ra, dec, ...",
        )
