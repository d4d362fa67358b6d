"""The table of the observations behind an archive's images: `observations.csv`, `.ecsv` or `.vot`.

Its columns are `image` (a path relative to the folder, or a file name together with `proposal_id`),
and the fields of `records.Observation`, or their plainer names in ALIASES. Angles are in degrees
(ICRS); a right ascension in parts (`13:29:52.7`) is in hours, and one column may hold both
coordinates. `t_min` is a Modified Julian Date,
and `t_exptime` is in seconds; ECSV and VOTable may use other units, and ECSV a column of times or
of coordinates. `filters` holds several names divided by `;`, `,` or `|`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from paperclip_cli.archives.catalogue import one_line
from paperclip_cli.archives.cells import cell, position, proposal_number
from paperclip_cli.archives.tables import Line, read_table
from paperclip_cli.records import Observation
from paperclip_cli.values import is_blank

# Columns that hold both coordinates, as a text or (in ECSV) as astropy's SkyCoord.
_POSITIONS = ("coord", "coords", "coordinates", "position", "skycoord")
ALIASES = {
    "ra": "s_ra",
    "dec": "s_dec",
    "region": "s_region",
    "target_name": "target",
    "instrument_name": "instrument",
    "filter": "filters",
    "exptime": "t_exptime",
    "proposal": "proposal_id",
    **{f"{name}.ra": "s_ra" for name in _POSITIONS},
    **{f"{name}.dec": "s_dec" for name in _POSITIONS},
}
UNITS = {"s_ra": "deg", "s_dec": "deg", "t_min": "d", "t_exptime": "s"}
FILES = tuple(f"observations.{suffix}" for suffix in ("csv", "ecsv", "vot"))
UNREADABLE = "rows of the observation table with an unreadable value"
WITHOUT_IMAGE = "rows of the observation table without an image"
REPEATED = "rows of the observation table that repeat an image"
TOO_LONG = "rows of the observation table with more cells than columns"
_NAMES = frozenset(field.name for field in dataclasses.fields(Observation))
_MOST_SHOWN = 60  # characters of a value


class Row(NamedTuple):
    """A row of the table that may be used; `image` is as written, and may be anything."""

    image: str
    proposal_id: int | None
    observation: Observation
    place: str = ""


class Oddity(NamedTuple):
    """A row that is left out, or loses a value: its kind, which is counted, and what is wrong."""

    kind: str
    text: str


@dataclass(frozen=True)
class ObservationTable:
    """The rows that name an image, what is odd about the others, and the missions that are named.

    `file` is the name of the file. A value that could not be read is left out of its row.
    """

    rows: tuple[Row, ...] = ()
    oddities: tuple[Oddity, ...] = ()
    missions: frozenset[str] = frozenset()
    file: str = FILES[0]

    def oddity(self, kind: str, row: Row, column: str, value: object, reason: str) -> Oddity:
        """Something that is odd about a row of this table."""
        return _odd(self.file, kind, row.place, column, value, reason)


def read_observations(folder: Path) -> ObservationTable:
    """Read the first of FILES that there is, else nothing.

    Raises:
        PaperclipError: the file is not a table of observations.
    """
    found = next((folder / name for name in FILES if (folder / name).is_file()), None)
    return ObservationTable() if found is None else _table(found)


def _table(path: Path) -> ObservationTable:
    rows: list[Row] = []
    oddities: list[Oddity] = []
    missions: set[str] = set()
    for line in read_table(path, ALIASES, UNITS):
        values = {name: one_line(text) for name, text in line.cells.items()}
        name, text = line.opened
        if name:
            reason = "opens a quote that is not closed"
            oddities.append(_odd(path.name, UNREADABLE, line.place, name, one_line(text), reason))
        elif not any(values.values()):
            continue
        if name and is_blank(values["image"]):
            continue  # which is the cell itself, or is behind it
        if line.beyond:
            # A comma inside a cell that is not quoted moves all values behind it.
            reason = "is beyond the last column; cells with a comma need quotes"
            oddities.append(_odd(path.name, TOO_LONG, line.place, "value", line.beyond[0], reason))
        elif is_blank(values["image"]):
            reason = "names no image"
            oddities.append(
                _odd(path.name, WITHOUT_IMAGE, line.place, "image", values["image"], reason)
            )
        else:
            row, mission, wrong = _row(line, values)
            rows.append(row)
            missions.add(mission)
            oddities += [_odd(path.name, UNREADABLE, line.place, *one) for one in wrong]
    return ObservationTable(
        tuple(rows), tuple(oddities), frozenset(missions - {""}), file=path.name
    )


def _row(line: Line, values: Mapping[str, str]) -> tuple[Row, str, list[tuple[str, str, str]]]:
    """A row, the mission it names, and each column and value that could not be read, with why."""
    number, mission, wrong = None, "", []
    written = values.get("proposal_id", "")
    if not is_blank(written):
        try:
            number, mission = proposal_number(written)
        except ValueError as error:
            wrong.append(("proposal_id", written, str(error)))
    observation, unread = _observation(values)
    return Row(values["image"], number, observation, line.place), mission, [*wrong, *unread]


def _observation(values: Mapping[str, str]) -> tuple[Observation, list[tuple[str, str, str]]]:
    """The known columns of a row, and those that could not be read: name, value, reason."""
    read, wrong = {}, []
    for name in sorted(_NAMES & values.keys()):
        try:
            value = cell(name, values[name])
        except ValueError as error:
            wrong.append((name, values[name], str(error)))
            continue
        if value is not None:
            read[name] = value
    if not {"s_ra", "s_dec"} & values.keys():
        both = next((values[name] for name in _POSITIONS if not is_blank(values.get(name, ""))), "")
        try:
            read |= position(both) if both else {}
        except ValueError as error:
            wrong.append(("position", both, str(error)))
    # Half of a position that is wrong may be a number that stands for "unknown": -99, -99.
    if {"s_ra", "s_dec"} & {name for name, *_ in wrong}:
        read.pop("s_ra", None), read.pop("s_dec", None)
    return Observation(**read), wrong  # type: ignore[arg-type]


def _odd(file: str, kind: str, place: str, column: str, value: object, reason: str) -> Oddity:
    shown = str(value)
    shown = shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + "..."
    return Oddity(kind, f"{file}, {place}: {column} {shown!r} {reason}")
