"""Attention from all tokens of a row, and from a single one.

It is softmax(q k^T / sqrt(D)) v, with q, k and v from one projection (Vaswani et al. 2017, arXiv
1706.03762, equation 1, section 3.2.2). Where a tower is pooled at one token, its last block need
not attend from the others.

Shapes: B batch, L tokens, W width, H heads, D = W / H.
"""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp

from paperclip_cli.towers.narrow import plus


def attend(qkv: jax.Array, heads: int, causal: bool) -> jax.Array:
    """Attention from all tokens: queries, keys and values [B, L, 3W] -> [B, L, W].

    With `causal`, no token sees those after it.
    """
    batch, length, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    q, k, v = jnp.moveaxis(qkv.reshape(batch, length, 3, heads, width // heads), 2, 0)
    q, k, v = (part.swapaxes(1, 2) for part in (q / math.sqrt(width // heads), k, v))
    return _attention(q, k, v, causal).swapaxes(1, 2).reshape(batch, length, width)


def padded_for_cudnn(tokens: jax.Array) -> jax.Array:
    """Tokens [B, L, W], with one of zeros at the end where L is odd.

    JAX refuses odd lengths to cuDNN when there is a gradient, and CLIP's are 197 and 77.
    """
    return jnp.pad(tokens, ((0, 0), (0, tokens.shape[1] % 2), (0, 0)))


def attend_with_cudnn(
    tokens: jax.Array, kernel: jax.Array, bias: jax.Array, heads: int, causal: bool, length: int
) -> jax.Array:
    """`attend` by cuDNN, for tokens [B, L', W] of which only the first `length` are seen.

    `kernel` [W, 3W] and `bias` [3W] project them. There are three products, each of a third of the
    kernel. cuDNN takes queries, keys and values as arrays of their own, [B, L', H, D], and parts of
    a single product would be copied for it, as would the parts of its gradient.
    """
    batch, padded, width = tokens.shape
    q, k, v = (
        plus(tokens @ part, own).reshape(batch, padded, heads, width // heads)
        for part, own in zip(jnp.split(kernel, 3, axis=1), jnp.split(bias, 3), strict=True)
    )
    # Under a causal mask no token sees the one at the end anyway.
    seen = None if causal or padded == length else jnp.full(batch, length, jnp.int32)
    attended = jax.nn.dot_product_attention(
        q, k, v, is_causal=causal, key_value_seq_lengths=seen, implementation="cudnn"
    )
    return attended.reshape(batch, padded, width)


def attend_at(
    tokens: jax.Array,
    place: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    heads: int,
    causal: bool,
) -> jax.Array:
    """The result of `attend` for one token in each row, [B, W].

    `tokens` are [B, L, W], projected by `kernel` [W, 3W] and `bias` [3W]; `place` int [B] is the
    token.

    Keys and values are not computed: q (W_k x) is (W_k^T q) x, and the mean of W_v x is W_v of the
    mean. The keys' bias adds the same to all scores of a head, which the softmax takes away again.
    """
    length, width = tokens.shape[1:]
    per_head = 3, heads, width // heads
    kernel, bias = kernel.reshape(width, *per_head), bias.reshape(per_head)

    query = plus(jnp.einsum("bw,whd->bhd", token_at(tokens, place), kernel[:, 0]), bias[0])
    query = query / math.sqrt(width // heads)
    scores = jnp.einsum("bhw,blw->bhl", jnp.einsum("bhd,whd->bhw", query, kernel[:, 1]), tokens)
    if causal:
        scores = jnp.where(jnp.arange(length)[None, None] <= place[:, None, None], scores, -jnp.inf)
    mean = jnp.einsum("bhl,blw->bhw", _softmax(scores), tokens)
    return plus(jnp.einsum("bhw,whd->bhd", mean, kernel[:, 2]), bias[2]).reshape(-1, width)


def token_at(tokens: jax.Array, place: jax.Array) -> jax.Array:
    """The token at a place in each row, [B, L, W] and int [B] -> [B, W]."""
    return jnp.take_along_axis(tokens, place[:, None, None], axis=1)[:, 0]


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _attention(q: jax.Array, k: jax.Array, v: jax.Array, causal: bool) -> jax.Array:
    """softmax(q k^T) v of [B, H, L, D].

    The gradient is written out, because XLA by itself keeps more and passes over it more often.
    That saves a tenth of a small tower's step on a CPU.
    """
    return _forward(q, k, v, causal)[0]


def _forward(
    q: jax.Array, k: jax.Array, v: jax.Array, causal: bool
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    scores = jnp.einsum("bhld,bhmd->bhlm", q, k)
    if causal:
        scores = jnp.where(jnp.tri(scores.shape[2], dtype=bool)[None, None], scores, -jnp.inf)
    weights = _softmax(scores)
    return jnp.einsum("bhlm,bhmd->bhld", weights, v), (q, k, v, weights)


def _backward(
    causal: bool, kept: tuple[jax.Array, ...], slope: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    q, k, v, weights = kept
    soft = weights.astype(jnp.float32)
    by_weight = jnp.einsum("bhld,bhmd->bhlm", slope, v).astype(jnp.float32)
    by_score = (soft * (by_weight - (soft * by_weight).sum(axis=-1, keepdims=True))).astype(q.dtype)
    return (
        jnp.einsum("bhlm,bhmd->bhld", by_score, k),
        jnp.einsum("bhlm,bhld->bhmd", by_score, q),
        jnp.einsum("bhlm,bhld->bhmd", weights, slope),
    )


_attention.defvjp(_forward, _backward)


def _softmax(scores: jax.Array) -> jax.Array:
    return jax.nn.softmax(scores.astype(jnp.float32)).astype(scores.dtype)
