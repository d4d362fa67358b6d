"""What a training starts from: a model that exists, or one from nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import jax

from paperclip_cli.data.view import View
from paperclip_cli.model import clip, folder, scratch, weights
from paperclip_cli.model.folder import ModelFolder
from paperclip_cli.model.tokenizer import Tokenizer
from paperclip_cli.workspace import Workspace


class Start(NamedTuple):
    """`folder` describes the model; its path leads nowhere for one from nothing."""

    folder: ModelFolder
    tokenizer: Tokenizer
    graph: clip.Graph
    params: clip.Params


def base_model(init: str, workspace: Workspace) -> ModelFolder | None:
    """The model that `--init` names; None for `scratch:...`."""
    return None if init.startswith("scratch:") else folder.resolve(init, workspace)


def start(init: str, base: ModelFolder | None, corpus: Iterable[str], key: jax.Array) -> Start:
    """Loads the base, or makes a new model with a tokenizer from `corpus`."""
    if base is not None:
        return Start(base, Tokenizer.load(base), *weights.load(base))
    new = scratch.new_model(init, corpus, key)
    described = ModelFolder(Path(), init, new.config, View(size=new.config.vision.image_size, fill=new.fill), new.mean, new.std)
    return Start(described, new.tokenizer, new.graph, new.params)
