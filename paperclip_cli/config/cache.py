"""Settings of `cache rm` and `cache prune`."""

from __future__ import annotations

from dataclasses import dataclass

from paperclip_cli.config.checks import one_of
from paperclip_cli.config.choices import CacheKind


@dataclass(frozen=True)
class CacheRemoveConfig:
    """What is removed from the cache: its kind and its name."""

    kind: CacheKind
    name: str

    def __post_init__(self) -> None:
        one_of("KIND", self.kind, CacheKind)


@dataclass(frozen=True)
class CachePruneConfig:
    """Whether to remove what can be made again (`dry_run`: only to show it)."""

    dry_run: bool = False
