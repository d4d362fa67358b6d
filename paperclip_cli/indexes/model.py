"""The model of an index: the one that made it, or the text tower that an imported index has."""

from __future__ import annotations

import shutil
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.open_index import OpenIndex
from paperclip_cli.towers.folder import (
    ModelFolder,
    fingerprint,
    missing_files,
    model_files,
    resolve,
)
from paperclip_cli.towers.safetensors import write_some
from paperclip_cli.towers.weight_files import WEIGHTS, weight_files
from paperclip_cli.workspace import Manifest, Workspace

_TEXT = ("text_model.", "text_projection.")


def model_of(
    index: IndexFolder | OpenIndex, workspace: Workspace, afresh: bool = False
) -> ModelFolder:
    """The folder of the model that made an index, with at least its text tower.

    `afresh` computes its fingerprint from its files again.

    Raises:
        PaperclipError: that model is gone or has changed.
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


def whole_model_of(
    index: IndexFolder | OpenIndex, workspace: Workspace, afresh: bool = False
) -> ModelFolder:
    """The whole model that made an index: at its place then, or else wherever its name leads.

    Raises:
        PaperclipError: that model is gone or has changed.
    """
    if "text_tower" in index.manifest.extra:
        model = _elsewhere(index, workspace)
    else:
        model = recorded_model(index.manifest, workspace)

    if fingerprint(model, workspace, afresh) != index.manifest.inputs["model"]:
        raise PaperclipError(
            f"index {index.name!r} was made by another model than the one now in {model.path}",
            f"rebuild it with paperclip index --index {index.name} --force",
        )
    return model


def recorded_model(manifest: Manifest, workspace: Workspace) -> ModelFolder:
    """The whole model that the manifest of an index names, whether it has changed or not.

    Raises:
        PaperclipError: it is gone.
    """
    name, folder = manifest.config["model"], Path(manifest.config["model_folder"])
    # The folder in the manifest of another machine's index means nothing here.
    if "text_tower" in manifest.extra or missing_files(folder):
        return resolve(name, workspace)
    return ModelFolder.open(folder, name)


def _elsewhere(index: IndexFolder | OpenIndex, workspace: Workspace) -> ModelFolder:
    try:
        return recorded_model(index.manifest, workspace)
    except PaperclipError as error:
        raise PaperclipError(
            f"index {index.name!r} came with only the text tower of its model, "
            f"and model {index.manifest.config['model']} is not here",
            "query with text, or get the model for images",
        ) from error


def write_text_tower(model: ModelFolder, folder: Path) -> None:
    """Writes a model folder with the text tower of `model` and no image tower."""
    folder.mkdir(parents=True)
    for name in {*model_files(model.path)} - {*weight_files(model.path)}:
        shutil.copyfile(model.path / name, folder / name)

    weights = model.tensors()
    text_names = (name for name in weights.names() if name.startswith(_TEXT))
    write_some(weights, folder / WEIGHTS, text_names)
