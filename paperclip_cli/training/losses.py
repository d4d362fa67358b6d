"""Contrastive losses: CLIP's softmax loss and SigLIP's sigmoid loss.

For B pairs with L2-normalised embeddings u_i (images) and v_j (texts), a scale s and logits
l_ij = s u_i . v_j:

    softmax:  1/2 [ mean_i CE(l_ij over j, i) + mean_j CE(l_ij over i, j) ]
    sigmoid:  -1/B sum_ij log sigmoid(z_ij (l_ij + b)),  z_ij = 1 for true pairs, -1 for all others

with CE the cross-entropy of a softmax. The first is symmetric InfoNCE (Radford et al. 2021, arXiv
2103.00020, figure 3 and section 2.5), the second equation 1 of Zhai et al. 2023 (arXiv 2303.15343).
s is exp(logit_scale), clipped at 100; in the paper's reference code it is the parameter itself.

Several pairs of a batch may belong to one group (a proposal), and all of them may count as true.
The target of a row is then spread evenly over them, in both directions (Khosla et al. 2020, arXiv
2004.11362, equation 2). With groups of one pair the losses are those above.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

MAX_LOGIT_SCALE = math.log(100.0)
# SigLIP's scale and bias (section 3.2). The bias is low because most pairs of a batch are not true.
SIGMOID_START = (10.0, -10.0)


class Objective(NamedTuple):
    """A choice of loss, `softmax` or `sigmoid`.

    With `raw`, the parameter `logit_scale` is the scale itself rather than its logarithm.
    """

    loss: str = "softmax"
    raw: bool = False

    def scale(self, params: dict) -> jax.Array:
        """The factor of the similarities."""
        return params["logit_scale"] if self.raw else similarity_scale(params["logit_scale"])

    def __call__(
        self, params: dict, images: jax.Array, texts: jax.Array, groups: jax.Array | None = None
    ) -> jax.Array:
        """The loss of embeddings, a float32 scalar.

        Images and texts are [B,D], float32 and L2-normalised; row i of both is one pair. `groups`
        int [B] numbers the groups of the pairs; None where only a pair's own text is true of it.
        """
        logits = self.scale(params) * images @ texts.T
        if self.loss == "softmax":
            return softmax_loss(logits, groups)
        return sigmoid_loss(logits + params["logit_bias"], groups)

    def hold(self, params: dict) -> dict:
        """The parameters, with the scale back at its limit if a step has taken it beyond."""
        if self.raw:
            return params
        return {**params, "logit_scale": jnp.minimum(params["logit_scale"], MAX_LOGIT_SCALE)}


def similarity_scale(logit_scale: jax.Array) -> jax.Array:
    """exp(logit_scale), at most 100.

    The clip is straight-through: a parameter at the limit (OpenAI's models start there) keeps its
    gradient, so that it can come down again. The step holds the parameter itself at the limit.
    """
    excess = jax.lax.stop_gradient(jnp.maximum(logit_scale - MAX_LOGIT_SCALE, 0.0))
    return jnp.exp(logit_scale - excess)


def softmax_loss(logits: jax.Array, groups: jax.Array | None = None) -> jax.Array:
    """Symmetric InfoNCE of logits [B,B]."""
    if groups is None:
        to_texts = to_images = jnp.diagonal(logits)
    else:
        true = _true(groups)
        # Symmetric, because a group has as many rows as columns.
        share = true.astype(jnp.float32) / true.sum(axis=1, keepdims=True, dtype=jnp.float32)
        to_texts, to_images = (share * logits).sum(axis=1), (share * logits).sum(axis=0)
    by_image = jax.nn.logsumexp(logits, axis=1) - to_texts
    by_text = jax.nn.logsumexp(logits, axis=0) - to_images
    return 0.5 * (by_image.mean() + by_text.mean())


def sigmoid_loss(logits: jax.Array, groups: jax.Array | None = None) -> jax.Array:
    """The sigmoid loss of logits [B,B], bias included: the sum over all pairs, divided by B."""
    true = jnp.eye(len(logits), dtype=bool) if groups is None else _true(groups)
    return -jax.nn.log_sigmoid(jnp.where(true, logits, -logits)).sum() / len(logits)


def _true(groups: jax.Array) -> jax.Array:
    return groups[:, None] == groups[None, :]
