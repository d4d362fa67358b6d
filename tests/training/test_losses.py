"""The losses against PyTorch and against their formulas, and the clip of the scale."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.training.losses import (
    MAX_LOGIT_SCALE,
    Objective,
    sigmoid_loss,
    similarity_scale,
    softmax_loss,
)


def unit(shape: tuple[int, int], seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("raw", [0.0, 2.6592, 4.6052])
def test_the_loss_is_the_mean_of_two_cross_entropies(raw: float) -> None:
    torch = pytest.importorskip("torch")
    images, texts = unit((20, 8), 0), unit((20, 8), 1)
    logits = torch.tensor(min(math.exp(raw), 100.0) * images @ texts.T)
    target = torch.arange(20)
    entropy = torch.nn.functional.cross_entropy
    expected = (entropy(logits, target) + entropy(logits.T, target)) / 2
    assert float(Objective()({"logit_scale": jnp.float32(raw)}, images, texts)) == pytest.approx(
        float(expected), rel=1e-5
    )


def test_uninformative_embeddings_have_the_loss_of_chance() -> None:
    same = np.ones((32, 4), np.float32) / 2
    assert float(Objective()({"logit_scale": jnp.float32(3.0)}, same, same)) == pytest.approx(
        math.log(32), rel=1e-6
    )


def test_the_scale_is_clipped_at_100_and_keeps_its_gradient() -> None:
    scale = jax.vmap(jax.value_and_grad(similarity_scale))
    values, slopes = scale(jnp.asarray([1.0, MAX_LOGIT_SCALE, 5.0, 50.0]))
    np.testing.assert_allclose(values, [math.e, 100, 100, 100], rtol=1e-5)
    np.testing.assert_allclose(slopes, values, rtol=1e-6)


def logits(count: int, seed: int = 0) -> np.ndarray:
    return 5 * np.random.default_rng(seed).normal(size=(count, count)).astype(np.float32)


def true_pairs(groups: list[int]) -> np.ndarray:
    return np.equal.outer(groups, groups)


def test_the_sigmoid_loss_is_the_binary_cross_entropy_of_all_pairs() -> None:
    """SigLIP's pseudocode sums over all pairs and divides by the batch."""
    torch = pytest.importorskip("torch")
    found, bias = logits(12), -2.5
    expected = (
        torch.nn.functional.binary_cross_entropy_with_logits(
            torch.tensor(found + bias), torch.eye(12), reduction="sum"
        )
        / 12
    )
    assert float(sigmoid_loss(jnp.asarray(found + bias))) == pytest.approx(
        float(expected), rel=1e-5
    )
    images, texts = unit((12, 8), 0), unit((12, 8), 1)
    params = {"logit_scale": jnp.float32(2.0), "logit_bias": jnp.float32(bias)}
    signs = 2 * np.eye(12) - 1
    formula = (
        np.log1p(
            np.exp(-signs * (math.exp(2.0) * images.astype(np.float64) @ texts.T + bias))
        ).sum()
        / 12
    )
    assert float(Objective("sigmoid")(params, images, texts)) == pytest.approx(formula, rel=1e-5)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=6, max_size=6), st.integers(0, 9))
def test_several_true_pairs_share_the_target(groups: list[int], seed: int) -> None:
    """Cross-entropy with a target spread evenly over true pairs; for the sigmoid, their sign."""
    torch = pytest.importorskip("torch")
    found, true = (
        torch.tensor(logits(6, seed)),
        torch.tensor(true_pairs(groups), dtype=torch.float32),
    )
    entropy = torch.nn.functional.cross_entropy
    share = true / true.sum(1, keepdim=True)
    expected = (entropy(found, share) + entropy(found.T, share)) / 2
    assert float(softmax_loss(found.numpy(), jnp.asarray(groups))) == pytest.approx(
        float(expected), rel=1e-5
    )
    binary = torch.nn.functional.binary_cross_entropy_with_logits(found, true, reduction="sum") / 6
    assert float(sigmoid_loss(found.numpy(), jnp.asarray(groups))) == pytest.approx(
        float(binary), rel=1e-5
    )


@given(st.permutations(range(6)), st.integers(0, 9))
def test_groups_of_one_change_nothing(groups: list[int], seed: int) -> None:
    for loss in (softmax_loss, sigmoid_loss):
        assert float(loss(logits(6, seed), jnp.asarray(groups))) == pytest.approx(
            float(loss(logits(6, seed))), rel=1e-6
        )


def test_the_raw_scale_multiplies_as_it_is() -> None:
    images, texts = unit((20, 8), 0), unit((20, 8), 1)
    raw = Objective(raw=True)({"logit_scale": jnp.float32(4.6)}, images, texts)
    clips = Objective()({"logit_scale": jnp.float32(math.log(4.6))}, images, texts)
    assert float(raw) == pytest.approx(float(clips), rel=1e-5)
