"""Angles and dates as people write them in options."""

from __future__ import annotations

import datetime
import re

from paperclip_cli.errors import UsageError

NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"  # without a sign
_UNITS = {
    "deg": 1.0,
    "degree": 1.0,
    "degrees": 1.0,
    "d": 1.0,
    "°": 1.0,
    "arcmin": 1 / 60,
    "arcminute": 1 / 60,
    "arcminutes": 1 / 60,
    "'": 1 / 60,
    "′": 1 / 60,
    "arcsec": 1 / 3600,
    "arcsecond": 1 / 3600,
    "arcseconds": 1 / 3600,
    '"': 1 / 3600,
    "″": 1 / 3600,
}
_MJD_EPOCH = datetime.date(1858, 11, 17)


def parse_angle(text: str, option: str) -> float:
    """An angle with its unit (`2arcmin`, `30"`, `0.5 deg`), in degrees.

    Raises:
        UsageError: the text has no unit, or the angle is outside (0, 180].
    """
    match = re.fullmatch(rf"({NUMBER})\s*(\S*)", text.strip())
    scale = _UNITS.get(match[2].lower()) if match else None
    if match is None or scale is None:
        raise no_angle(text, option)
    return angle_in_range(float(match[1]) * scale, text, option)


def angle_in_range(degrees: float, given: str, option: str) -> float:
    """`degrees`, if they are in (0, 180]."""
    if not 0 < degrees <= 180:
        raise UsageError(
            f"{option} {given!r} is not between 0 and 180 degrees",
            f"write for example {option} 2arcmin",
        )
    return degrees


def no_angle(given: object, option: str) -> UsageError:
    """The error for what has no unit: a bare number could be arcminutes or degrees."""
    return UsageError(
        f"{option} {given!r} is not an angle with a unit",
        f"write for example {option} 2arcmin (or arcsec, deg)",
    )


def parse_date(text: str, option: str) -> float:
    """The Modified Julian Date (UTC) at which a day starts: `2015-03-20` -> 57101.0."""
    try:
        return modified_julian_date(datetime.date.fromisoformat(text.strip()))
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is not a date", f"write for example {option} 2015-03-20"
        ) from error


def day_of(date: float) -> str:
    """The day of a Modified Julian Date: 57101.5 -> `2015-03-20`. After 9999 the number."""
    try:
        return (_MJD_EPOCH + datetime.timedelta(days=date // 1)).isoformat()
    except OverflowError:
        return f"MJD {date:.10g}"


def modified_julian_date(when: datetime.date) -> float:
    """The Modified Julian Date (UTC) of a day's start, or of a time (UTC if it has no zone)."""
    if not isinstance(when, datetime.datetime):
        return float((when - _MJD_EPOCH).days)
    if when.tzinfo is not None:
        when = when.astimezone(datetime.UTC).replace(tzinfo=None)
    start = datetime.datetime.combine(_MJD_EPOCH, datetime.time())
    return (when - start) / datetime.timedelta(days=1)
