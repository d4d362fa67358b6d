"""The model that belongs to an index: its vectors mean nothing to any other."""

from __future__ import annotations

from pathlib import Path

from paperclip_cli.data.index_folder import Index
from paperclip_cli.errors import PaperclipError
from paperclip_cli.model.folder import ModelFolder, fingerprint, missing_files, resolve
from paperclip_cli.workspace import Workspace


def model_of(index: Index, workspace: Workspace, afresh: bool = False) -> ModelFolder:
    """The model that made an index: where it was then, else wherever its name leads. No other one will do; `afresh` reads all of it."""
    name, folder = index.manifest.config["model"], Path(index.manifest.config["model_folder"])
    model = resolve(name, workspace) if missing_files(folder) else ModelFolder.open(folder, name)
    if fingerprint(model, workspace, afresh) != index.manifest.inputs["model"]:
        raise PaperclipError(f"index {index.name!r} was made by another model than the one that is now in {model.path}",
                             f"rebuild it with paperclip index --index {index.name} --force")
    return model
