"""The arguments that all functions of the API have: cache, progress and places on the sky."""

from __future__ import annotations

from collections.abc import Mapping

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


def placed(options: Mapping[str, object], here: Workspace) -> dict[str, object]:
    """The options with the position of `near`, where it is a name or coordinates in a text."""
    near = options.get("near")
    if not isinstance(near, str):
        return dict(options)
    from paperclip_cli.stages import place

    return {**options, "near": place.run(near, here)}
