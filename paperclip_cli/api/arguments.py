"""The arguments that all functions of the API have: the cache and who is told of progress."""

from __future__ import annotations

from paperclip_cli.api.options import PathLike
from paperclip_cli.progress import Progress
from paperclip_cli.workspace import Workspace

Shown = Progress | bool | None


def workspace(cache: PathLike | None, offline: bool = False) -> Workspace:
    """The cache directory that is given, else that of the command line."""
    from paperclip_cli.config.given import path as path_of

    return Workspace.locate(None if cache is None else path_of(cache, "cache"), offline)


def shown(progress: Shown) -> Progress | None:
    """Who is told of progress. True is the command line's own bars, on stderr."""
    if not isinstance(progress, bool):
        return progress
    if not progress:
        return None
    from paperclip_cli.output import bars

    return bars.progress()
