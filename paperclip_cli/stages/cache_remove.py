"""Removes one thing from the cache: `cache rm`."""

from __future__ import annotations

from collections.abc import Callable

from paperclip_cli.config import CacheRemoveConfig
from paperclip_cli.errors import PaperclipError
from paperclip_cli.report import Report
from paperclip_cli.upkeep.inventory import Kept, find
from paperclip_cli.upkeep.removal import remove
from paperclip_cli.wording import in_bytes
from paperclip_cli.workspace import Workspace

STAGE = "cache rm"


def run(
    config: CacheRemoveConfig, workspace: Workspace, agree: Callable[[str], bool] = lambda _: True
) -> Report:
    """Removes something by its kind and name. `agree` is asked first, with what would go.

    Raises:
        PaperclipError: there is no such thing, it is in use, or it is not to be removed.
    """
    kept = find(config.kind, config.name, workspace)
    if not agree(_offer(kept)):
        raise PaperclipError(f"{kept} was not removed", "--yes removes without asking")
    is_link = kept.path.is_symlink()
    remove(kept, workspace)
    note = "only the link was removed" if is_link else f"{in_bytes(kept.size)} freed"
    return Report(stage=STAGE, counts={"removed": 1}, notes=(f"{kept}: {note}",))


def _offer(kept: Kept) -> str:
    users = f", used by {', '.join(kept.used_by)}" if kept.used_by else ""
    return f"{kept} ({in_bytes(kept.size)}{users})"
