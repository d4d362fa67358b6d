"""The model that belongs to an index: the one that made it, or the text tower that came with an index from elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.folder import Index
from paperclip_cli.towers.folder import (
    MODEL_FILES,
    WEIGHTS,
    ModelFolder,
    fingerprint,
    missing_files,
    resolve,
)
from paperclip_cli.towers.safetensors import TensorFile, write_some
from paperclip_cli.workspace import Workspace

_TEXT = ("text_model.", "text_projection.")


def model_of(index: Index, workspace: Workspace, afresh: bool = False) -> ModelFolder:
    """A model folder that has at least the text tower of the model that made an index; `afresh` reads all of it. No other model will do.

    Raises:
        PaperclipError: that model is gone, or is another one now.
    """
    expected = index.manifest.extra.get("text_tower")
    if expected is None:
        return whole_model_of(index, workspace, afresh)
    model = ModelFolder.open(index.folder / "model", str(index.manifest.config["model"]))
    if fingerprint(model, workspace, afresh) != expected:
        raise PaperclipError(
            f"the text tower of index {index.name!r} is not the one that came with it",
            "import the index again",
        )
    return model


def whole_model_of(index: Index, workspace: Workspace, afresh: bool = False) -> ModelFolder:
    """The model that made an index: where it was then, else wherever its name leads. PaperclipError as `model_of`."""
    name, folder = index.manifest.config["model"], Path(index.manifest.config["model_folder"])
    if "text_tower" in index.manifest.extra:
        model = _elsewhere(index, name, workspace)
    else:
        model = (
            resolve(name, workspace) if missing_files(folder) else ModelFolder.open(folder, name)
        )
    if fingerprint(model, workspace, afresh) != index.manifest.inputs["model"]:
        raise PaperclipError(
            f"index {index.name!r} was made by another model than the one that is now in {model.path}",
            f"rebuild it with paperclip index --index {index.name} --force",
        )
    return model


def _elsewhere(index: Index, name: str, workspace: Workspace) -> ModelFolder:
    try:
        return resolve(name, workspace)
    except PaperclipError as error:
        raise PaperclipError(
            f"index {index.name!r} came with the text tower of its model alone, and model {name} is not here",
            "ask in words, or get the model: then it also takes images",
        ) from error


def write_text_tower(model: ModelFolder, folder: Path) -> None:
    """A model folder that answers texts as `model` does and knows nothing of images."""
    folder.mkdir(parents=True)
    for name in MODEL_FILES:
        if (model.path / name).is_file() and name != WEIGHTS:
            shutil.copyfile(model.path / name, folder / name)
    weights = TensorFile(model.path / WEIGHTS)
    write_some(
        weights, folder / WEIGHTS, (name for name in weights.names() if name.startswith(_TEXT))
    )
