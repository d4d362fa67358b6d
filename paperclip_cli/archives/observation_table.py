"""The table of the observations behind an archive's images: `observations.csv`, `.ecsv` or `.vot`.

Its columns are `image` (a path relative to the folder, or a file name together with `proposal_id`),
and the fields of `records.Observation`, or their other names in `columns`. Angles are in degrees
(ICRS); a right ascension in parts (`13:29:52.7`) is in hours, and one column may hold both
coordinates. `t_min` is a Modified Julian Date, and `t_exptime` is in seconds. A column may say that
it is in other units, and be one of times or of coordinates in ECSV. `filters` holds several names
divided by `;`, `,` or `|`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from paperclip_cli.archives.catalogue import one_line
from paperclip_cli.archives.columns import halves_of, pairs_of, passed_over
from paperclip_cli.archives.row_values import UNREADABLE, RowValues, Wrong
from paperclip_cli.archives.tables import Line, read_table
from paperclip_cli.records import Observation
from paperclip_cli.values import is_blank
from paperclip_cli.wording import counted

FILES = tuple(f"observations.{suffix}" for suffix in ("csv", "ecsv", "vot"))
WITHOUT_IMAGE = "rows of the observation table without an image"
REPEATED = "rows of the observation table that repeat an image"
TOO_LONG = "rows of the observation table with more cells than columns"
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


@dataclass(frozen=True, kw_only=True)
class ObservationTable:
    """The rows that name an image, what is odd about the others, and the missions that are named.

    `file` is the name of the file, and `notes` are about it as a whole. A value that could not be
    read is left out of its row.
    """

    rows: tuple[Row, ...] = field(default=(), kw_only=False)
    oddities: tuple[Oddity, ...] = field(default=(), kw_only=False)
    missions: frozenset[str] = frozenset()
    file: str = FILES[0]
    notes: tuple[str, ...] = ()

    def oddity(self, kind: str, row: Row, column: str, value: object, reason: str) -> Oddity:
        """Something that is odd about a row of this table."""
        return _odd(self.file, row.place, kind, column, value, reason)


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
    content = read_table(path)
    pairs, halves = pairs_of(content.columns), halves_of(content.columns)
    alone = 0
    for line in content.lines:
        values = {name: one_line(text) for name, text in line.cells.items()}
        if (wrong := _unused(line, values)) is not None:
            oddities += [_odd(path.name, line.place, *one) for one in wrong]
            continue
        oddities += [_odd(path.name, line.place, *one) for one in _opened(line)]
        found = RowValues(values)
        number, mission = found.proposal()
        rows.append(Row(values["image"], number, found.observation(pairs), line.place))
        missions.add(mission)
        alone += found.has_half(halves)
        oddities += [_odd(path.name, line.place, *one) for one in found.wrong]

    notes = [*content.notes, *passed_over(content.columns)]
    if alone:
        rows_of = counted(alone, "rows have")
        notes.append(f"{rows_of} half of a position: no column is the other half of {halves[0]}")
    return ObservationTable(
        tuple(rows),
        tuple(oddities),
        missions=frozenset(missions - {""}),
        file=path.name,
        notes=tuple(f"{path.name}: {note}" for note in notes),
    )


def _unused(line: Line, values: Mapping[str, str]) -> list[Wrong] | None:
    """Why a row is left out, which may be nothing; None if it is used."""
    opened = _opened(line)
    if not any(values.values()):
        return opened
    if line.beyond:
        # A comma inside a cell that is not quoted moves all values behind it.
        reason = "is beyond the last column; cells with a comma need quotes"
        return [Wrong(TOO_LONG, "value", line.beyond[0], reason)]
    if is_blank(values.get("image", "")):
        return opened or [Wrong(WITHOUT_IMAGE, "image", values.get("image", ""), "names no image")]
    return None


def _opened(line: Line) -> list[Wrong]:
    name, text = line.opened
    reason = "opens a quote that is not closed"
    return [Wrong(UNREADABLE, name, one_line(text), reason)] if name else []


def _odd(file: str, place: str, kind: str, column: str, value: object, reason: str) -> Oddity:
    shown = str(value)
    shown = shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + "..."
    return Oddity(kind, f"{file}, {place}: {column} {shown!r} {reason}")
