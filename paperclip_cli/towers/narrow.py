"""Parts of the towers in 16 bit whose gradients JAX would make of too much or too roughly.

Matrices are 16 bit, vectors (biases, scales, positions) float32. A layer norm's statistics and its
normalised input are float32 in any case. Left to itself, JAX also keeps arrays of that type for the
backward pass, several for each norm and of the size of the activations, and several of an
activation function. Here the backward pass has the 16-bit input only (and two numbers a token), and
computes the rest again, which a GPU does while it reads. The gradient of a vector is a sum over
all tokens of a batch. It is taken in float32.

Shapes: W width of a tower.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def layer_norm(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over the last axis, [..., W].

    The input and the result are 16 bit, everything else float32. The variance is the mean of
    squared differences (Ba et al. 2016, arXiv 1607.06450, equation 3).
    """
    return _norm_forward(x, scale, bias, epsilon)[0]


def _norm_forward(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    wide = x.astype(jnp.float32)
    mean = wide.mean(axis=-1, keepdims=True)
    variance = jnp.square(wide - mean).mean(axis=-1, keepdims=True)
    inverse = jax.lax.rsqrt(variance + epsilon)
    found = (wide - mean) * (inverse * _row(scale, x.ndim)) + _row(bias, x.ndim)
    return found.astype(x.dtype), (x, mean, inverse, scale)


def _norm_backward(
    epsilon: float, kept: tuple[jax.Array, ...], slope: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    # Without the barrier XLA would compute the statistics again, and then write `normed` out.
    x, mean, inverse, scale = jax.lax.optimization_barrier(kept)
    rows = tuple(range(x.ndim - 1))
    slope = slope.astype(jnp.float32)
    normed = (x.astype(jnp.float32) - mean) * inverse
    scaled = slope * _row(scale, x.ndim)
    level = scaled.mean(axis=-1, keepdims=True)
    along = (scaled * normed).mean(axis=-1, keepdims=True)
    return (
        (inverse * (scaled - level - normed * along)).astype(x.dtype),
        (slope * normed).sum(axis=rows),
        slope.sum(axis=rows),
    )


layer_norm.defvjp(_norm_forward, _norm_backward)


def _row(vector: jax.Array, rank: int) -> jax.Array:
    """[W] -> [1, ..., 1, W]."""
    return vector.reshape((1,) * (rank - 1) + (-1,))


def plus(x: jax.Array, part: jax.Array) -> jax.Array:
    """x + part, of the type of x. `part` has the last axes of x."""
    return x + _as_tall(part, x) if part.dtype == x.dtype else _plus(x, part)


@jax.custom_vjp
def _plus(x: jax.Array, part: jax.Array) -> jax.Array:
    """The same for 16 bit and float32."""
    return x + _as_tall(part, x).astype(x.dtype)


_plus.defvjp(
    lambda x, part: (_plus(x, part), part), lambda part, slope: (slope, _summed(slope, part.ndim))
)


def _as_tall(part: jax.Array, x: jax.Array) -> jax.Array:
    return part[(None,) * (x.ndim - part.ndim)]


def _summed(slope: jax.Array, kept: int) -> jax.Array:
    """The sum over all but the last `kept` axes, in float32."""
    return slope.astype(jnp.float32).sum(axis=tuple(range(slope.ndim - kept)))


def of_its_input(function: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    """The same elementwise function, of which only the input is kept for the backward pass."""

    @jax.custom_vjp
    def same(x: jax.Array) -> jax.Array:
        return function(x)

    same.defvjp(lambda x: (function(x), x), lambda x, slope: jax.vjp(function, x)[1](slope))
    return same
