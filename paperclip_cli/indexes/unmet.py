"""Why no image meets the conditions of a query, and what the index holds instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

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


def unmet(observations: Observations, config: QueryConfig) -> Iterator[str]:
    """Lines for the user: each condition that no image meets, or those that exclude each other."""
    ((images,),) = observations.execute("SELECT count(*) FROM images")
    if not images:
        yield "no image meets the conditions: the index is empty"
        return
    conditions = list(conditions_of(config))
    held = contents(observations)
    alone = [one for one in conditions if not where(observations, "1", [one])]
    for condition in alone:
        yield f"no image meets {_said(condition)}: {_instead(condition, held, observations)}"
    areas = list(areas_of(config))
    lines = list(_areas_alone(observations, areas, config))
    yield from lines
    if not alone and not lines:
        yield from _together(observations, conditions, areas, config)


def _said(condition: Condition) -> str:
    """A condition as it is typed: `--instrument ACSS or WFC3`."""
    given = condition.given
    if condition.option in ("--after", "--before"):
        given = tuple(map(day_of, given))
    return f"{condition.option} {' or '.join(map(str, given))}"


def _instead(condition: Condition, held: Contents, observations: Observations) -> str:
    """What the index has of the kind that a condition asks for."""
    match condition.option:
        case "--mission":
            return _has("missions", held.missions)
        case "--instrument":
            return _has("instruments", held.instruments)
        case "--filter":
            return _has("filters", held.filters)
        case "--cycle":
            return _has("cycles", held.cycles)
        case "--proposal":
            return _proposals(observations)
        case "--target":
            return _targets(observations, [str(name) for name in condition.given])
        case _:
            if held.dates is None:
                return "the index has no dates"
            first, last = map(day_of, held.dates)
            return f"the images of the index were taken from {first} to {last}"


def _has(kind: str, values: Sequence[str] | dict[str, int]) -> str:
    if not values:
        return f"the index has no {kind}"
    listed = ", ".join(list(values)[:_SHOWN])
    more = len(values) - _SHOWN
    return f"the index has {listed}" + (f" and {more} more" if more > 0 else "")


def _proposals(observations: Observations) -> str:
    ((count, first, last),) = observations.execute(
        "SELECT count(*), min(p_proposal_id), max(p_proposal_id) FROM proposals"
    )
    if not count:
        return "the index has no proposals"
    return f"the index has {counted(count, 'proposals')}, from {first} to {last}"


def _targets(observations: Observations, wanted: Sequence[str]) -> str:
    """The names that are spelled most like the wanted ones, or else the most frequent."""
    found = observations.execute(
        "SELECT target FROM images WHERE target IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1"
    )
    spelled = {target.casefold(): target for (target,) in found}
    alike = [
        spelled[name]
        for one in wanted
        for name in difflib.get_close_matches(one.casefold(), spelled, 3, 0.7)
    ]
    if alike:
        return f"the index has {', '.join(dict.fromkeys(alike))}"
    return _has("targets", list(spelled.values()))


def _areas_alone(
    observations: Observations, areas: Sequence[tuple[str, Cone | Area]], config: QueryConfig
) -> Iterator[str]:
    """What to say of each area that is too small, or far from everything."""
    for option, area in areas:
        found = in_areas(observations, [], [area], config)
        if found.placed or found.moving:
            continue
        places = observations.execute(
            "SELECT sky_ra, sky_dec FROM images WHERE sky_dec IS NOT NULL"
            + ("" if config.include_moving else " AND NOT coalesce(moving, FALSE)")
        )
        said = f"no image meets {option}"
        if not places:
            yield f"{said}: no image of the index has a position"
            continue
        if found.cone is not None:
            said += f" with --radius {_angle(config.radius)}"
        yield f"{said}: the nearest is {_angle(area.nearest(places))} away"


def _angle(degrees: float) -> str:
    return f"{degrees:.3g}deg" if degrees >= 1 else f"{degrees * 60:.3g}arcmin"


def _together(
    observations: Observations,
    conditions: Sequence[Condition],
    areas: Sequence[tuple[str, Cone | Area]],
    config: QueryConfig,
) -> Iterator[str]:
    """Conditions that exclude each other, and how many images there are without each."""
    everything = [*map(_said, conditions), *(option for option, _ in areas)]
    if len(everything) < 2:
        yield "no image meets the conditions"
        return
    yield f"no image meets {' and '.join(everything)} together"
    for one in conditions:
        others = [other for other in conditions if other is not one]
        yield from _without(_said(one), _count(observations, others, areas, config))
    for area in areas:
        places = [other for other in areas if other is not area]
        yield from _without(area[0], _count(observations, conditions, places, config))


def _without(condition: str, images: int) -> Iterator[str]:
    if images:
        yield f"without {condition}: {counted(images, 'images')}"


def _count(
    observations: Observations,
    conditions: Sequence[Condition],
    areas: Sequence[tuple[str, Cone | Area]],
    config: QueryConfig,
) -> int:
    if not areas:
        return len(where(observations, "1", conditions))
    places = [area for _, area in areas]
    return len(in_areas(observations, conditions, places, config).placed)
