"""The contrastive loss that CLIP is trained with.

For B pairs with L2-normalised embeddings u_i (images) and v_i (texts) and a scale s = exp(logit_scale), clipped at 100:

    loss = 1/2 [ mean_i CE(s u_i . v_j over j, i) + mean_j CE(s u_i . v_j over i, j) ]

with CE the cross-entropy of a softmax: Radford et al. 2021 (arXiv 2103.00020), figure 3 and section 2.5; symmetric InfoNCE.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

MAX_LOGIT_SCALE = math.log(100.0)


def similarity_scale(logit_scale: jax.Array) -> jax.Array:
    """What similarities are multiplied by: exp(logit_scale), at most 100.

    The clip is straight-through: a parameter at the limit (OpenAI's models start there) keeps its gradient, so that it can
    come down again. The step holds the parameter itself at the limit.
    """
    excess = jax.lax.stop_gradient(jnp.maximum(logit_scale - MAX_LOGIT_SCALE, 0.0))
    return jnp.exp(logit_scale - excess)


def contrastive_loss(images: jax.Array, texts: jax.Array, logit_scale: jax.Array) -> jax.Array:
    """Symmetric InfoNCE of images [B,D] and texts [B,D] (float32, L2-normalised; row i of both is one pair): a float32 scalar."""
    logits = similarity_scale(logit_scale) * images @ texts.T
    true = jnp.diagonal(logits)
    to_texts = jax.nn.logsumexp(logits, axis=1) - true
    to_images = jax.nn.logsumexp(logits, axis=0) - true
    return 0.5 * (to_texts.mean() + to_images.mean())
