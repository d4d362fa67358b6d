"""The table of the observations behind an archive's images: `observations.csv` or `.ecsv`.

Its columns are `image` (a path relative to the folder, or a file name together with `proposal_id`),
and the fields of `records.Observation`, or their plainer names in ALIASES. Angles are in degrees
(ICRS), `t_min` is a Modified Julian Date, and `t_exptime` is in seconds; an ECSV file may use other
units. `filters` holds several names divided by `;`, `,` or `|`.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from paperclip_cli.archives.catalogue import decode, one_line
from paperclip_cli.errors import PaperclipError
from paperclip_cli.filter_names import only_filters
from paperclip_cli.records import Observation

ALIASES = {
    "ra": "s_ra",
    "dec": "s_dec",
    "region": "s_region",
    "target_name": "target",
    "instrument_name": "instrument",
    "filter": "filters",
    "exptime": "t_exptime",
    "proposal": "proposal_id",
}
UNITS = {"s_ra": "deg", "s_dec": "deg", "t_min": "d", "t_exptime": "s"}
_RANGES = {"s_ra": (0.0, 360.0), "s_dec": (-90.0, 90.0), "t_exptime": (0.0, math.inf)}
_NAMES = frozenset(field.name for field in dataclasses.fields(Observation))
_TRUTH = dict.fromkeys(("true", "t", "yes", "y", "1"), True)
_TRUTH |= dict.fromkeys(("false", "f", "no", "n", "0"), False)


class Row(NamedTuple):
    """One line of the table; `image` is as written, and may be anything."""

    image: str
    proposal_id: int | None
    observation: Observation


@dataclass(frozen=True)
class ObservationTable:
    """The rows that name an image, and the number of rows with a value that could not be read.

    Such values are left out.
    """

    rows: tuple[Row, ...] = ()
    unreadable: int = 0


def read_observations(folder: Path) -> ObservationTable:
    """Read `observations.csv`, else `observations.ecsv`, else nothing.

    Raises:
        PaperclipError: the file is not a table of observations.
    """
    for name, read in (("observations.csv", _read_csv), ("observations.ecsv", _read_ecsv)):
        if (folder / name).is_file():
            return _table(folder / name, read)
    return ObservationTable()


def _table(path: Path, read: Callable[[Path], Iterator[Mapping[str, str]]]) -> ObservationTable:
    rows, unreadable = [], 0
    for record in read(path):
        values = {ALIASES.get(name, name): one_line(value) for name, value in record.items()}
        if not values.get("image"):
            continue
        kept, bad = _observation(values)
        number = values.get("proposal_id", "")
        proposal_id = int(number) if re.fullmatch(r"[0-9]{1,9}", number) else None
        rows.append(Row(values["image"], proposal_id, kept))
        unreadable += bad
    return ObservationTable(tuple(rows), unreadable)


def _observation(values: Mapping[str, str]) -> tuple[Observation, bool]:
    """The known columns of a row, and whether one of them could not be read."""
    read, bad = {}, False
    for name in _NAMES & values.keys():
        try:
            value = _value(name, values[name])
        except ValueError:
            bad = True
            continue
        if value is not None:
            read[name] = value
    return Observation(**read), bad  # type: ignore[arg-type]


def _value(name: str, text: str) -> object:
    """The value of a cell, or None if it is blank.

    Raises:
        ValueError: the text is not a value of this column.
    """
    if not text or text in ("--", "nan", "NaN", "None"):
        return None
    if name in UNITS:
        number = float(text)
        low, high = _RANGES.get(name, (-math.inf, math.inf))
        if not (math.isfinite(number) and low <= number <= high):
            raise ValueError(text)
        return number
    if name in ("moving", "parallel"):
        if text.lower() not in _TRUTH:
            raise ValueError(text)
        return _TRUTH[text.lower()]
    if name == "filters":
        return only_filters(re.split(r"[;,|]", text))
    return text


def _read_csv(path: Path) -> Iterator[Mapping[str, str]]:
    lines = decode(path.read_bytes()).replace("\r\n", "\n").replace("\0", " ").split("\n")
    reader = csv.reader(line + "\n" for line in lines)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        _need_image_column(path, names)
        for cells in reader:
            yield dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise PaperclipError(
            f"{path}, line {reader.line_num}: {error}", "the file must hold comma-separated values"
        ) from error


def _read_ecsv(path: Path) -> Iterator[Mapping[str, str]]:
    from astropy.table import QTable

    try:
        table = QTable.read(path, format="ascii.ecsv")
        columns = {
            name.lower(): _cells(table[name], ALIASES.get(name.lower(), name.lower()))
            for name in table.colnames
        }
    except Exception as error:
        # astropy raises many kinds on a damaged table and on a unit that does not fit.
        reason = str(error).partition("\n")[0][:200]
        raise PaperclipError(f"{path} cannot be read as ECSV: {reason}") from error

    _need_image_column(path, list(columns))
    for cells in zip(*columns.values(), strict=True):
        yield dict(zip(columns, cells, strict=True))


def _cells(column, name: str) -> list[str]:  # type: ignore[no-untyped-def]
    """A column of an astropy table as text, in the unit that `Observation` uses."""
    from astropy.time import Time
    from astropy.units import Quantity

    if isinstance(column, Time):
        column = column.mjd
    elif isinstance(column, Quantity) and name in UNITS:
        column = column.to_value(UNITS[name])
    cells = column.tolist() if hasattr(column, "tolist") else list(column)
    return [_text(cell) for cell in cells]


def _text(cell: object) -> str:
    if cell is None:
        return ""
    return ";".join(map(str, cell)) if isinstance(cell, list | tuple) else str(cell)


def _need_image_column(path: Path, names: list[str]) -> None:
    if "image" not in names:
        raise PaperclipError(
            f"{path} has no column `image`",
            "name the columns in the first line: image, proposal_id, target, ra, dec, ...",
        )
