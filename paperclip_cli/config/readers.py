"""Readers of options that people write in several ways.

Each takes what a shell gives (texts) and what a Python program would naturally give: lists,
numbers, dates, and astropy's quantities, times and coordinates. Those are recognised by what they
can do, because importing astropy takes 0.2 s.
"""

from __future__ import annotations

import datetime
import math
import os
import re
from pathlib import Path
from typing import Any

from paperclip_cli.config.checks import is_in_engine
from paperclip_cli.config.given import listed, real, text, whole
from paperclip_cli.config.quantities import (
    angle_in_range,
    modified_julian_date,
    no_angle,
    parse_angle,
    parse_date,
)
from paperclip_cli.errors import UsageError

_MOST_OF_A_RANGE = 100_000


def values(given: object, option: str = "") -> tuple[str, ...]:
    """The values of a repeated or comma-separated option: `["a,b", "c"]` -> `("a", "b", "c")`.

    A path object is one value, whatever its name holds.
    """
    found: list[str] = []
    for item in listed(given):
        whole_text = text(item, option)
        found += [whole_text] if isinstance(item, os.PathLike) else whole_text.split(",")
    return tuple(filter(None, map(str.strip, found)))


def index_names(given: object, option: str = "") -> tuple[str, ...]:
    """The names of indexes, repeated or separated by commas. An address keeps its commas."""
    items = [text(item, option) for item in listed(given)]
    names = [[item] if is_in_engine(item) else values(item, option) for item in items]
    found = tuple(name for some in names for name in some)
    if not found:
        raise UsageError(f"{option} is empty", "name an index, or leave out the option")
    return found


def numbers(given: object, option: str) -> tuple[int, ...]:
    """Whole numbers and ranges: `25`, `[25, 26]` or `"25-26,28"` -> `(25, 26, 28)`."""
    return tuple(number for part in _parts(given, option) for number in _range(part, option))


def cycles(given: object, option: str) -> tuple[str, ...]:
    """Cycles, which are numbers but kept as the catalogue's texts."""
    return tuple(map(str, numbers(given, option)))


def proposals(given: object, option: str) -> tuple[int, ...]:
    """The numbers of `15354`, `"hst:15354,12577"` or `["hst:15354", 12577]`."""
    return numbers([part.rpartition(":")[2] for part in _parts(given, option)], option)


def mission(given: object, proposal: object, option: str) -> str | None:
    """The mission of `--mission`, or the one that `--proposal` names, if any."""
    named = _mission_named(proposal)
    mission = None if given is None else text(given, option)
    if named and mission not in (None, named):
        raise UsageError(
            f"--proposal names mission {named}, --mission {mission}", "fetch one mission at a time"
        )
    return mission or named


def missions(given: object, proposal: object, option: str) -> tuple[str, ...]:
    """The missions of `--mission`, or the one that `--proposal` names."""
    named = _mission_named(proposal)
    listed_ones = () if given is None else values(given, option)
    if named and listed_ones and listed_ones != (named,):
        raise UsageError(
            f"--proposal names {named} and --mission {', '.join(listed_ones)}", "give one mission"
        )
    return (named,) if named else listed_ones


def angle(given: Any, option: str) -> float:
    """An angle in degrees, from a text with a unit, or from astropy's Angle or Quantity."""
    if isinstance(given, str):
        return parse_angle(given, option)
    if not hasattr(given, "to_value"):
        raise no_angle(given, option)
    try:
        degrees = float(given.to_value("deg"))
    except (ValueError, TypeError) as error:  # another unit, or several angles
        raise no_angle(str(given), option) from error
    return angle_in_range(degrees, str(given), option)


def date(given: Any, option: str) -> float:
    """A Modified Julian Date (UTC).

    It comes from a text (`2015-03-20`), a date, a time (UTC, if it names no zone), astropy's Time,
    or a number, which is one already.
    """
    if isinstance(given, str):
        return parse_date(given, option)
    if isinstance(given, datetime.date):
        return modified_julian_date(given)
    if hasattr(given, "mjd"):
        given = getattr(given, "utc", given).mjd
        if getattr(given, "shape", ()) == ():
            given = float(given)
    found = real(given, option)
    if not math.isfinite(found):
        raise UsageError(f"{option} {found} is not a date", f"write for example {option} 57101.0")
    return found


