"""One step of training: augment, embed, compare, update. Everything here is a pure function over pytrees, to be compiled.

The optimiser is AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) with decoupled weight decay on every parameter, as the defaults of
`torch.optim.AdamW` and `optax.adamw` have it, and the paper's reference code.

Shapes: B batch, C' stored side, S the model's image side, L tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from paperclip_cli.config import Recipe
from paperclip_cli.model import clip
from paperclip_cli.model.augment import normalise, random_views
from paperclip_cli.model.contrastive import MAX_LOGIT_SCALE, contrastive_loss, similarity_scale


class Batch(NamedTuple):
    """`images` uint8 [B,C',C',1 or 3] as they are stored, `tokens` int32 [B,L]. Row i of both is one pair."""

    images: jax.Array
    tokens: jax.Array


class TrainState(NamedTuple):
    """All that changes from step to step. `average` is the moving average of the parameters, None where none is kept."""

    params: clip.Params
    optimiser: optax.OptState
    average: clip.Params | None
    step: jax.Array


class Metrics(NamedTuple):
    """float32 scalars of one step. `scale` multiplies the similarities, `gradient` is the global norm."""

    loss: jax.Array
    gradient: jax.Array
    scale: jax.Array


class Learner(NamedTuple):
    """What stays the same from step to step: the model, its input, the optimiser, the decay of the average (0: none)."""

    graph: clip.Graph
    optimiser: optax.GradientTransformation
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    ema_decay: float = 0.0


def learning_rate(recipe: Recipe) -> optax.Schedule:
    """Step (from 0) -> rate: a linear warm-up that ends at the full rate, then that rate (`constant`) or half a cosine down to 0."""

    def rate(step: jax.Array) -> jax.Array:
        rising = recipe.learning_rate * jnp.minimum(1.0, (step + 1) / max(recipe.warmup_steps, 1))
        if recipe.schedule == "constant":
            return rising
        past = (step + 1 - recipe.warmup_steps) / max(recipe.steps - recipe.warmup_steps, 1)
        return rising * 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(past, 0.0, 1.0)))

    return rate


def adamw(recipe: Recipe) -> optax.GradientTransformation:
    """The optimiser of a recipe."""
    return optax.adamw(learning_rate(recipe), weight_decay=recipe.weight_decay)


def initial_state(learner: Learner, params: clip.Params) -> TrainState:
    """The state before the first step. The average starts as a copy: state is donated to the step, and no buffer may be in it twice."""
    average = jax.tree.map(jnp.copy, params) if learner.ema_decay else None
    return TrainState(params, learner.optimiser.init(params), average, jnp.zeros((), jnp.int32))


def train_step(learner: Learner, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
    """One step. `key` is the same throughout a training: the step's number is folded into it."""
    views = random_views(batch.images, jax.random.fold_in(key, state.step), learner.size)
    return learn(learner, state, views, batch.tokens)


def learn(learner: Learner, state: TrainState, views: jax.Array, tokens: jax.Array) -> tuple[TrainState, Metrics]:
    """The step after the augmentation: views uint8 [B,S,S,1 or 3] and tokens int32 [B,L] are compared as they are."""
    loss, gradient = jax.value_and_grad(pair_loss, argnums=1)(learner, state.params, views, tokens)
    updates, optimiser = learner.optimiser.update(gradient, state.optimiser, state.params)
    params = _hold_scale(optax.apply_updates(state.params, updates))
    average = None if state.average is None else _blend(state.average, params, learner.ema_decay)
    metrics = Metrics(loss, optax.tree.norm(gradient), similarity_scale(clip.logit_scale(state.params)))
    return TrainState(params, optimiser, average, state.step + 1), metrics


def pair_loss(learner: Learner, params: clip.Params, views: jax.Array, tokens: jax.Array) -> jax.Array:
    """The contrastive loss of a batch of views, uint8 [B,S,S,1 or 3], and tokens, int32 [B,L]."""
    images = embed_views(learner, params, views)
    texts = clip.text_embeddings(learner.graph, params, tokens)
    return contrastive_loss(images, texts, clip.logit_scale(params))


def embed_views(learner: Learner, params: clip.Params, views: jax.Array) -> jax.Array:
    """uint8 [B,S,S,1 or 3] -> float32 [B,D]."""
    pixels = normalise(views, jnp.asarray(learner.mean, jnp.float32), jnp.asarray(learner.std, jnp.float32))
    return clip.image_embeddings(learner.graph, params, pixels)


def _hold_scale(params: clip.Params) -> clip.Params:
    return {**params, "logit_scale": jnp.minimum(params["logit_scale"], MAX_LOGIT_SCALE)}


def _blend(average: clip.Params, params: clip.Params, decay: float) -> clip.Params:
    return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, average, params)
