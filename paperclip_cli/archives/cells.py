"""Values of cells in the tables of archives and users: what is unknown, and what makes sense.

A value that makes no sense is never guessed at. It is unknown, and named.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import NamedTuple

from paperclip_cli.config.quantities import NUMBER
from paperclip_cli.config.quantities import modified_julian_date as modified_julian_date_of
from paperclip_cli.errors import UsageError
from paperclip_cli.filter_names import only_filters
from paperclip_cli.sky.coordinates import parse_position
from paperclip_cli.sky.frames import HOURS
from paperclip_cli.sky.region import latitude, longitude, parse_region
from paperclip_cli.sky.written import parse_coordinate, plain_signs
from paperclip_cli.values import is_blank, modified_julian_date

_NUMBER = re.compile(rf"[+-]?{NUMBER}(?:[ed][+-]?\d+)?", re.IGNORECASE | re.ASCII)
_PROPOSAL = re.compile(r"(?:([a-z][\w-]*)\s*:\s*)?(\S+)", re.IGNORECASE)
_TRUTH = dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True)
_TRUTH |= dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False)


class ProposalNumber(NamedTuple):
    """The number of a proposal, and the mission that is written before it, in lower case."""

    number: int
    mission: str = ""


def proposal_number(text: str) -> ProposalNumber:
    """The number in `15354`, `15354.0`, `00101` or `hst:15354`.

    Raises:
        ValueError: there is none.
    """
    match = _PROPOSAL.fullmatch(text.strip())
    try:
        value = number(match[2] if match else "")
    except ValueError:
        value = math.nan
    if match is None or not (0 <= value < 1e9 and value.is_integer()):
        raise ValueError("is not the number of a proposal")
    return ProposalNumber(int(value), (match[1] or "").lower())


def number(text: str) -> float:
    """A number, whichever sign it has for minus.

    Raises:
        ValueError: the text is not a finite number.
    """
    plain = plain_signs(text).strip().lower()
    value = float(plain.replace("d", "e")) if _NUMBER.fullmatch(plain) else math.inf
    if not math.isfinite(value):
        raise ValueError("is not a number")
    return value


def right_ascension(text: str) -> float:
    """A right ascension in degrees [0, 360), from degrees (`-157.5`) or hours (`13:29:52.7`)."""
    return _coordinate(text, is_ra=True)


def declination(text: str) -> float:
    """A declination in degrees, from `47.19` or `+47:11:43`."""
    return _coordinate(text, is_ra=False)


def longitude_in(frame: str, text: str) -> float:
    """The first coordinate of a frame (of `sky.frames`) in degrees [0, 360)."""
    if frame in HOURS:
        return right_ascension(text)
    try:
        return longitude(parse_coordinate(text, is_ra=False))
    except ValueError as error:
        raise ValueError("is not a longitude") from error


def date(text: str) -> float:
    """The Modified Julian Date of `2015-03-20`, `2015-03-20T12:00:00Z` (UTC) or of a number.

    Raises:
        ValueError: it is none, or not of an observation.
    """
    try:
        found = modified_julian_date_of(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        found = number(text) if _NUMBER.fullmatch(text) else math.nan
    if math.isnan(found):
        raise ValueError("is not a date")
    return modified_julian_date(found)


def position(text: str) -> dict[str, float]:
    """`s_ra` and `s_dec` of both coordinates in one cell: `202.47 47.19`, `13h29m52s +47d11m43s`.

    Raises:
        ValueError: the text is not a position.
    """
    try:
        found = parse_position(text)
    except UsageError:
        found = None
    if found is None:
        raise ValueError("is not a position")
    return {"s_ra": found[0], "s_dec": found[1]}


def exposure(value: float) -> float:
    """The value, if it can be an exposure time.

    Raises:
        ValueError: it is negative.
    """
    if value < 0:
        raise ValueError("is not an exposure time")
    return value


def cell(column: str, text: str) -> object:
    """The value of a cell of a field of `Observation`; None if it is unknown.

    Raises:
        ValueError: with the reason, if the text is no value of this field.
    """
    if is_blank(text):
        return None
    if column == "s_ra":
        return right_ascension(text)
    if column == "s_dec":
        return declination(text)
    if column == "t_min":
        return modified_julian_date(number(text))
    if column == "t_exptime":
        return exposure(number(text))
    if column in ("moving", "parallel"):
        if text.lower() not in _TRUTH:
            raise ValueError("is neither true nor false")
        return _TRUTH[text.lower()]
    if column == "filters":
        return only_filters(name for name in re.split(r"[;,|]", text) if not is_blank(name))
    if column == "s_region" and not parse_region(text):
        raise ValueError("is not a footprint that can be read")
    if column == "cycle":
        return re.sub(r"(?<=\d)\.0+$", "", text)  # a column of numbers with a gap
    return text


def _coordinate(text: str, is_ra: bool) -> float:
    name = "right ascension" if is_ra else "declination"
    try:
        value = parse_coordinate(text, is_ra)
        return longitude(value) if is_ra else latitude(value)
    except ValueError as error:
        raise ValueError(f"is not a {name}") from error
