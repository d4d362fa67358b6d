"""Positions as people write them, parsed without astropy.

Importing astropy takes 0.2 s, too long for a query that only needs a pair of numbers.
"""

from __future__ import annotations

import re

from paperclip_cli.config.quantities import NUMBER
from paperclip_cli.errors import UsageError

# One coordinate: a decimal, or parts divided by colons, by letters (h or d, m, s) or by the signs
# for degrees, minutes and seconds.
_COORDINATE = re.compile(
    rf"""(?P<sign>[+\-−]?)\s*(?P<first>{NUMBER})\s*(?P<mark>[hd°:]?)
                              (?:\s*(?P<second>{NUMBER})\s*[m'′:]?(?:\s*(?P<third>{NUMBER})\s*(?:s|"|″|''|′′)?)?)?""",
    re.VERBOSE,
)
_BETWEEN = re.compile(r"\s*,\s*|\s+|(?=[+\-−])")
_HINT = 'write "202.47 47.195" (degrees) or "13:29:52 +47:11:43" (hours, degrees)'


def parse_position(text: str) -> tuple[float, float] | None:
    """Parse right ascension and declination, in degrees (ICRS).

    Plain decimals are degrees; a right ascension with `:` or `h` is in hours. None if `text` is not
    a pair of coordinates, but may be a name.

    Raises:
        UsageError: the numbers are not two coordinates, or not a position on the sky.
    """
    for cut in _BETWEEN.finditer(text.strip()):
        first, second = (
            _COORDINATE.fullmatch(half.strip().lower())
            for half in (cut.string[: cut.start()], cut.string[cut.end() :])
        )
        if first is not None and second is not None and _is_marked(first) and _is_marked(second):
            ra, dec = _value(first, hours=True), _value(second, hours=False)
            if ra is None or dec is None or not 0 <= ra <= 360 or not -90 <= dec <= 90:
                raise UsageError(f"{text!r} is not a place on the sky", _HINT)
            return ra % 360, dec

    if re.fullmatch(r"[\d\s.,:+\-−]*", text):
        raise UsageError(f"{text!r} is not a place on the sky", _HINT)
    return None


def _is_marked(match: re.Match[str]) -> bool:
    """Whether the unit of the parts is clear: `13 29 52` alone could be hours or degrees."""
    return match["second"] is None or bool(match["mark"])


def _value(match: re.Match[str], hours: bool) -> float | None:
    """The value in degrees, or None if the parts make no sense.

    Examples are 61 minutes, 1.5 hours and 3 minutes, and a declination in hours.
    """
    parts = [part for part in match.group("first", "second", "third") if part is not None]
    numbers = [float(part) for part in parts] + [0.0, 0.0]
    has_inner_fraction = any("." in part for part in parts[:-1])
    if has_inner_fraction or max(numbers[1:3]) >= 60 or (match["mark"] == "h" and not hours):
        return None

    value = numbers[0] + numbers[1] / 60 + numbers[2] / 3600
    in_hours = hours and match["mark"] in ("h", ":")
    return value * (15 if in_hours else 1) * (-1 if match["sign"] in ("-", "−") else 1)
