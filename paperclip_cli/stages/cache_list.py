"""Lists what is in the cache: `cache ls`."""

from __future__ import annotations

from paperclip_cli.upkeep.inventory import Kept, inventory
from paperclip_cli.workspace import Workspace


def run(workspace: Workspace) -> list[Kept]:
    """Everything in the cache, by kind and name, with its size and what uses it."""
    return list(inventory(workspace))
