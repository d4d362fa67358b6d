"""The rows of an index in an engine that meet the conditions of a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paperclip_cli.config import QueryConfig
from paperclip_cli.engines.base import Engine, Filter
from paperclip_cli.engines.conditions import filters_of, near
from paperclip_cli.engines.opened import Opened
from paperclip_cli.indexes.filters import Condition, Selection

if TYPE_CHECKING:
    from paperclip_cli.sky.area import Area
    from paperclip_cli.sky.cone import Cone


@dataclass(frozen=True, kw_only=True)
class EngineSelection(Selection):
    """The rows that may be ranked: those that meet the `filters` (none: all).

    In an area of the sky, these are a list of `ids`.
    """

    rows: None = None
    engine: Engine
    filters: tuple[Filter, ...] = ()
    ids: np.ndarray | None = None

    def count(self, firsts: Sequence[int]) -> int:
        if self.ids is not None:
            return int(np.isin(firsts, self.ids).sum())
        if not self.filters or not firsts:
            return len(firsts)
        return self.engine.count([*self.filters, Filter("id", "in", list(firsts))])


def select(
    index: Opened,
    conditions: Sequence[Condition],
    areas: Sequence[Cone | Area],
    config: QueryConfig,
) -> EngineSelection:
    """The rows that meet some conditions and areas."""
    has_targets = any(condition.option == "--target" for condition in conditions)
    filters = filters_of(conditions, index.targets.images if has_targets else ())
    if areas:
        return _in_areas(index, filters, areas, config)
    return EngineSelection(engine=index.engine, filters=filters)


def _in_areas(
    index: Opened, filters: Sequence[Filter], areas: Sequence[Cone | Area], config: QueryConfig
) -> EngineSelection:
    """As `indexes.filters.in_areas`: the engine leaves out what is far, the footprints decide."""
    from paperclip_cli.sky.cone import Place

    around = [near(area, index.state.farthest) for area in areas]
    columns = ("id", "tiles", "moving", "path", *Place._fields)
    first = Filter("tile", "in", [0])
    held = []
    for id, tiles, moving, path, *values in index.engine.fetch(columns, [*filters, *around, first]):
        place = Place(*values)
        if all(area.meets(place) for area in areas):
            held.append((path, id, tiles, moving, place))
    kept = sorted(
        (one for one in held if config.include_moving or not one[3]), key=lambda one: one[:2]
    )
    ids = [np.arange(id, id + tiles) for _, id, tiles, *_ in kept]
    found = np.concatenate(ids) if ids else np.empty(0, np.int64)
    return EngineSelection(
        engine=index.engine,
        filters=(Filter("id", "in", found),),
        ids=found,
        area=areas[0],
        placed=[(id, place) for _, id, *_, place in kept],
        moving=len(held) - len(kept),
    )
