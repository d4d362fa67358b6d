"""What a training starts from: a model that exists, or one from nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from paperclip_cli.config import Recipe
from paperclip_cli.data.view import View
from paperclip_cli.model import clip, folder, scratch, weights
from paperclip_cli.model.config import Extras
from paperclip_cli.model.contrastive import SIGMOID_START
from paperclip_cli.model.folder import ModelFolder
from paperclip_cli.model.initial import draw_heads
from paperclip_cli.model.tokenizer import Tokenizer
from paperclip_cli.workspace import Workspace

HEAD_SIZE = 1_024  # the paper's


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


def fitted(begin: Start, recipe: Recipe, seed: int) -> Start:
    """The start with what a recipe trains beside the towers: heads where it wants new ones, the sigmoid's bias where it needs one."""
    config, params, size = begin.folder.config, dict(begin.params), begin.folder.extras.head_size
    if recipe.train == "head" and size is None:
        size = HEAD_SIZE
        params |= draw_heads(config, size, np.random.default_rng([seed, 4]))
    if recipe.loss == "softmax":
        params.pop("logit_bias", None)
    elif "logit_bias" not in params:
        scale, bias = SIGMOID_START
        raw = scale if recipe.logit_scale == "reference" else math.log(scale)
        params |= {"logit_scale": jnp.float32(raw), "logit_bias": jnp.float32(bias)}
    folder = replace(begin.folder, extras=Extras(size, "logit_bias" in params))
    return begin._replace(folder=folder, params=params)
