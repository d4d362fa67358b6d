"""The instruments that shell completion offers for `query --instrument`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.database import Observations
from paperclip_cli.workspace import Workspace


def run(workspace: Workspace) -> set[str]:
    """Instruments and detectors in the indexes of the cache: `ACS`, `WFC3/UVIS`."""
    folders = [workspace.index(name) for name in workspace.names("indexes")]
    return {name for folder in folders for name in _instruments(folder)}


def _instruments(folder: Path) -> Iterator[str]:
    """The instruments of one index: none if its folder is gone, empty or damaged."""
    try:
        newest = max(folder.glob("observations-*.sqlite"))
        pairs = Observations(newest).instruments()
    except (OSError, ValueError, PaperclipError):
        return
    for instrument, detector in pairs:
        yield instrument
        if detector and detector not in instrument.split("/"):
            yield f"{instrument}/{detector}"
