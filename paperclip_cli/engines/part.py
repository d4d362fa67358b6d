"""An index in an engine within a query; see `indexes.part`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from paperclip_cli.config import QueryConfig
from paperclip_cli.engines.chance import EngineAllowed
from paperclip_cli.engines.holdings import EngineHoldings
from paperclip_cli.engines.rows import EngineRows
from paperclip_cli.engines.search import EngineSearch
from paperclip_cli.engines.selection import EngineSelection, select
from paperclip_cli.indexes.database import Image
from paperclip_cli.indexes.filters import areas_of, conditions_of
from paperclip_cli.indexes.named import note_by
from paperclip_cli.indexes.part import fields_of, news_of
from paperclip_cli.workspace import Workspace


class EnginePart:
    """An open index in an engine, and the conditions of a query on it."""

    def __init__(self, config: QueryConfig, index: Any, workspace: Workspace) -> None:
        self.index, self._config, self._workspace = index, config, workspace
        self._rows = EngineRows(index)
        areas = [area for _, area in areas_of(config)]
        self.selection: EngineSelection = select(index, list(conditions_of(config)), areas, config)
        self.search = EngineSearch(index, self.selection.filters)
        self.judged = EngineAllowed(index, self.selection)

    @property
    def news(self) -> str:
        return news_of(self.index, self._workspace)

    def images_of(self, rows: Sequence[int]) -> list[Image]:
        return self._rows.images_of(rows)

    def group(self, image: Image) -> tuple[set[int], int]:
        return self._counted(self._rows.group(image, self._config.collapse), 1)

    def group_elsewhere(self, image: Image) -> tuple[set[int], int]:
        return self._counted(self._rows.same_group(image, self._config.collapse), 0)

    def _counted(self, group: Sequence[tuple[int, int]], own: int) -> tuple[set[int], int]:
        rows = {row for first, tiles in group for row in range(first, first + tiles)}
        return rows, self.selection.count([first for first, _ in group]) - own

    def fields_of(self, image: Image, cosine: float | None) -> dict[str, Any]:
        return fields_of(image, cosine, self.index, self.selection.cone, self._workspace)

    def unmet(self) -> Iterator[str]:
        from paperclip_cli.indexes.unmet import unmet

        return unmet(EngineHoldings(self.index, self._config), self._config)

    def named(self, words: str, best: str | None) -> str:
        return note_by(self._rows.images_named, words, best)
