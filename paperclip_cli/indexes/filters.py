"""Filters of a query: conditions on the observation, applied before anything is ranked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paperclip_cli.config import QueryConfig
from paperclip_cli.indexes.contents import CYCLE
from paperclip_cli.indexes.database import Observations

if TYPE_CHECKING:
    from paperclip_cli.sky.cone import Cone, Place


@dataclass(frozen=True)
class Selection:
    """The vectors that may be ranked: `rows` int64 [M], None for all.

    In a `cone`, `placed` are the first row and the place of each image, and `moving` counts the
    images of moving targets that it left out.
    """

    rows: np.ndarray | None
    cone: Cone | None = None
    placed: Sequence[tuple[int, Place]] = ()
    moving: int = 0

    def angles(self) -> list[tuple[float, int]]:
        """The distance of each image in the cone in degrees, and its first row."""
        assert self.cone is not None
        return [(self.cone.angle(place), row) for row, place in self.placed]


@dataclass(frozen=True)
class Condition:
    """SQL with its parameters, and the option that asks for it with what was given."""

    option: str
    given: tuple
    sql: str
    parameters: tuple


def select(observations: Observations, config: QueryConfig) -> Selection:
    """The rows that meet every condition of `config`. Values of one condition are alternatives."""
    conditions = list(conditions_of(config))
    if config.near is not None:
        return in_cone(observations, conditions, config.near, config)
    if not conditions:
        return Selection(None)
    return Selection(_rows(where(observations, "images.id, tiles", conditions)))


def conditions_of(config: QueryConfig) -> Iterator[Condition]:
    """Every condition that is set, except the cone."""
    yield from _any("--mission", "lower(p_mission) = lower(?)", config.missions)
    yield from _any("--proposal", "p_proposal_id = ?", config.proposals)
    # `ACS`, `WFC` and `ACS/WFC` all find instrument ACS (or ACS/WFC) with detector WFC.
    place = "'/' || upper(instrument) || '/' || upper(coalesce(detector, '')) || '/'"
    yield from _any(
        "--instrument", f"instr({place}, upper(?))", config.instruments, lambda name: f"/{name}/"
    )
    yield from _any("--filter", "instr(upper(filters), ?)", config.filters, _as_stored)
    yield from _any("--cycle", f"upper({CYCLE}) = upper(?)", config.cycles)
    yield from _any("--target", "names(target, ?)", config.targets)
    yield from _any("--after", "t_min >= ?", [config.after] if config.after is not None else [])
    yield from _any("--before", "t_min < ?", [config.before] if config.before is not None else [])


def _as_stored(name: str) -> str:
    return json.dumps(name.upper(), ensure_ascii=False)


def _any(
    option: str, sql: str, values: Sequence, as_stored: Callable = lambda value: value
) -> Iterator[Condition]:
    if values:
        either = "(" + " OR ".join([sql] * len(values)) + ")"
        yield Condition(option, tuple(values), either, tuple(map(as_stored, values)))


def where(observations: Observations, columns: str, conditions: Sequence[Condition]) -> list[tuple]:
    """Columns of the images that meet all the conditions, in the order of the vectors."""
    clause = " AND ".join(condition.sql for condition in conditions) or "TRUE"
    parameters = [value for condition in conditions for value in condition.parameters]
    return observations.execute(
        f"SELECT {columns} FROM images LEFT JOIN proposals ON proposals.id = proposal "
        f"WHERE {clause} ORDER BY images.id",
        parameters,
    )


def in_cone(
    observations: Observations,
    conditions: Sequence[Condition],
    near: tuple[float, float],
    config: QueryConfig,
) -> Selection:
    """The images that a cone meets. Moving targets have no fixed place and are only counted."""
    # Imported here, because a query without a cone is quicker without the geometry.
    from paperclip_cli.sky.cone import Cone, Place

    cone = Cone(*near, config.radius, config.centre_only)
    columns = f"images.id, tiles, moving, {', '.join(Place._fields)}"
    placed = Condition("--near", near, "sky_dec IS NOT NULL", ())
    band = Condition("--near", near, *cone.band())
    found = where(observations, columns, [*conditions, placed, band])
    images = ((id, tiles, moving, Place(*place)) for id, tiles, moving, *place in found)
    held = [image for image in images if cone.meets(image[3])]

    kept = [image for image in held if config.include_moving or not image[2]]
    rows = _rows([(id, tiles) for id, tiles, *_ in kept])
    places = [(id, place) for id, *_, place in kept]
    return Selection(rows, cone, places, len(held) - len(kept))


def _rows(images: Sequence[tuple[int, int]]) -> np.ndarray:
    """The rows int64 of some images, given as (first row, number of tiles)."""
    if not images:
        return np.empty(0, np.int64)

    first, tiles = np.array(images, dtype=np.int64).T
    within = np.arange(tiles.sum()) - np.repeat(np.cumsum(tiles) - tiles, tiles)
    return np.repeat(first, tiles) + within
