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
from paperclip_cli.archives.csv_rows import CsvRow, csv_rows
from paperclip_cli.errors import PaperclipError
from paperclip_cli.values import is_blank

MAX_BYTES = 2**30
_ASIDE = re.compile(r"#|\"?sep=", re.IGNORECASE)
_DELIMITERS = ",;\t|"
_UNIT = re.compile(r"\s*[\[(]\s*(?:deg|degrees?|mjd|s|sec|seconds?)\s*[\])]$")


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


def read_table(path: Path, names: Mapping[str, str], units: Mapping[str, str]) -> Iterator[Line]:
    """The rows of a table. Columns are named in lower case.

    `names` are the columns' other names, and `units` those that numbers are turned into.

    Raises:
        PaperclipError: the file is not a table, or has no column `image`.
    """
    if path.stat().st_size > MAX_BYTES:
        raise PaperclipError(f"{path} is larger than {MAX_BYTES // 2**20:,} MiB")
    data = path.read_bytes()
    if path.suffix == ".csv" and not data.startswith(b"# %ECSV"):
        return _read_csv(path, data, names)

    from paperclip_cli.archives.astropy_tables import read_ecsv, read_votable

    read = read_votable if path.suffix == ".vot" else read_ecsv
    found = read(path, data, names, units)
    _need_image_column(path, list(found.columns))
    return _lines(found.columns, found.places, names)


def _lines(
    columns: Mapping[str, Sequence[str]], places: Sequence[str], names: Mapping[str, str]
) -> Iterator[Line]:
    for place, cells in zip(places, zip(*columns.values(), strict=True), strict=True):
        yield Line(place, _named(list(columns), cells, names))


def _read_csv(path: Path, data: bytes, names: Mapping[str, str]) -> Iterator[Line]:
    lines = decode(data).replace("\0", " ").split("\n")
    # Before the header may stand comments, and the delimiter as spreadsheets say it: `sep=;`.
    begins = (i for i, line in enumerate(lines) if line.strip() and not _ASIDE.match(line))
    first = next(begins, 0)
    delimiter, columns = _header(lines[first])
    _need_image_column(path, columns)
    rows = csv_rows(lines, delimiter, len(columns), columns.index("image"), first + 1)
    try:
        for row in rows:
            if any(row.cells):
                yield _csv_line(row, columns, names)
    except csv.Error as error:
        message, at = error.args
        raise PaperclipError(
            f"{path}, line {at + 1}: {message}", "the file must hold comma-separated values"
        ) from error


def _csv_line(row: CsvRow, columns: Sequence[str], names: Mapping[str, str]) -> Line:
    place, cells, opened = f"line {row.line + 1}", list(row.cells), ("", "")
    beyond = tuple(one for one in cells[len(columns) :] if one.strip())
    if row.open is not None:
        at = min(row.open, len(columns) - 1)
        opened = columns[at], cells[row.open]
        # A delimiter may be meant to be inside the cell: what is behind it is then of no column.
        cells[at:] = ["", *(cells[at + 1 :] if len(cells) == len(columns) else [])]
        beyond = ()
    return Line(place, _named(columns, cells, names), beyond, opened)


def _header(line: str) -> tuple[str, list[str]]:
    """The delimiter, which is the first one with which there is a column `image`; and the names."""

    def columns(delimiter: str) -> list[str]:
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            return []
        return [_UNIT.sub("", name.strip().lower()) for name in cells]

    found = {delimiter: columns(delimiter) for delimiter in _DELIMITERS}
    return next((item for item in found.items() if "image" in item[1]), (",", found[","]))


def _named(
    columns: Sequence[str], cells: Sequence[str], names: Mapping[str, str]
) -> dict[str, str]:
    """The cells by column. What has two columns takes its own name first, then the first known."""
    row: dict[str, str] = {}
    for is_alias in (False, True):
        for name, cell in zip(columns, cells, strict=False):
            if (name in names) == is_alias:
                wanted = names.get(name, name)
                if is_blank(row.get(wanted, "")):
                    row[wanted] = cell
    return row


def _need_image_column(path: Path, names: list[str]) -> None:
    if "image" not in names:
        raise PaperclipError(
            f"{path} has no column `image`",
            "name the columns in the first line: image, proposal_id, target, ra, dec, ...",
        )
