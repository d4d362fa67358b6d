"""Settings of `build-dataset`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import paperclip_cli.config.readers as readers
from paperclip_cli.config.checks import one_of
from paperclip_cli.config.choices import Captions
from paperclip_cli.config.given import given
from paperclip_cli.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class BuildDatasetConfig:
    """How images and texts become a dataset. The fractions are of the proposals."""

    captions: Captions = "abstract"
    summaries: str | None = None
    missions: tuple[str, ...] = given("mission", read=readers.values, default=())
    val_fraction: float = 0.1
    test_fraction: float = 0.1
    seed: int = 42
    name: str = "default"
    out: Path | None = None
    force: bool = False

    def __post_init__(self) -> None:
        one_of("--captions", self.captions, Captions)
        both = (self.val_fraction, self.test_fraction)
        if not (min(both) >= 0 and sum(both) <= 1 + 1e-9):
            raise UsageError(
                "--val-fraction and --test-fraction must be fractions that add up to at most 1"
            )
