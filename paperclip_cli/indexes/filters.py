"""Filters of a query: conditions on the observation, applied before anything is ranked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paperclip_cli.config import QueryConfig
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

    def by_distance(self) -> list[int]:
        """The first rows of the images in the cone, the nearest first."""
        assert self.cone is not None
        return [
            row for _, row in sorted((self.cone.angle(place), row) for row, place in self.placed)
        ]


def select(observations: Observations, config: QueryConfig) -> Selection:
    """The rows that meet every condition of `config`. Values of one condition are alternatives."""
    conditions = list(_conditions(config))
    if config.near is not None:
        return _in_cone(observations, conditions, config.near, config)
    if not conditions:
        return Selection(None)
    return Selection(_rows(_where(observations, "images.id, tiles", conditions)))


def _conditions(config: QueryConfig) -> Iterator[tuple[str, tuple]]:
    """SQL and its parameters for every condition that is set."""
    yield from _any("lower(p_mission) = lower(?)", config.missions)
    yield from _any("p_proposal_id = ?", config.proposals)
    # `ACS`, `WFC` and `ACS/WFC` all find instrument ACS (or ACS/WFC) with detector WFC.
    place = "'/' || upper(instrument) || '/' || upper(coalesce(detector, '')) || '/'"
    yield from _any(f"instr({place}, upper(?))", [f"/{name}/" for name in config.instruments])
    filters = [json.dumps(name.upper(), ensure_ascii=False) for name in config.filters]
    yield from _any("instr(upper(filters), ?)", filters)
    yield from _any("upper(coalesce(nullif(cycle, ''), p_cycle)) = upper(?)", config.cycles)
    yield from _any("names(target, ?)", config.targets)
    yield from _any("t_min >= ?", [config.after] if config.after is not None else [])
    yield from _any("t_min < ?", [config.before] if config.before is not None else [])


def _any(sql: str, values: Sequence) -> Iterator[tuple[str, tuple]]:
    if values:
        yield "(" + " OR ".join([sql] * len(values)) + ")", tuple(values)


def _where(
    observations: Observations, columns: str, conditions: Sequence[tuple[str, tuple]]
) -> list[tuple]:
    clause = " AND ".join(sql for sql, _ in conditions)
    parameters = [value for _, values in conditions for value in values]
    return observations.execute(
        f"SELECT {columns} FROM images LEFT JOIN proposals ON proposals.id = proposal "
        f"WHERE {clause} ORDER BY images.id",
        parameters,
    )


def _in_cone(
    observations: Observations,
    conditions: Sequence[tuple[str, tuple]],
    near: tuple[float, float],
    config: QueryConfig,
) -> Selection:
    """The images that a cone meets. Moving targets have no fixed place and are only counted."""
    # Imported here, because a query without a cone is quicker without the geometry.
    from paperclip_cli.sky.cone import Cone, Place

    cone = Cone(*near, config.radius, config.centre_only)
    columns = f"images.id, tiles, moving, {', '.join(Place._fields)}"
    found = _where(observations, columns, [*conditions, ("sky_dec IS NOT NULL", ()), cone.band()])
    images = ((id, tiles, moving, Place(*place)) for id, tiles, moving, *place in found)
    held = [image for image in images if cone.meets(image[3])]

    kept = [image for image in held if config.include_moving or not image[2]]
    rows = _rows([(id, tiles) for id, tiles, *_ in kept])
    placed = [(id, place) for id, *_, place in kept]
    return Selection(rows, cone, placed, len(held) - len(kept))


def _rows(images: Sequence[tuple[int, int]]) -> np.ndarray:
    """The rows int64 of some images, given as (first row, number of tiles)."""
    if not images:
        return np.empty(0, np.int64)

    first, tiles = np.array(images, dtype=np.int64).T
    within = np.arange(tiles.sum()) - np.repeat(np.cumsum(tiles) - tiles, tiles)
    return np.repeat(first, tiles) + within
