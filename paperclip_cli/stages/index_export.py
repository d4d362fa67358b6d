"""Writes an index to one file to share it, or into an engine: `index --export`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from paperclip_cli.config import BundleConfig
from paperclip_cli.engines.opening import is_engine, open_index
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import expanded, lock
from paperclip_cli.indexes.bundle import pictureless
from paperclip_cli.indexes.bundle_export import export_index
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.folder import open_index as open_folder
from paperclip_cli.indexes.model import model_of
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Report
from paperclip_cli.workspace import Workspace


def run(config: BundleConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Writes an index to one file: float16 vectors, thumbnails and the text tower.

    If the place is an address in an engine, the index is copied into the engine as it is.

    Raises:
        MissingStage: there is no such index.
        PaperclipError: its model is missing, or the file cannot be written.
    """
    progress = progress or SilentProgress()
    if is_engine(config.place):
        return _into_engine(config, workspace, progress)
    place = expanded(config.place)
    with _in_folder(config.name, workspace, progress) as index:
        model = replace(model_of(index, workspace), name=str(index.manifest.config["model"]))
        lengths = export_index(index, model, place, workspace, progress)
    return Report(
        stage="export",
        counts={"images": len(lengths), "bytes": place.stat().st_size},
        notes=pictureless(lengths),
        output=place,
    )


@contextmanager
def _in_folder(name: str | None, workspace: Workspace, progress: Progress) -> Iterator[IndexFolder]:
    """The index in a folder, which is a copy for as long as it is needed if it is in an engine."""
    index = open_index(name, workspace)
    if isinstance(index, IndexFolder):
        yield index
        return
    from paperclip_cli.engines.copies import into_folder

    workspace.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export.", dir=workspace.root) as place:
        folder = Path(place, "index")
        into_folder(index, folder, progress)
        yield open_folder(folder)


def _into_engine(config: BundleConfig, workspace: Workspace, progress: Progress) -> Report:
    from paperclip_cli.engines.address import parse_address, remember
    from paperclip_cli.engines.copies import into_engine
    from paperclip_cli.engines.index import open_engine
    from paperclip_cli.engines.records import read_state

    address = parse_address(config.place)
    index = open_index(config.name, workspace)
    if not isinstance(index, IndexFolder):
        raise UsageError(
            f"index {index.name} is in an engine already",
            "import it first: paperclip index --index NAME --import URL",
        )
    engine = open_engine(address)
    try:
        if not config.force and read_state(engine) is not None:
            raise PaperclipError(
                f"there is an index {address}", "name another table, or replace it with --force"
            )
        folder = address.folder(workspace)
        with lock(folder):
            state = into_engine(index, engine, folder, progress)
            remember(address, workspace)
    finally:
        engine.close()
    return Report(stage="export", counts=state.manifest.counts, output=str(address))
