"""The values in the indexes that shell completion offers: targets, filters, proposals and so on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.contents import instruments, values
from paperclip_cli.indexes.database import Observations
from paperclip_cli.workspace import Workspace

_MOST = 200  # nobody reads more, and a shell asks before it prints them


def run(kind: str, start: str, workspace: Workspace) -> list[str]:
    """The values of a kind that begin with `start`, of all indexes of the cache: at most 200.

    Kinds are those of `indexes.contents.VALUES`, and `instruments`: `ACS`, `WFC3/UVIS`.
    """
    folders = [workspace.index(name) for name in workspace.names("indexes")]
    found = {value for folder in folders for value in _values(folder, kind, start)}
    return sorted(value for value in found if value.startswith(start))[:_MOST]


def _values(folder: Path, kind: str, start: str) -> Iterable[str]:
    """The values of one index: none if its folder is gone, empty or damaged."""
    try:
        observations = Observations(max(folder.glob("observations-*.sqlite")))
        if kind != "instruments":
            return values(observations, kind, start, _MOST)
        found = instruments(observations)
        return {*found, *(name.partition("/")[0] for name in found)}
    except (OSError, ValueError, PaperclipError):
        return ()
