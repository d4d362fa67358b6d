"""Why no image meets the conditions of a query, and what the index holds instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from paperclip_cli.config import QueryConfig
from paperclip_cli.config.quantities import day_of
from paperclip_cli.indexes.contents import Contents, contents
from paperclip_cli.indexes.database import Observations
from paperclip_cli.indexes.filters import Condition, areas_of, conditions_of, in_areas, where
from paperclip_cli.wording import counted

if TYPE_CHECKING:
    from paperclip_cli.sky.area import Area
    from paperclip_cli.sky.cone import Cone

_SHOWN = 10  # values of an index that a line lists


class Holdings(Protocol):
    """What is asked of an index about its images."""

    def images(self) -> int:
        """The number of images."""

    def contents(self) -> Contents: ...

    def proposals(self) -> tuple[int, int, int]:
        """The number of proposals, and the first and the last of their numbers."""

    def targets(self) -> list[str]:
        """The names of the targets, the most frequent first."""

    def count(self, conditions: Sequence[Condition], areas: Sequence[Cone | Area]) -> int:
        """The images that meet some conditions and areas."""

    def is_empty(self, area: Cone | Area) -> bool:
        """Whether an area meets nothing, not even what moves."""

    def nearest(self, area: Cone | Area) -> float | None:
        """The distance in degrees from an area to the nearest image; None if none is placed."""


class FolderHoldings:
    """The images of an index in a folder."""

    def __init__(self, observations: Observations, config: QueryConfig) -> None:
        self._observations, self._config = observations, config

    def images(self) -> int:
        ((images,),) = self._observations.execute("SELECT count(*) FROM images")
        return images

    def contents(self) -> Contents:
        return contents(self._observations)

    def proposals(self) -> tuple[int, int, int]:
        (found,) = self._observations.execute(
            "SELECT count(*), min(p_proposal_id), max(p_proposal_id) FROM proposals"
        )
        count, first, last = found
        return count, first, last

    def targets(self) -> list[str]:
        found = self._observations.execute(
            "SELECT target FROM images WHERE target IS NOT NULL"
            " GROUP BY 1 ORDER BY count(*) DESC, 1"
        )
        return [target for (target,) in found]

    def count(self, conditions: Sequence[Condition], areas: Sequence[Cone | Area]) -> int:
        if not areas:
            return len(where(self._observations, "1", conditions))
        return len(in_areas(self._observations, conditions, areas, self._config).placed)

    def is_empty(self, area: Cone | Area) -> bool:
        found = in_areas(self._observations, [], [area], self._config)
        return not found.placed and not found.moving

    def nearest(self, area: Cone | Area) -> float | None:
        places = self._observations.execute(
            "SELECT sky_ra, sky_dec FROM images WHERE sky_dec IS NOT NULL"
            + ("" if self._config.include_moving else " AND NOT coalesce(moving, FALSE)")
        )
        return area.nearest(places) if places else None


def unmet(held: Holdings, config: QueryConfig) -> Iterator[str]:
    """Lines for the user: each condition that no image meets, or those that exclude each other."""
    if not held.images():
        yield "no image meets the conditions: the index is empty"
        return
    conditions = list(conditions_of(config))
    alone = [one for one in conditions if not held.count([one], [])]
    for condition in alone:
        yield f"no image meets {_said(condition)}: {_instead(condition, held)}"
    areas = list(areas_of(config))
    lines = list(_areas_alone(held, areas, config))
    yield from lines
    if not alone and not lines:
        yield from _together(held, conditions, areas)


def _said(condition: Condition) -> str:
    """A condition as it is typed: `--instrument ACSS or WFC3`."""
    given = condition.given
    if condition.option in ("--after", "--before"):
        given = tuple(map(day_of, given))
    return f"{condition.option} {' or '.join(map(str, given))}"


def _instead(condition: Condition, held: Holdings) -> str:
    """What the index has of the kind that a condition asks for."""
    match condition.option:
        case "--mission":
            return _has("missions", held.contents().missions)
        case "--instrument":
            return _has("instruments", held.contents().instruments)
        case "--filter":
            return _has("filters", held.contents().filters)
        case "--cycle":
            return _has("cycles", held.contents().cycles)
        case "--proposal":
            return _proposals(*held.proposals())
        case "--target":
            return _targets(held.targets(), [str(name) for name in condition.given])
        case _:
            dates = held.contents().dates
            if dates is None:
                return "the index has no dates"
            first, last = map(day_of, dates)
            return f"the images of the index were taken from {first} to {last}"


def _has(kind: str, values: Sequence[str] | dict[str, int]) -> str:
    if not values:
        return f"the index has no {kind}"
    listed = ", ".join(list(values)[:_SHOWN])
    more = len(values) - _SHOWN
    return f"the index has {listed}" + (f" and {more} more" if more > 0 else "")


def _proposals(count: int, first: int, last: int) -> str:
    if not count:
        return "the index has no proposals"
    return f"the index has {counted(count, 'proposals')}, from {first} to {last}"


def _targets(targets: Sequence[str], wanted: Sequence[str]) -> str:
    """The names that are spelled most like the wanted ones, or else the most frequent."""
    spelled = {target.casefold(): target for target in targets}
    alike = [
        spelled[name]
        for one in wanted
        for name in difflib.get_close_matches(one.casefold(), spelled, 3, 0.7)
    ]
    if alike:
        return f"the index has {', '.join(dict.fromkeys(alike))}"
    return _has("targets", list(spelled.values()))


def _areas_alone(
    held: Holdings, areas: Sequence[tuple[str, Cone | Area]], config: QueryConfig
) -> Iterator[str]:
    """What to say of each area that is too small, or far from everything."""
    from paperclip_cli.sky.cone import Cone

    for option, area in areas:
        if not held.is_empty(area):
            continue
        said, nearest = f"no image meets {option}", held.nearest(area)
        if nearest is None:
            yield f"{said}: no image of the index has a position"
            continue
        if isinstance(area, Cone):
            said += f" with --radius {_angle(config.radius)}"
        yield f"{said}: the nearest is {_angle(nearest)} away"


def _angle(degrees: float) -> str:
    return f"{degrees:.3g}deg" if degrees >= 1 else f"{degrees * 60:.3g}arcmin"


def _together(
    held: Holdings, conditions: Sequence[Condition], areas: Sequence[tuple[str, Cone | Area]]
) -> Iterator[str]:
    """Conditions that exclude each other, and how many images there are without each."""
    everything = [*map(_said, conditions), *(option for option, _ in areas)]
    if len(everything) < 2:
        yield "no image meets the conditions"
        return
    yield f"no image meets {' and '.join(everything)} together"
    places = [area for _, area in areas]
    for one in conditions:
        others = [other for other in conditions if other is not one]
        yield from _without(_said(one), held.count(others, places))
    for option, area in areas:
        yield from _without(
            option, held.count(conditions, [one for one in places if one is not area])
        )


def _without(condition: str, images: int) -> Iterator[str]:
    if images:
        yield f"without {condition}: {counted(images, 'images')}"
