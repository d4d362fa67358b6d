"""The names that shell completion offers for `cache rm KIND`."""

from __future__ import annotations

from paperclip_cli.config.choices import CacheKind, values_of
from paperclip_cli.upkeep.places import folders
from paperclip_cli.workspace import Workspace


def run(kind: str, workspace: Workspace) -> list[str]:
    """The names of what is there of a kind; none of a kind that there is not."""
    if kind not in values_of(CacheKind):
        return []
    return [path.name for _, path in folders(workspace, kind)]  # type: ignore[arg-type]
