"""Optimisers and learning rate schedules of the recipes.

`adamw` is the paper's: AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) with decoupled weight
decay.

`muon` (Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv 2502.16982)
moves the matrices of the towers' blocks by their orthogonalised momentum, in which no direction is
neglected, and everything else by AdamW. With it a small model learns more in the same number of
steps.

Weight decay acts on matrices and on tables of embeddings. It spares norms and biases (Radford et
al. 2021, arXiv 2103.00020, section 2.5: "all weights that are not gains or biases"), and like
OpenCLIP the class token, the logit scale and its bias: a decaying scale would raise the temperature
whatever the data say. With `decays_all` it acts on every parameter, as in the defaults of
`torch.optim.AdamW` and `optax.adamw` and in the paper's reference code.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import optax
from optax import contrib

from paperclip_cli.config import Recipe
from paperclip_cli.towers import clip

# Relative to AdamW's rate: its updates have smaller entries than an orthogonal matrix of like
# effect.
MATRIX_RATE = 10.0
_DECAYED, _SPARED = "decayed", "spared"
# The names of parameters that are no matrices, whatever their shape: those of layers are stacked.
_VECTORS = {"scale", "bias", "class_token", "logit_scale", "logit_bias"}


def optimiser(recipe: Recipe) -> optax.GradientTransformation:
    """The transformation of gradients named by `recipe.optimiser`."""
    chosen = adamw if recipe.optimiser == "adamw" else muon
    if recipe.decays_all:
        return chosen(recipe)
    sparing = chosen(replace(recipe, weight_decay=0.0))
    return optax.partition({_DECAYED: chosen(recipe), _SPARED: sparing}, _kinds)


def _kinds(params: clip.Params) -> clip.Params:
    """Whether each parameter is decayed or spared."""
    return jax.tree.map_with_path(
        lambda path, _: _SPARED if str(path[-1].key) in _VECTORS else _DECAYED, params
    )


def _as_optax_promotes(made: optax.GradientTransformation) -> optax.GradientTransformation:
    """The same transformation under JAX's standard promotion of types and ranks.

    optax raises floats to the power of integer step counts, which strict promotion refuses.
    """

    def update(
        gradient: clip.Params, state: optax.OptState, params: clip.Params | None = None
    ) -> tuple[clip.Params, optax.OptState]:
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return made.update(gradient, state, params)

    return optax.GradientTransformation(made.init, update)


def adamw(recipe: Recipe) -> optax.GradientTransformation:
    """AdamW at the recipe's rate."""
    return _as_optax_promotes(optax.adamw(learning_rate(recipe), weight_decay=recipe.weight_decay))


def learning_rate(recipe: Recipe) -> optax.Schedule:
    """The rate at each step (from 0): a linear warm-up to the full rate, then the schedule.

    The schedule `constant` keeps the full rate, the other one follows half a cosine down to 0.
    """

    def rate(step: jax.Array) -> jax.Array:
        rising = recipe.learning_rate * jnp.minimum(1.0, (step + 1) / max(recipe.warmup_steps, 1))
        if recipe.schedule == "constant":
            return rising
        past = (step + 1 - recipe.warmup_steps) / max(recipe.steps - recipe.warmup_steps, 1)
        return rising * 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(past, 0.0, 1.0)))

    return rate


def muon(recipe: Recipe) -> optax.GradientTransformation:
    """Muon for the stacked matrices [layer, in, out], at MATRIX_RATE times the rate.

    Embeddings, norms, biases and projections have AdamW with Nesterov momentum.
    """
    rate = learning_rate(recipe)
    return _as_optax_promotes(
        contrib.muon(
            lambda step: MATRIX_RATE * rate(step),
            adam_learning_rate=rate,
            weight_decay=recipe.weight_decay,
            adam_weight_decay=recipe.weight_decay,
            muon_weight_dimension_numbers=_matrices,
        )
    )


def _matrices(params: clip.Params) -> clip.Params:
    """The matrix axes of each parameter; None for those that are not matrices of a block."""
    return jax.tree.map_with_path(
        lambda path, _: contrib.MuonDimensionNumbers(1, 2) if _in_block(path) else None, params
    )


def _in_block(path: tuple) -> bool:
    names = [str(part.key) for part in path]
    return "blocks" in names and names[-1] == "kernel"
