"""What the values in headers and tables may be: unknown, or days on which there were telescopes."""

from __future__ import annotations

import math

# Signs for minus that papers, spreadsheets and catalogues have in place of ASCII's.
DASHES = "−–—‒‐‑﹣－"
# How programs and people write that a value is unknown, besides nothing and any run of dashes.
_BLANK = frozenset(
    "nan null none nil n/a na n.a. nat <na> #n/a #null! \\n indef undef undefined masked".split()
)
_JULIAN = (2_300_000, 2_600_000)  # Julian Dates of the years 1585 to 2406
_LAST_MJD = 200_000  # the year 2406
_YEARS = (1800, 2100)  # as Modified Julian Dates, these are days of 1863 and 1864


def is_blank(text: str) -> bool:
    """Whether a text says that its value is unknown: empty, `null`, `N/A`, `nan`, `-`, `--`."""
    plain = text.strip().lower()
    return not plain.strip("-" + DASHES) or plain in _BLANK


def modified_julian_date(value: float) -> float:
    """The value, if it can be the Modified Julian Date of an observation.

    Raises:
        ValueError: it cannot.
    """
    if _JULIAN[0] <= value <= _JULIAN[1]:
        raise ValueError("is a Julian Date, where a Modified Julian Date is due")
    if _YEARS[0] <= value <= _YEARS[1]:
        raise ValueError("is a year, where a Modified Julian Date is due")
    if not 0 < value <= _LAST_MJD:  # before that (1858), such a number stands for "unknown"
        raise ValueError("is not a Modified Julian Date")
    return value


def is_date(value: float) -> bool:
    """Whether `modified_julian_date` takes the value."""
    try:
        return math.isfinite(modified_julian_date(value))
    except ValueError:
        return False
