"""What an open index in an engine knows of itself, read when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from paperclip_cli.engines.base import VECTOR, Engine, Filter
from paperclip_cli.engines.records import State, Targets, Unrelated, read_targets, read_unrelated
from paperclip_cli.indexes.folder import evidence_of
from paperclip_cli.indexes.unrelated import Evidence
from paperclip_cli.workspace import Manifest


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An engine and the state of the index in it.

    `folder` is for what is kept of it on this machine, `kept` for what is in this process.
    """

    engine: Engine
    state: State
    folder: Path
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its address, without a password."""
        return str(self.engine.address)

    @property
    def manifest(self) -> Manifest:
        return self.state.manifest

    @property
    def dimension(self) -> int:
        return int(self.manifest.extra["dimension"])

    @cached_property
    def evidence(self) -> Evidence | None:
        return evidence_of(self.manifest.extra.get("evidence"))

    @cached_property
    def targets(self) -> Targets:
        return read_targets(self.engine)

    @cached_property
    def unrelated(self) -> Unrelated:
        return read_unrelated(self.engine)

    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        """The vectors float32 [n, D] of some rows, which are there, in their order."""
        if not len(ids):
            return np.empty((0, self.dimension), np.float32)
        found = dict(self.engine.fetch(("id", VECTOR), [Filter("id", "in", ids)]))
        return np.stack([found[row] for row in ids.tolist()])


def in_blocks(ids: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """The ids, some at a time."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
