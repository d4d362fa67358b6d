"""The instruments that shell completion offers for `query --instrument`."""

from __future__ import annotations

from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.contents import instruments
from paperclip_cli.indexes.database import Observations
from paperclip_cli.workspace import Workspace


def run(workspace: Workspace) -> set[str]:
    """Instruments and detectors in the indexes of the cache: `ACS`, `WFC3/UVIS`."""
    folders = [workspace.index(name) for name in workspace.names("indexes")]
    return {name for folder in folders for name in _instruments(folder)}


def _instruments(folder: Path) -> set[str]:
    """The instruments of one index: none if its folder is gone, empty or damaged."""
    try:
        newest = max(folder.glob("observations-*.sqlite"))
        found = instruments(Observations(newest))
    except (OSError, ValueError, PaperclipError):
        return set()
    return {*found, *(name.partition("/")[0] for name in found)}
