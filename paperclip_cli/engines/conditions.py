"""The conditions of a query as an engine's filters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from paperclip_cli.engines.base import Box, Filter, Near
from paperclip_cli.engines.columns import ascii_upper
from paperclip_cli.indexes.filters import Condition
from paperclip_cli.sky.cone import Cone
from paperclip_cli.sky.vectors import unit_vector
from paperclip_cli.text.object_names import is_named

if TYPE_CHECKING:
    from paperclip_cli.sky.area import Area

WIDE = 0.5  # degrees: rows that reach farther are looked at one by one
_SLACK = 1e-7  # degrees, and of unit vectors


def filters_of(conditions: Iterable[Condition], targets: Iterable[str]) -> tuple[Filter, ...]:
    """The filters of some conditions. `targets` are the names of all targets of the index."""
    return tuple(_filter(condition, targets) for condition in conditions)


def _filter(condition: Condition, targets: Iterable[str]) -> Filter:
    given = condition.given
    match condition.option:
        case "--mission":
            return Filter("mission_key", "in", _upper(given))
        case "--proposal":
            return Filter("proposal_id", "in", list(map(int, given)))
        case "--instrument":
            return Filter("instrument_keys", "any", _upper(given))
        case "--filter":
            return Filter("filter_keys", "any", _upper(given))
        case "--cycle":
            return Filter("cycle_key", "in", _upper(given))
        case "--target":
            named = [one for one in targets if any(is_named(one, wanted) for wanted in given)]
            return Filter("target", "in", named)
        case "--after":
            return Filter("t_min", "at least", max(given))
        case "--before":
            return Filter("t_min", "less", min(given))
    raise ValueError(f"no filter for {condition.option}")


def _upper(values: Sequence) -> list[str]:
    return [ascii_upper(str(value)) for value in values]


def near(area: Cone | Area, farthest: float, more: float = 0.0) -> Filter:
    """The filter of an area in an index whose rows reach `farthest` degrees at most.

    The area is taken to reach `more` degrees farther than it does.
    """
    beyond = min(farthest, WIDE) + more + _SLACK
    boxes = tuple(_box(centre, radius + beyond) for centre, radius in _circles(area))
    return Filter("sky", "near", Near(boxes, None if farthest <= WIDE else WIDE))


def _box(centre: tuple[float, float, float], reach: float) -> Box:
    half = 2 * math.sin(math.radians(min(reach, 180.0)) / 2) + _SLACK
    return Box(centre, half)


def _circles(area: Cone | Area) -> Iterator[tuple[tuple[float, float, float], float]]:
    """The circles around the parts of an area: centres as unit vectors, and radii in degrees."""
    if isinstance(area, Cone):
        yield unit_vector(area.ra, area.dec), area.radius
        return
    for part in area.parts:
        x, y, z = map(float, part.shape.centre)
        yield (x, y, z), math.degrees(part.shape.radius)
