"""How tables of observations name their columns, and the units that numbers in them may have.

The names are those of ObsCore, of people, and of VizieR, the CDS, TOPCAT, MAST and FITS.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import NamedTuple

from paperclip_cli.records import Observation
from paperclip_cli.wording import counted, noun

NAMES = frozenset(field.name for field in dataclasses.fields(Observation))
# Columns that hold both coordinates, as a text or (in ECSV) as astropy's SkyCoord.
POSITIONS = ("coord", "coords", "coordinates", "position", "skycoord", "radec", "ra_dec")
# Columns of dates as text, which count where there is no `t_min`.
DATES = ("date_obs", "date-obs", "dateobs", "obs_date", "date_beg", "date-beg")


class Pair(NamedTuple):
    """Two columns that are a position together, and its frame, of `sky.frames`."""

    ra: str
    dec: str
    frame: str = "icrs"


_POINTED = ("targ", "target", "obj", "object")
# The first pair of which a row has both counts. J2000 is within 0.02 arcsec of ICRS.
PAIRS = (
    Pair("s_ra", "s_dec"),
    *(Pair("ra", dec) for dec in ("dec", "de", "decl")),
    *(Pair(f"{mark}ra_icrs", f"{mark}{dec}_icrs") for mark in ("", "_") for dec in ("de", "dec")),
    *(Pair(f"{mark}raj2000", f"{mark}{dec}j2000") for mark in ("", "_") for dec in ("de", "dec")),
    *(Pair("ra_j2000", f"{dec}_j2000") for dec in ("dec", "de")),
    Pair("_ra", "_de"),
    *(Pair("radeg", dec) for dec in ("dedeg", "decdeg")),
    *(Pair(f"{of}_ra", f"{of}_dec") for of in (*_POINTED, "sci")),
    *(Pair(f"ra_{of}", f"dec_{of}") for of in (*_POINTED, "pnt")),
    *(Pair(f"{of}ra", f"{of}dec") for of in _POINTED),
    Pair("ramean", "decmean"),
    Pair("alpha_j2000", "delta_j2000"),
    *(Pair(f"right{gap}ascension", "declination") for gap in ("_", " ", "")),
    *(Pair(f"{name}.ra", f"{name}.dec") for name in POSITIONS),
    *(
        Pair(f"{mark}rab1950", f"{mark}{dec}b1950", "fk4")
        for mark in ("", "_")
        for dec in ("de", "dec")
    ),
    *(Pair(f"{mark}glon", f"{mark}glat", "galactic") for mark in ("", "_")),
)
ALIASES = {
    "region": "s_region",
    "target_name": "target",
    "instrument_name": "instrument",
    "filter": "filters",
    "exptime": "t_exptime",
    "proposal": "proposal_id",
    **dict.fromkeys(
        ("mjd", "mjd_obs", "mjd-obs", "mjdobs", "obs_mjd", "mjd_start", "mjd_beg", "mjd-beg"),
        "t_min",
    ),
    "expstart": "t_min",
}
UNITS = {"s_ra": "deg", "s_dec": "deg", "t_min": "d", "t_exptime": "s"}
_COORDINATES = {pair.ra: "s_ra" for pair in PAIRS} | {pair.dec: "s_dec" for pair in PAIRS}
_ANGLE = {
    **dict.fromkeys(("deg", "degs", "d", "degree", "degrees", "°", "dms", "d:m:s"), 1.0),
    **dict.fromkeys(("rad", "radian", "radians"), 57.29577951308232),
    "arcmin": 1 / 60,
    "arcsec": 1 / 3600,
    "mas": 1 / 3_600_000,
}
HOUR = 15.0  # degrees
_HOURS = ("h", "hr", "hrs", "hour", "hours", "hourangle")
_DAYS = ("d", "day", "days")
_SCALES = {
    # A number without parts is in hours too, where the column is said to have hours first.
    "s_ra": _ANGLE | dict.fromkeys((*_HOURS, "hms", "h:m:s", "hh:mm:ss"), HOUR),
    "s_dec": _ANGLE,
    "t_min": dict.fromkeys((*_DAYS, "mjd"), 1.0),
    "t_exptime": {
        **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
        "ms": 1e-3,
        **dict.fromkeys(("min", "minute", "minutes"), 60.0),
        **dict.fromkeys(_HOURS[:-1], 3600.0),
        **dict.fromkeys(_DAYS, 86_400.0),
    },
}
_BRACKETED = re.compile(r"(.+?)\s*[\[(]\s*([^\[\]()]*?)\s*[\])]")
_SUFFIXED = re.compile(r"(.+)[_.-]([a-z]+)")
_EPOCHS = ("2000", "2000.0", "j2000", "j2000.0", "icrs")
_MOST_NAMED = 12

_LIKE_POSITION = re.compile(
    r"(?:^|.*[^a-z])(?:mean|ref|cat|src|source|pos|cen|ctr|center|centre)?"
    r"(?:ra|dec|decl|de|lon|lat|glon|glat|elon|elat)(?:[^a-z].*|$)"
    r"|_?(?:ra|de|dec)\d.*"
    r"|.*(?:coord|position|ascension|declin|j2000|b1950|icrs).*|(?:ra|dec)(?:deg|rad|hours?)",
    re.DOTALL,
)
_LIKE_DATE = re.compile(
    r".*mjd.*|(?:^|.*[^a-z])(?:date|jd|hjd|bjd|epoch|tstart|time)(?:[^a-z].*|$)|.*start_?time.*",
    re.DOTALL,
)


class Heading(NamedTuple):
    """A column's name without its unit, and what its numbers are multiplied by."""

    name: str
    scale: float = 1.0