def position(given: Any, option: str) -> tuple[float, float]:
    """Right ascension and declination in degrees (ICRS), from a pair or astropy's SkyCoord.

    Texts are resolved by the caller, because a name needs the resolver (`stages.place`).
    """
    pair = (given.icrs.ra, given.icrs.dec) if hasattr(given, "icrs") else listed(given)
    try:
        ra, dec = (float(one.to_value("deg") if hasattr(one, "to_value") else one) for one in pair)
    except (ValueError, TypeError) as error:
        raise _no_place(given, option) from error
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        raise _no_place(given, option)
    return ra % 360, dec


def hdu(given: object, option: str) -> int | str:
    """An HDU of a FITS file: its number or its name."""
    if not isinstance(given, str):
        return whole(given, option)
    return int(given) if given.isdecimal() else given


def images(given: Any, option: str) -> tuple[Any, ...]:
    """Images of a query: paths, arrays and images of Pillow, or a list of them."""
    several = given if isinstance(given, list | tuple) else [given]
    return tuple(Path(one) if isinstance(one, str | os.PathLike) else one for one in several)


def hits(given: Any, option: str) -> tuple[object, ...]:
    """Hits of a query (what has a `key`), or texts that name some. A proposal's key is a text."""
    items = (given,) if hasattr(given, "proposal_id") else listed(given)
    return tuple(item if hasattr(item, "key") else _key_or_text(item, option) for item in items)


def _key_or_text(item: Any, option: str) -> str:
    return str(item) if hasattr(item, "proposal_id") else text(item, option)


def shard(given: Any, option: str) -> tuple[int, int]:
    """One of n parts: `"0/8"` or `(0, 8)`."""
    if isinstance(given, str):
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", given.strip())
        if match is None:
            raise bad_shard(repr(given))
        return int(match[1]), int(match[2])
    if len(listed(given)) != 2:
        raise bad_shard(repr(given))
    part, parts = given
    return whole(part, option), whole(parts, option)


def check_shard(given: tuple[int, int] | None) -> None:
    """Raises a UsageError for a part that is not one of its parts."""
    if given is not None and not 0 <= given[0] < given[1]:
        raise bad_shard("/".join(map(str, given)))


def bad_shard(given: str) -> UsageError:
    """The error for a `--shard` that names no part."""
    hint = "write i/n with 0 <= i < n, for example 0/8 to 7/8"
    return UsageError(f"--shard {given} is not a valid part", hint)


def _parts(given: object, option: str) -> list[str]:
    """The values of an option, as texts. A number may stand for itself."""
    found: list[str] = []
    for item in listed(given):
        found += values(item, option) if isinstance(item, str) else [str(whole(item, option))]
    return found


def _range(part: str, option: str) -> range:
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
    if match is None:
        raise UsageError(
            f"{option} {part!r} is not a number or a range", f"write for example {option} 25-26,28"
        )
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first or last - first > _MOST_OF_A_RANGE:
        raise UsageError(
            f"{option} {part!r} is not a valid range", f"write for example {option} 25-26,28"
        )
    return range(first, last + 1)


def _mission_named(proposal: object) -> str | None:
    """The mission in front of the numbers: `"hst:15354,12577"` -> `hst`."""
    if proposal is None:
        return None
    named = {part.rpartition(":")[0] for part in _parts(proposal, "--proposal")} - {""}
    if len(named) > 1:
        raise UsageError(
            f"--proposal names several missions: {', '.join(sorted(named))}",
            "give proposals of one mission",
        )
    return named.pop() if named else None


def _no_place(given: object, option: str) -> UsageError:
    return UsageError(
        f"{option} {given!r} is not a place on the sky",
        "give right ascension and declination in degrees",
    )
