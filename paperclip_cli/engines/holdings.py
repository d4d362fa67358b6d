"""What is asked of an index in an engine about its images, where a query finds none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paperclip_cli.config import QueryConfig
from paperclip_cli.engines.base import Filter
from paperclip_cli.engines.conditions import near
from paperclip_cli.engines.opened import Opened
from paperclip_cli.engines.selection import select
from paperclip_cli.indexes.contents import Contents
from paperclip_cli.indexes.filters import Condition

if TYPE_CHECKING:
    from paperclip_cli.sky.area import Area
    from paperclip_cli.sky.cone import Cone

_FIRST, _MORE, _ALL = 1.0, 4.0, 180.0  # radii in degrees within which the nearest is looked for


class EngineHoldings:
    """See `indexes.unmet.Holdings`."""

    def __init__(self, index: Opened, config: QueryConfig) -> None:
        self._index, self._config = index, config

    def images(self) -> int:
        return int(self._index.manifest.counts["images"])

    def contents(self) -> Contents:
        return self._index.state.contents

    def proposals(self) -> tuple[int, int, int]:
        return self._index.state.proposals

    def targets(self) -> list[str]:
        return self._index.targets.by_frequency()

    def count(self, conditions: Sequence[Condition], areas: Sequence[Cone | Area]) -> int:
        selection = select(self._index, conditions, areas, self._config)
        if areas:
            return len(selection.placed)
        return self._index.engine.count([*selection.filters, Filter("tile", "in", [0])])

    def is_empty(self, area: Cone | Area) -> bool:
        found = select(self._index, [], [area], self._config)
        return not found.placed and not found.moving

    def nearest(self, area: Cone | Area) -> float | None:
        """Looks farther and farther around, until what was not looked at cannot be nearer."""
        more = _FIRST
        while True:
            around = [near(area, 0.0, more), Filter("tile", "in", [0])]
            found = self._index.engine.fetch(("sky_ra", "sky_dec", "moving"), around)
            places = [
                (ra, dec) for ra, dec, moving in found if self._config.include_moving or not moving
            ]
            distance = area.nearest(places) if places else None
            if more >= _ALL or (distance is not None and distance <= more):
                return distance
            more *= _MORE
