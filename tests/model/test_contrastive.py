"""The loss against PyTorch's cross-entropy, and its clip."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from paperclip_cli.model.contrastive import MAX_LOGIT_SCALE, contrastive_loss, similarity_scale


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
    assert float(contrastive_loss(images, texts, jnp.float32(raw))) == pytest.approx(float(expected), rel=1e-5)


def test_uninformative_embeddings_have_the_loss_of_chance() -> None:
    same = np.ones((32, 4), np.float32) / 2
    assert float(contrastive_loss(same, same, jnp.float32(3.0))) == pytest.approx(math.log(32), rel=1e-6)


def test_the_scale_is_clipped_at_100_and_keeps_its_gradient() -> None:
    scale = jax.vmap(jax.value_and_grad(similarity_scale))
    values, slopes = scale(jnp.asarray([1.0, MAX_LOGIT_SCALE, 5.0, 50.0]))
    np.testing.assert_allclose(values, [math.e, 100, 100, 100], rtol=1e-5)
    np.testing.assert_allclose(slopes, values, rtol=1e-6)
