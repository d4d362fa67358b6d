"""One step of training: augment, embed, compare, update.

Everything here is a pure function over pytrees, to be compiled.

A batch may pass through the towers in parts, with only one part at a time in memory (GradCache, Gao
et al. 2021, arXiv 2101.06983). First all parts are embedded. Then the loss is taken over the whole
batch, so that its negatives are those of the large batch. Last, each part is embedded again to
bring the loss's gradient back to the parameters. The update is that of the whole batch.

Shapes: B batch, C' stored side, S the model's image side, L tokens.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from paperclip_cli.towers import clip
from paperclip_cli.training.encoders import Encoders
from paperclip_cli.training.losses import Objective
from paperclip_cli.training.sharding import by_device, summed_by_device


class Batch(NamedTuple):
    """Stored images, uint8 [B,C',C',1 or 3], and texts, int32 [B,L]. Row i of both is one pair.

    For heads alone both are features, float32 [B,W]. `groups` int32 [B] numbers the proposals where
    all pairs of a proposal count as true, and is None elsewhere.
    """

    images: jax.Array
    texts: jax.Array
    groups: jax.Array | None = None


class TrainState(NamedTuple):
    """Everything that changes from step to step.

    `params` are the trained parameters; `average` is their moving average, None where none is kept.
    """

    params: clip.Params
    optimiser: optax.OptState
    average: clip.Params | None
    step: jax.Array


class Metrics(NamedTuple):
    """Measures of one step, float32 scalars.

    `gradient` is the global norm, `scale` the factor of the similarities, and `bias` that of the
    sigmoid loss.
    """

    loss: jax.Array
    gradient: jax.Array
    scale: jax.Array
    bias: jax.Array | None


class Learner(NamedTuple):
    """Everything that stays the same from step to step.

    `ema_decay` is the decay of the moving average (0: none). A batch is embedded in `parts` parts.
    `mesh` are the devices that share it, None for one alone.
    """

    encoders: Encoders
    optimiser: optax.GradientTransformation
    objective: Objective = Objective()
    ema_decay: float = 0.0
    parts: int = 1
    mesh: Mesh | None = None


def initial_state(learner: Learner, params: clip.Params) -> TrainState:
    """The state before the first step.

    The average starts as a copy: state is donated to the step, so no buffer may be in it twice.
    """
    average = jax.tree.map(jnp.copy, params) if learner.ema_decay else None
    return TrainState(params, learner.optimiser.init(params), average, jnp.zeros((), jnp.int32))


def train_step(
    learner: Learner, state: TrainState, batch: Batch, key: jax.Array
) -> tuple[TrainState, Metrics]:
    """One step. `key` is the same throughout a training; the step's number is folded into it."""
    views = learner.encoders.vary(batch.images, jax.random.fold_in(key, state.step))
    return learn(learner, state, batch._replace(images=views))


def learn(learner: Learner, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    """A step without augmentation: `batch.images` are views already."""
    loss, gradient = loss_and_gradient(learner, state.params, batch)

    updates, optimiser = learner.optimiser.update(gradient, state.optimiser, state.params)
    params = learner.objective.hold(optax.apply_updates(state.params, updates))
    average = state.average
    if average is not None:
        average = optax.incremental_update(params, average, 1 - learner.ema_decay)

    metrics = Metrics(
        loss,
        optax.tree.norm(gradient),
        learner.objective.scale(state.params),
        state.params.get("logit_bias"),
    )
    return TrainState(params, optimiser, average, state.step + 1), metrics


def pair_loss(learner: Learner, params: clip.Params, batch: Batch) -> jax.Array:
    """The loss of a batch of views."""
    images, texts = _embed(learner, params, batch)
    return learner.objective(params, images, texts, batch.groups)


def loss_and_gradient(
    learner: Learner, params: clip.Params, batch: Batch
) -> tuple[jax.Array, clip.Params]:
    """`pair_loss` and its gradient by the parameters; the batch is embedded at once or in parts."""
    if learner.parts == 1:
        return jax.value_and_grad(pair_loss, argnums=1)(learner, params, batch)

    parts = batch._replace(
        images=_cut(batch.images, learner.parts),
        texts=_cut(batch.texts, learner.parts),
        groups=None,
    )
    embedded = jax.lax.map(partial(_embed, learner, params), parts)

    def compare(params: clip.Params, embedded: tuple[jax.Array, jax.Array]) -> jax.Array:
        images, texts = map(_join, embedded)
        return learner.objective(params, images, texts, batch.groups)

    loss, (direct, slopes) = jax.value_and_grad(compare, argnums=(0, 1))(params, embedded)
    carried = summed_by_device(learner.mesh, partial(_carried_back, learner.encoders))
    indirect = carried(params, parts.images, parts.texts, *slopes)
    return loss, jax.tree.map(jnp.add, direct, indirect)


def _carried_back(
    encoders: Encoders, params: clip.Params, *parts_and_slopes: jax.Array
) -> clip.Params:
    """The gradient of the parameters: of images and texts in parts, and of their embeddings."""

    def add(total: clip.Params, of_part: tuple[jax.Array, ...]) -> tuple[clip.Params, None]:
        images, texts, *slopes = of_part
        back = jax.vjp(lambda params: _both(encoders, params, images, texts), params)[1]
        return jax.tree.map(jnp.add, total, back(tuple(slopes))[0]), None

    nothing = jax.tree.map(jnp.zeros_like, params)
    return jax.lax.scan(add, nothing, parts_and_slopes)[0]


def _embed(learner: Learner, params: clip.Params, batch: Batch) -> tuple[jax.Array, jax.Array]:
    both = by_device(learner.mesh, partial(_both, learner.encoders))
    return both(params, batch.images, batch.texts)


def _both(
    encoders: Encoders, params: clip.Params, images: jax.Array, texts: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return encoders.image(params, images), encoders.text(params, texts)


def _cut(rows: jax.Array, parts: int) -> jax.Array:
    """[B,...] -> [parts,B/parts,...]: a part has every `parts`-th row, so all devices share it."""
    return rows.reshape(-1, parts, *rows.shape[1:]).swapaxes(0, 1)


def _join(parts: jax.Array) -> jax.Array:
    """The inverse of `_cut`."""
    return parts.swapaxes(0, 1).reshape(-1, *parts.shape[2:])
