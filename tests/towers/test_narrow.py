"""The parts of the towers in 16 bit, compared with JAX's own in 32 bit."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from paperclip_cli.towers.clip import quick_gelu
from paperclip_cli.towers.narrow import layer_norm, of_its_input, plus

BFLOAT16 = jnp.bfloat16


def normal(*shape: int, seed: int = 0, dtype: type = BFLOAT16) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32).astype(dtype)


def apart(one: jax.Array, other: jax.Array) -> float:
    one, other = (np.asarray(each, np.float64) for each in (one, other))
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def test_a_layer_norm_and_its_gradient_are_those_of_float32_rounded() -> None:
    x, slope = 3 * normal(4, 7, 64) + 1, normal(4, 7, 64, seed=1)
    scale, bias = (normal(64, seed=seed, dtype=jnp.float32) for seed in (2, 3))

    def wide(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / jnp.sqrt(variance + 1e-5) * scale[None, None] + bias[None, None]

    ours, back = jax.vjp(lambda *parts: layer_norm(*parts, 1e-5), x, scale, bias)
    theirs, their_back = jax.vjp(wide, x.astype(jnp.float32), scale, bias)
    assert ours.dtype == BFLOAT16 and apart(ours, theirs) < 0.005
    of_x, *of_vectors = back(slope)
    their_x, *of_their_vectors = their_back(slope.astype(jnp.float32))
    assert of_x.dtype == BFLOAT16 and apart(of_x, their_x) < 0.005
    for found, expected in zip(of_vectors, of_their_vectors, strict=True):
        assert found.dtype == jnp.float32 and apart(found, expected) < 1e-5


@pytest.mark.parametrize("function", [quick_gelu, jax.nn.gelu])
def test_an_activation_keeps_its_input_alone(function: Callable[[jax.Array], jax.Array]) -> None:
    x, slope = normal(50, 20), normal(50, 20, seed=1)
    ours, back = jax.vjp(of_its_input(function), x)
    theirs, their_back = jax.vjp(function, x)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(back(slope)[0], their_back(slope)[0])
    assert [kept.shape for kept in jax.tree.leaves(back)] == [x.shape]
    assert len(jax.tree.leaves(their_back)) > 1, "a test that any function passes proves nothing"


def test_the_gradient_of_a_vector_is_a_sum_in_float32() -> None:
    x, vector = normal(20_000, 8), normal(8, dtype=jnp.float32)
    slope = normal(20_000, 8, seed=1) + 1
    expected = np.asarray(slope, np.float64).sum(axis=0)
    found = jax.vjp(plus, x, vector)[1](slope)[1]
    assert found.dtype == jnp.float32 and apart(found, expected) < 1e-5
    alone = jax.vjp(lambda x, row: x + row[None], x, vector.astype(BFLOAT16))[1](slope)[1]
    assert apart(alone, expected) > 1e-3, "the sum in 16 bit is as good: the rest proves nothing"


def test_a_sum_of_one_type_is_an_ordinary_one() -> None:
    x, part = normal(3, 4, 5, dtype=jnp.float32), normal(4, 5, seed=1, dtype=jnp.float32)
    np.testing.assert_array_equal(plus(x, part), x + part[None])
