"""The starting point of a training: an existing model, or a new one with random weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from paperclip_cli.config import TRAIN_PRESETS, Recipe
from paperclip_cli.images.view import View
from paperclip_cli.towers import clip, weights
from paperclip_cli.towers.config import Extras
from paperclip_cli.towers.folder import ModelFolder, resolve
from paperclip_cli.towers.init import draw_heads
from paperclip_cli.towers.scratch import NewModel
from paperclip_cli.towers.tokenizer import Tokenizer
from paperclip_cli.training.losses import SIGMOID_START
from paperclip_cli.workspace import Workspace

HEAD_SIZE = 1_024  # the paper's


class Start(NamedTuple):
    """The model that a training starts from.

    `folder` describes it; for a new model its path leads nowhere. `params` reads or draws the
    parameters. `shapes` are their shapes, so that preparations need not wait for the arrays.
    """

    folder: ModelFolder
    tokenizer: Tokenizer
    graph: clip.Graph
    shapes: clip.Params
    params: Callable[[], clip.Params]


def base_model(init: str, workspace: Workspace) -> ModelFolder | None:
    """The model named by `--init`; None for `scratch:...`."""
    return None if init.startswith("scratch:") else resolve(init, workspace)


def preset_of(init: str, base: ModelFolder | None) -> str:
    """The name of the preset for a start: `scratch:tiny`, `scratch:base` or `pretrained`.

    A model trained here has that of its own training, as its card says: 20,000 steps are for
    models with 400 times the parameters of a tiny one. Older cards name only the start of that
    training.
    """
    if base is None:
        return init
    training = base.card.get("training")
    said = (training.get("preset"), training.get("init")) if isinstance(training, dict) else ()
    return next((name for name in said if name in (*TRAIN_PRESETS,)), "pretrained")


def start(base: ModelFolder | NewModel, recipe: Recipe, seed: int, key: jax.Array) -> Start:
    """A base or a new model, with what the recipe trains beside the towers.

    That is new heads where the recipe wants them, and the bias where the sigmoid loss needs one.
    """
    if isinstance(base, ModelFolder):
        described, words = base, Tokenizer.load(base)
    else:
        described, words = _described(base), base.tokenizer
    folder = replace(described, extras=_extras(described.extras, recipe))
    graph, shapes = weights.abstract(folder)

    def params() -> clip.Params:
        if isinstance(base, ModelFolder):
            found = weights.load(base)[1]
        else:
            found = base.draw(weights.towers_and_extras(shapes)[0], key)
        whole = found | _added(described, folder.extras, recipe, seed)
        return {name: whole[name] for name in shapes}

    return Start(folder, words, graph, shapes, params)


def _described(new: NewModel) -> ModelFolder:
    return ModelFolder(
        path=Path(),
        name=new.name,
        config=new.config,
        view=View(size=new.config.vision.image_size, fill=new.fill),
        mean=new.mean,
        std=new.std,
    )


def _extras(old: Extras, recipe: Recipe) -> Extras:
    has_new_heads = recipe.train == "head" and old.head_size is None
    return Extras(HEAD_SIZE if has_new_heads else old.head_size, recipe.loss == "sigmoid")


def _added(base: ModelFolder, wanted: Extras, recipe: Recipe, seed: int) -> clip.Params:
    """The parameters that the base lacks or that begin anew, as the scale does for another loss."""
    added: clip.Params = {}
    if wanted.head_size and not base.extras.head_size:
        added |= draw_heads(base.config, wanted.head_size, np.random.default_rng([seed, 4]))
    if wanted.logit_bias and not base.extras.logit_bias:
        scale, bias = SIGMOID_START
        raw = scale if recipe.logit_scale == "reference" else math.log(scale)
        added |= {"logit_scale": jnp.float32(raw), "logit_bias": jnp.float32(bias)}
    return added
