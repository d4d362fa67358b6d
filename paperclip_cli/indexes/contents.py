"""What an index holds: its instruments, filters, missions, cycles and dates, with counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from paperclip_cli.indexes.database import Observations

CYCLE = "coalesce(nullif(cycle, ''), p_cycle)"  # of the observation, or else of its proposal
_JOINED = "images LEFT JOIN proposals ON proposals.id = proposal"

# What an index can be searched for, by kind: an expression, and the table that has it.
VALUES = {
    "targets": ("target", "images"),
    "filters": ("value", "(SELECT DISTINCT filters FROM images), json_each(filters)"),
    "cycles": (
        CYCLE,
        "(SELECT DISTINCT proposal, cycle FROM images) LEFT JOIN proposals ON"
        " proposals.id = proposal",
    ),
    "missions": ("p_mission", "proposals"),
    "proposals": ("p_proposal_id", "proposals"),
    "keys": ("p_mission || ':' || p_proposal_id", "proposals"),
}


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The images of an index by value, the most frequent first. `dates` are MJD, None if unknown.

    An instrument has its detector (`ACS/WFC`). An image with several filters counts for each.
    """

    missions: dict[str, int]
    instruments: dict[str, int]
    filters: dict[str, int]
    cycles: dict[str, int]
    dates: tuple[float, float] | None


def contents(observations: Observations) -> Contents:
    """What the images of an index are, by their observations and proposals."""
    ((first, last),) = observations.execute("SELECT min(t_min), max(t_min) FROM images")
    return Contents(
        missions=_counts(observations, "p_mission", _JOINED),
        instruments=instruments(observations),
        filters=_counts(observations, "value", "images, json_each(filters)"),
        cycles=_counts(observations, CYCLE, _JOINED),
        dates=None if first is None else (first, last),
    )


def values(observations: Observations, kind: str, start: str, most: int) -> list[str]:
    """The first values of a kind (`VALUES`) that begin with `start`, in their order."""
    value, table = VALUES[kind]
    found = observations.execute(
        f"SELECT DISTINCT CAST({value} AS TEXT) AS held FROM {table}"
        " WHERE substr(held, 1, ?) = ? ORDER BY held LIMIT ?",
        (len(start), start, most),
    )
    return [held for (held,) in found]


def instruments(observations: Observations) -> dict[str, int]:
    """Instruments with their detectors, and their images."""
    found: Counter[str] = Counter()
    for instrument, detector, images in observations.execute(
        "SELECT instrument, detector, count(*) FROM images"
        " WHERE instrument IS NOT NULL GROUP BY 1, 2"
    ):
        has_own = not detector or detector in instrument.split("/")
        found[instrument if has_own else f"{instrument}/{detector}"] += images
    return _ordered(found)


def _counts(observations: Observations, value: str, table: str) -> dict[str, int]:
    found = observations.execute(
        f"SELECT {value} AS held, count(*) FROM {table} WHERE held IS NOT NULL GROUP BY 1"
    )
    return _ordered({str(held): images for held, images in found})


def _ordered(found: dict[str, int]) -> dict[str, int]:
    return dict(sorted(found.items(), key=lambda held: (-held[1], held[0])))
