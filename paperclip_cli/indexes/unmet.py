"""Why no image meets the conditions of a query, and what the index holds instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from paperclip_cli.config import QueryConfig
from paperclip_cli.config.quantities import day_of
from paperclip_cli.indexes.contents import Contents, contents
from paperclip_cli.indexes.database import Observations
from paperclip_cli.indexes.filters import Condition, conditions_of, in_cone, where
from paperclip_cli.wording import counted

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
    near = _cone_alone(observations, config)
    if near:
        yield near
    if not alone and not near:
        yield from _together(observations, conditions, config)


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


def _cone_alone(observations: Observations, config: QueryConfig) -> str | None:
    """What to say where a cone is too small, or far from everything; None where it is neither."""
    if config.near is None:
        return None
    found = in_cone(observations, [], config.near, config)
    if found.placed or found.moving or found.cone is None:
        return None
    places = observations.execute(
        "SELECT sky_ra, sky_dec FROM images WHERE sky_dec IS NOT NULL"
        + ("" if config.include_moving else " AND NOT coalesce(moving, FALSE)")
    )
    if not places:
        return "no image meets --near: no image of the index has a position"
    nearest = found.cone.nearest(places)
    radius = _angle(config.radius)
    return f"no image meets --near with --radius {radius}: the nearest is {_angle(nearest)} away"


def _angle(degrees: float) -> str:
    return f"{degrees:.3g}deg" if degrees >= 1 else f"{degrees * 60:.3g}arcmin"


def _together(
    observations: Observations, conditions: Sequence[Condition], config: QueryConfig
) -> Iterator[str]:
    """Conditions that exclude each other, and how many images there are without each."""
    near = [] if config.near is None else ["--near"]
    everything = [*map(_said, conditions), *near]
    if len(everything) < 2:
        yield "no image meets the conditions"
        return
    yield f"no image meets {' and '.join(everything)} together"
    for left_out in conditions:
        rest = [one for one in conditions if one is not left_out]
        images = _count(observations, rest, config)
        if images:
            yield f"without {_said(left_out)}: {counted(images, 'images')}"
    if near and (images := len(where(observations, "1", conditions))):
        yield f"without --near: {counted(images, 'images')}"


def _count(observations: Observations, conditions: Sequence[Condition], config: QueryConfig) -> int:
    if config.near is None:
        return len(where(observations, "1", conditions))
    return len(in_cone(observations, conditions, config.near, config).placed)
