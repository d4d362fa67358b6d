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
    from paperclip_cli.sky.area import Area
    from paperclip_cli.sky.cone import Cone, Place


@dataclass(frozen=True)
class Selection:
    """The vectors that may be ranked: `rows` int64 [M], None for all.

    In an `area` of the sky, `placed` are the first row and the place of each image, and `moving`
    counts the images of moving targets that it left out.
    """

    rows: np.ndarray | None
    area: Cone | Area | None = None
    placed: Sequence[tuple[int, Place]] = ()
    moving: int = 0

    @property
    def cone(self) -> Cone | None:
        """The area, if it is a cone."""
        if self.area is None:
            return None
        from paperclip_cli.sky.cone import Cone

        return self.area if isinstance(self.area, Cone) else None

    def count(self, firsts: Sequence[int]) -> int:
        """The number of images, given by their first rows, that are selected."""
        return len(firsts) if self.rows is None else int(np.isin(firsts, self.rows).sum())

    def angles(self) -> list[tuple[float, int]]:
        """The distance of each image from the middle of the area in degrees, and its first row."""
        assert self.area is not None
        return [(self.area.angle(place), row) for row, place in self.placed]


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
    areas = [area for _, area in areas_of(config)]
    if areas:
        return in_areas(observations, conditions, areas, config)
    if not conditions:
        return Selection(None)
    return Selection(_rows(where(observations, "images.id, tiles", conditions)))


def conditions_of(config: QueryConfig) -> Iterator[Condition]:
    """Every condition that is set, except the places on the sky."""
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


def areas_of(config: QueryConfig) -> Iterator[tuple[str, Cone | Area]]:
    """The places on the sky that a query asks for, with the options that do."""
    # Imported here, because a query without a place is quicker without the geometry.
    if config.near is not None:
        from paperclip_cli.sky.cone import Cone

        yield "--near", Cone(*config.near, config.radius, config.centre_only)
    if config.region is not None:
        from paperclip_cli.sky.ds9_regions import read_area

        yield "--region", read_area(config.region, config.centre_only)


def in_areas(
    observations: Observations,
    conditions: Sequence[Condition],
    areas: Sequence[Cone | Area],
    config: QueryConfig,
) -> Selection:
    """The images that all areas meet. Moving targets have no fixed place and are only counted."""
    from paperclip_cli.sky.cone import Place

    columns = f"images.id, tiles, moving, {', '.join(Place._fields)}"
    bands = [Condition("", (), *area.band()) for area in areas]
    placed = Condition("", (), "sky_dec IS NOT NULL", ())
    found = where(observations, columns, [*conditions, placed, *bands])
    images = ((id, tiles, moving, Place(*place)) for id, tiles, moving, *place in found)
    held = [image for image in images if all(area.meets(image[3]) for area in areas)]

    kept = [image for image in held if config.include_moving or not image[2]]
    rows = _rows([(id, tiles) for id, tiles, *_ in kept])
    places = [(id, place) for id, *_, place in kept]
    return Selection(rows, areas[0], places, len(held) - len(kept))


def _rows(images: Sequence[tuple[int, int]]) -> np.ndarray:
    """The rows int64 of some images, given as (first row, number of tiles)."""
    if not images:
        return np.empty(0, np.int64)

    first, tiles = np.array(images, dtype=np.int64).T
    within = np.arange(tiles.sum()) - np.repeat(np.cumsum(tiles) - tiles, tiles)
    return np.repeat(first, tiles) + within
