"""Writes an index to one file, to share it: `index --export`."""

from __future__ import annotations

from dataclasses import replace

from paperclip_cli.config import BundleConfig
from paperclip_cli.files import expanded
from paperclip_cli.indexes.bundle import pictureless
from paperclip_cli.indexes.bundle_export import export_index
from paperclip_cli.indexes.folder import choose_index, open_index
from paperclip_cli.indexes.model import model_of
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Report
from paperclip_cli.workspace import Workspace


def run(config: BundleConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Writes an index to one file: float16 vectors, thumbnails and the text tower.

    Raises:
        MissingStage: there is no such index.
        PaperclipError: its model is missing, or the file cannot be written.
    """
    place = expanded(config.place)
    index = open_index(workspace.index(choose_index(config.name, workspace)))
    model = replace(model_of(index, workspace), name=str(index.manifest.config["model"]))
    lengths = export_index(index, model, place, workspace, progress or SilentProgress())
    return Report(
        stage="export",
        counts={"images": len(lengths), "bytes": place.stat().st_size},
        notes=pictureless(lengths),
        output=place,
    )
