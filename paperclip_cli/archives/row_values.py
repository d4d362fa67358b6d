"""The values of one row of a table of observations: those that can be used, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from paperclip_cli.archives.cells import (
    cell,
    date,
    declination,
    longitude_in,
    position,
    proposal_number,
)
from paperclip_cli.archives.columns import DATES, NAMES, POSITIONS, Pair, meaning
from paperclip_cli.records import Observation
from paperclip_cli.sky.frames import to_icrs
from paperclip_cli.values import is_blank

UNREADABLE = "rows of the observation table with an unreadable value"
HALF = "rows of the observation table with half of a position"
_COORDINATES = {"s_ra", "s_dec"}


class Wrong(NamedTuple):
    """A value that could not be used."""

    kind: str
    column: str
    value: str
    reason: str


class RowValues:
    """Reads the cells of a row by column, and keeps what is `wrong` with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.wrong: list[Wrong] = []

    def proposal(self) -> tuple[int | None, str]:
        """The number of the proposal, and the mission that is named with it."""
        found = self._read("proposal_id", proposal_number)
        return (None, "") if found is None else (found.number, found.mission)

    def observation(self, pairs: Iterable[Pair]) -> Observation:
        """The known columns. `pairs` are the table's columns of coordinates."""
        known = {
            name: self._read(name, partial(cell, name))
            for name in sorted(NAMES & self._values.keys() - _COORDINATES)
        }
        for name in DATES:
            if known.get("t_min") is None:
                known["t_min"] = self._read(name, date)
        if (place := self._place(pairs)) is not None:
            known["s_ra"], known["s_dec"] = place
        return Observation(**{name: one for name, one in known.items() if one is not None})

    def has_half(self, names: Iterable[str]) -> bool:
        """Whether one of these columns, of which none is the other's, has a coordinate."""
        found = [self._read(name, partial(cell, meaning(name))) for name in names]
        return any(one is not None for one in found)

    def _place(self, pairs: Iterable[Pair]) -> tuple[float, float] | None:
        """The position in ICRS, by the first pair, or column of both, that is whole."""
        for pair in pairs:
            ra = self._read(pair.ra, partial(longitude_in, pair.frame))
            dec = self._read(pair.dec, declination)
            if ra is not None and dec is not None:
                return to_icrs(pair.frame, ra, dec)
            self._leave_half(ra, pair.ra, pair.dec)
            self._leave_half(dec, pair.dec, pair.ra)
        places = (self._read(name, position, "position") for name in POSITIONS)
        found = next((place for place in places if place is not None), None)
        return None if found is None else (found["s_ra"], found["s_dec"])

    def _leave_half(self, value: float | None, name: str, other: str) -> None:
        if value is not None and is_blank(self._text(other)):
            reason = f"is half of a position: {_field(other)} is blank"
            self.wrong.append(Wrong(HALF, _field(name), self._text(name), reason))

    def _read(self, name: str, reader: Callable[[str], Any], shown: str = "") -> Any:
        """The value of a cell; None if it is blank, or not what `reader` takes."""
        text = self._text(name)
        try:
            return None if is_blank(text) else reader(text)
        except ValueError as error:
            self.wrong.append(Wrong(UNREADABLE, shown or _field(name), text, str(error)))
            return None

    def _text(self, name: str) -> str:
        return self._values.get(name, "")


def _field(name: str) -> str:
    """A column as it is named to the user: `ra` and `dec` by their fields, as other aliases are."""
    return meaning(name) if name in ("ra", "dec") else name
