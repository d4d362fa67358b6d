"""Attention and its gradient, compared with the formula."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.towers.attention import attend, attend_at


def formula(qkv: jax.Array, heads: int, causal: bool) -> jax.Array:
    batch, length, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    q, k, v = (part.reshape(batch, length, heads, -1) for part in jnp.split(qkv, 3, axis=2))
    scores = jnp.einsum("blhd,bmhd->bhlm", q, k) / math.sqrt(width // heads)
    scores = jnp.where(jnp.tri(length, dtype=bool) | (not causal), scores, -jnp.inf)
    return jnp.einsum("bhlm,bmhd->blhd", jax.nn.softmax(scores), v).reshape(batch, length, width)


def normal(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_and_its_gradient_are_those_of_the_formula(causal: bool) -> None:
    qkv, slope = normal(3, 7, 36), normal(3, 7, 12, seed=1)
    ours, back = jax.vjp(lambda qkv: attend(qkv, 2, causal), qkv)
    theirs, their_back = jax.vjp(lambda qkv: formula(qkv, 2, causal), qkv)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(back(slope)[0], their_back(slope)[0], atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(
    length=st.integers(1, 9),
    heads=st.sampled_from([1, 2, 3]),
    causal=st.booleans(),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_one_token_attends_as_it_does_among_all(
    length: int, heads: int, causal: bool, seed: int, data: st.DataObject
) -> None:
    tokens, kernel, bias = (
        normal(4, length, 12, seed=seed),
        normal(12, 36, seed=1),
        normal(36, seed=2),
    )
    place = jnp.asarray(data.draw(st.lists(st.integers(0, length - 1), min_size=4, max_size=4)))
    all_of_them = formula(tokens @ kernel + bias[None, None], heads, causal)
    one = attend_at(tokens, place, kernel, bias, heads, causal)
    np.testing.assert_allclose(one, all_of_them[np.arange(4), place], atol=2e-5, rtol=2e-5)


def test_in_16_bits_the_gradient_is_that_of_32_bits_rounded() -> None:
    qkv, slope = normal(3, 7, 36), normal(3, 7, 12, seed=1)
    narrow = jax.vjp(lambda qkv: attend(qkv, 2, True), qkv.astype(jnp.bfloat16))[1](
        slope.astype(jnp.bfloat16)
    )[0]
    wide = jax.vjp(lambda qkv: attend(qkv, 2, True), qkv)[1](slope)[0]
    assert narrow.dtype == jnp.bfloat16
    assert float(jnp.linalg.norm(narrow.astype(jnp.float32) - wide) / jnp.linalg.norm(wide)) < 0.02
