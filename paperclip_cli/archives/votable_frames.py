"""The frames that a VOTable states for its positions, which are turned into ICRS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from paperclip_cli.archives.cells import declination, right_ascension
from paperclip_cli.archives.columns import heading, pairs_of

if TYPE_CHECKING:
    from astropy.io.votable.tree import TableElement

_Turn = Callable[[float, float], tuple[float, float]]

# The frames of equatorial coordinates: their names in a COOSYS, and the kind of their equinoxes
# with the year that is meant where none is stated.
_SYSTEMS = {
    "icrs": ("icrs", "", 2000.0),
    **dict.fromkeys(("eq_fk5", "fk5"), ("fk5", "J", 2000.0)),
    **dict.fromkeys(("eq_fk4", "fk4"), ("fk4", "B", 1950.0)),
}
_EQUINOX = re.compile(r"([JB]?)\s*(\d{4}(?:\.\d*)?)", re.IGNORECASE)
_YEARS = (1700, 2200)


class System(NamedTuple):
    """The words of a COOSYS."""

    system: str
    equinox: str

    def __str__(self) -> str:
        return f"{self.system} {self.equinox}".strip()


def stated_systems(table: TableElement, tree: Any) -> dict[str, System]:
    """The systems that the fields of a table refer to, by the names of their columns."""
    systems = {
        one.ID: System(str(one.system or "").strip(), str(one.equinox or "").strip())
        for one in tree.iter_coosys()
    }
    return {
        heading(field.name).name: systems[field.ref]
        for field in table.fields
        if field.ref in systems
    }


def turn_to_icrs(columns: dict[str, list[str]], systems: Mapping[str, System]) -> Iterator[str]:
    """Turn the positions of a table into ICRS. What is not a position is refused later.

    The iterator gives what to say of it.

    Raises:
        ValueError: they are in no frame of equatorial coordinates.
    """
    for pair in pairs_of(columns):
        system = systems.get(pair.ra)
        if system is None or pair.frame != "icrs":
            continue  # a name as GLON says its frame itself
        turn, is_odd = _turn_of(system)
        if is_odd:
            yield (
                f"its positions are stated to be in {system}, two that do not go together; they"
                " are taken at these words"
            )
        if turn is not None:
            _turn(columns[pair.ra], columns[pair.dec], turn)


def _turn(ra: list[str], dec: list[str], turn: _Turn) -> None:
    for row, both in enumerate(zip(ra, dec, strict=True)):
        try:
            place = right_ascension(both[0]), declination(both[1])
        except ValueError:
            continue
        ra[row], dec[row] = map(repr, turn(*place))


def _turn_of(system: System) -> tuple[_Turn | None, bool]:
    """What turns positions into ICRS, and whether the equinox is one of another system.

    Raises:
        ValueError: they cannot be placed.
    """
    frame, kind, own = _SYSTEMS.get(system.system.lower(), ("", "", 0.0))
    match = _EQUINOX.fullmatch(system.equinox)
    letter, year = (match[1].upper(), float(match[2])) if match else ("", own)
    is_known = not system.equinox or (match is not None and _YEARS[0] <= year <= _YEARS[1])
    if not frame or not is_known or (frame == "icrs" and (year != own or letter == "B")):
        raise ValueError(f"its positions are in {system}")
    if frame == "icrs" or (frame, letter or kind, year) == ("fk5", "J", 2000.0):
        return None, False  # FK5 is within 0.02 arcsec of ICRS
    rival = 1950.0 if frame == "fk5" else 2000.0
    is_odd = (letter or kind) != kind or year == rival
    return _precessed(frame, letter or kind, year), is_odd


def _precessed(frame: str, kind: str, year: float) -> _Turn:
    from paperclip_cli.sky.frames import to_icrs

    if (frame, kind, year) == ("fk4", "B", 1950.0):
        return lambda ra, dec: to_icrs(frame, ra, dec)
    from astropy.coordinates import FK4, FK5, SkyCoord
    from astropy.time import Time

    equinox = Time(year, format="jyear" if kind == "J" else "byear")
    there = FK4(equinox=equinox) if frame == "fk4" else FK5(equinox=equinox)

    def turn(ra: float, dec: float) -> tuple[float, float]:
        place = SkyCoord(ra, dec, unit="deg", frame=there).icrs
        return float(place.ra.deg), float(place.dec.deg)

    return turn
