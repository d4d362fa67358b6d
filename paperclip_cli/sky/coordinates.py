"""Positions in options, parsed without astropy.

Importing astropy takes 0.2 s, too long for a query that only needs a pair of numbers.
"""

from __future__ import annotations

import re

_DECIMAL = r"([+-]?(?!0[0-9])[0-9]+(?:\.[0-9]*)?)"  # `0106 +013` may be a name
_PLAIN = re.compile(rf"\s*{_DECIMAL}(?:\s*,\s*|\s+){_DECIMAL}\s*")


def parse_position(text: str, frame: str = "icrs") -> tuple[float, float] | None:
    """Parse two coordinates, as right ascension and declination in degrees (ICRS).

    They are in `frame`, unless the text names one (`l 104.9 b 68.6`, `13 27 46 +47 27 B1950`).
    Plain decimals are degrees; a right ascension with `:`, `h` or blanks is in hours. None if
    `text` is not a pair of coordinates, but may be a name.

    Raises:
        UsageError: the numbers are not two coordinates, or not a position on the sky.
    """
    plain = _PLAIN.fullmatch(text) if frame == "icrs" else None
    if plain:
        ra, dec = float(plain[1]), float(plain[2])
        if 0 <= ra <= 360 and -90 <= dec <= 90:
            return ra % 360, dec
    # Only other spellings need the other patterns, which take 5 ms to compile.
    from paperclip_cli.sky.written import read_position

    return read_position(text, frame)
