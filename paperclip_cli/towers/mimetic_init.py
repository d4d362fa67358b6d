"""Mimetic initialisation: attention that starts out like that of trained transformers.

The source is Trockman & Kolter 2023 (arXiv:2305.09828). In trained vision transformers the queries
and keys of a head go together (W_Q W_K^T has a positive diagonal), and values and output go against
each other (W_V W_O has a negative one). With W the width, d a head's size and Z a W x W matrix of
normal deviates of variance 1 / W:

    W_Q W_K^T ~ 0.7 Z + 0.7 I  for each head, and  W_V W_O = 0.4 Z - 0.4 I  for all heads together

(section 3 and table 1 of the paper). Products are split evenly by their singular values; a head
keeps the first d of these.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

_TOGETHER, _AGAINST = (0.7, 0.7), (0.4, -0.4)  # the weights of noise and diagonal


def begin_attention(
    blocks: dict[str, Any], heads: int, stream: np.random.Generator
) -> dict[str, Any]:
    """The parameters of stacked blocks, with such attention in each of the N layers.

    They include `qkv` [N,W,3W] and `out` [N,W,W].
    """
    layers, width, _ = blocks["qkv"]["kernel"].shape
    drawn = [_attention(width, heads, stream) for _ in range(layers)]
    qkv, out = (jnp.asarray(np.stack(part), jnp.float32) for part in zip(*drawn, strict=True))
    return {
        **blocks,
        "qkv": {**blocks["qkv"], "kernel": qkv},
        "out": {**blocks["out"], "kernel": out},
    }


def _attention(
    width: int, heads: int, stream: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Queries, keys and values [W,3W] and the output [W,W] of a layer."""
    size = width // heads
    pairs = [_split(_drawn(width, _TOGETHER, stream), size) for _ in range(heads)]
    values, out = _split(_drawn(width, _AGAINST, stream), width)
    queries, keys = [query for query, _ in pairs], [key.T for _, key in pairs]
    return np.concatenate([*queries, *keys, values], axis=1), out


def _drawn(width: int, weights: tuple[float, float], stream: np.random.Generator) -> np.ndarray:
    noise, diagonal = weights
    deviates = noise * stream.standard_normal((width, width)) / np.sqrt(width)
    return deviates + diagonal * np.eye(width)


def _split(product: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """The two factors, [W,rank] and [rank,W], whose product is nearest to `product`."""
    left, values, right = np.linalg.svd(product)
    root = np.sqrt(values[:rank])
    return left[:, :rank] * root, root[:, None] * right[:rank]
