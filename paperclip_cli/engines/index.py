"""An open index whose vectors are in an engine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from paperclip_cli.config import QueryConfig
from paperclip_cli.engines.address import Address, parse_address
from paperclip_cli.engines.base import Engine
from paperclip_cli.engines.opened import Opened
from paperclip_cli.engines.part import EnginePart
from paperclip_cli.engines.records import read_state
from paperclip_cli.engines.rows import EngineRows
from paperclip_cli.errors import MissingStage
from paperclip_cli.indexes.background import Background
from paperclip_cli.indexes.described import Described
from paperclip_cli.workspace import Workspace

_BLOCK = 8_192  # vectors read at once


@dataclass(frozen=True, kw_only=True)
class EngineIndex(Described, Opened):
    """An open index in an engine."""

    @cached_property
    def background(self) -> Background:
        return Background(tuple(self.manifest.extra["background"]["scores"]))

    def part(self, config: QueryConfig, workspace: Workspace) -> EnginePart:
        """The index within a query."""
        return EnginePart(config, self, workspace)

    @property
    def rows(self) -> EngineRows:
        # Not kept: a circle of references would close the connection late.
        return EngineRows(self)

    @property
    def observations(self) -> EngineRows:
        return self.rows

    def all_vectors(self) -> np.ndarray:
        """All vectors float32 [N, D], in the order of the images' paths."""
        made = np.empty((int(self.manifest.counts["vectors"]), self.dimension), np.float32)
        ids = self.rows.ids()
        for start in range(0, len(ids), _BLOCK):
            made[start : start + _BLOCK] = self.vectors_of(ids[start : start + _BLOCK])
        return made


def open_engine(address: Address) -> Engine:
    """A connection to the engine of an address.

    Raises:
        PaperclipError: its client is not installed, or it cannot be reached.
    """
    if address.kind == "postgresql":
        from paperclip_cli.engines.postgres import Postgres

        return Postgres(address)
    from paperclip_cli.engines.milvus import Milvus

    return Milvus(address)


def open_address(text: str, workspace: Workspace) -> EngineIndex:
    """Opens the index at an address.

    Raises:
        UsageError: it is no address.
        MissingStage: there is no index.
        PaperclipError: the engine cannot be reached.
    """
    address = parse_address(text)
    found = find(address, workspace)
    if found is None:
        raise MissingStage(f"there is no index {address}", f"paperclip index --index '{address}'")
    return found


def find(address: Address, workspace: Workspace) -> EngineIndex | None:
    """The index at an address, or None."""
    engine = open_engine(address)
    state = read_state(engine)
    if state is None:
        engine.close()
        return None
    return EngineIndex(engine=engine, state=state, folder=address.folder(workspace))