def is_coordinate(name: str) -> bool:
    """Whether a column is one of the two of a position."""
    return name in _COORDINATES


def meaning(name: str) -> str:
    """The field that a column is of, or its own name; all right ascensions are `s_ra`."""
    return _COORDINATES.get(name) or ALIASES.get(name, name)


def heading(written: str) -> Heading:
    """What a column's name says: `RA [h]`, `Dec (deg)`, `ra_deg`, `exptime (min)`.

    A unit that does not fit stays with the name, which is then that of no column.
    """
    name = written.strip().lower()
    if meaning(name) in _SCALES:
        return Heading(name)
    for pattern in (_BRACKETED, _SUFFIXED):
        match = pattern.fullmatch(name)
        scales = _SCALES.get(meaning(match[1])) if match else None
        if match and scales and match[2] in scales:
            return Heading(match[1], scales[match[2]])
        if match and scales in (_SCALES["s_ra"], _SCALES["s_dec"]) and match[2] in _EPOCHS:
            return Heading(match[1])
    return Heading(name)


def pairs_of(columns: Iterable[str]) -> tuple[Pair, ...]:
    """The pairs among some columns, the one that counts first at the front."""
    there = dict.fromkeys(columns)
    found = tuple(pair for pair in PAIRS if pair.ra in there and pair.dec in there)
    if found:
        return found
    ras = {name: pair.frame for name in there for pair in PAIRS if name == pair.ra}
    decs = {name: pair.frame for name in there for pair in PAIRS if name == pair.dec}
    if len(ras) == len(decs) == 1 and list(ras.values()) == list(decs.values()):
        return (Pair(*ras, *decs, *ras.values()),)
    return ()


def halves_of(columns: Iterable[str]) -> list[str]:
    """The columns that are one coordinate, where none has the other: they place nothing."""
    there = list(columns)
    return [] if pairs_of(there) else [name for name in there if name in _COORDINATES]


def passed_over(columns: Iterable[str]) -> list[str]:
    """What to say of the columns that are not used."""
    there = list(columns)
    known = NAMES | _COORDINATES.keys() | ALIASES.keys() | {*POSITIONS, *DATES}
    others = [name for name in there if name and name not in known | {"image", "proposal_id"}]
    has_place = pairs_of(there) or {*POSITIONS, "s_region"} & {meaning(one) for one in there}
    has_date = {"t_min", *DATES} & {meaning(one) for one in there}
    places = [name for name in others if not has_place and _LIKE_POSITION.fullmatch(name)]
    dates = [name for name in others if not has_date and _LIKE_DATE.fullmatch(name)]
    rest = [name for name in others if name not in {*places, *dates}]
    said = []
    if places:
        advice = "name the columns ra and dec (degrees, ICRS)"
        said.append(f"no position is read from {_listed(places)}; {advice}")
    if dates:
        said.append(
            f"no date is read from {_listed(dates)}; name the column t_min (MJD) or date_obs"
        )
    return [*said, *([f"not used: {_listed(rest)}"] if rest else [])]


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{noun(len(names), 'columns')} {shown}" + (
        f" and {counted(more, 'more columns')}" if more > 0 else ""
    )
