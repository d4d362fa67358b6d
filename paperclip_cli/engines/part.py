"""An index in an engine within a query; see `indexes.part`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from paperclip_cli.config import QueryConfig
from paperclip_cli.engines.chance import EngineAllowed
from paperclip_cli.engines.holdings import EngineHoldings
from paperclip_cli.engines.rows import EngineRows
from paperclip_cli.engines.search import EngineSearch
from paperclip_cli.engines.selection import select
from paperclip_cli.indexes.filters import areas_of, conditions_of
from paperclip_cli.indexes.named import note_by
from paperclip_cli.indexes.part import BasePart
from paperclip_cli.workspace import Workspace


class EnginePart(BasePart):
    """An open index in an engine, and the conditions of a query on it."""

    def __init__(self, config: QueryConfig, index: Any, workspace: Workspace) -> None:
        areas = [area for _, area in areas_of(config)]
        selection = select(index, list(conditions_of(config)), areas, config)
        self._opened, self._rows = index, EngineRows(index)
        super().__init__(config, index, workspace, self._rows, selection)
        self.search = EngineSearch(index, selection.filters)
        self.judged = EngineAllowed(index, selection)

    def unmet(self) -> Iterator[str]:
        from paperclip_cli.indexes.unmet import unmet

        return unmet(EngineHoldings(self._opened, self._config), self._config)

    def named(self, words: str, best: str | None) -> str:
        return note_by(self._rows.images_named, words, best)
