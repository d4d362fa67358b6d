"""The optimisers of the recipes."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from paperclip_cli.config import TINY_PRESET
from paperclip_cli.training.optimisers import MATRIX_RATE, optimiser

RECIPE = replace(
    TINY_PRESET,
    learning_rate=1e-3,
    warmup_steps=0,
    weight_decay=0.01,
    schedule="constant",
    optimiser="muon",
)


@pytest.fixture
def params() -> dict:
    stream = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(stream.normal(size=shape), jnp.float32)  # noqa: E731
    return {
        "vision": {
            "layers": {"blocks": {"up": {"kernel": draw(2, 6, 10), "bias": draw(2, 10)}}},
            "positions": draw(5, 6),
        },
        "image_projection": {"kernel": draw(6, 4)},
        "logit_scale": draw(),
    }


def first_update(chosen: optax.GradientTransformation, params: dict) -> dict:
    gradient = jax.tree.map(lambda leaf: 0.3 * leaf, params)
    with jax.numpy_dtype_promotion(
        "standard"
    ):  # optax's own, beside ours, which see to it themselves
        return chosen.update(gradient, chosen.init(params), params)[0]


def test_muon_moves_the_matrices_of_blocks_in_all_directions_alike(params: dict) -> None:
    update = first_update(optimiser(RECIPE), params)["vision"]["layers"]["blocks"]["up"]["kernel"]
    for matrix in np.asarray(update):
        values = np.linalg.svd(matrix, compute_uv=False)
        # Five Newton-Schulz steps bring them near each other, not together.
        assert values.max() / values.min() < 2
        rate = MATRIX_RATE * RECIPE.learning_rate
        assert values.mean() == pytest.approx(rate * max(1, 10 / 6) ** 0.5, rel=0.3)


def test_muon_leaves_everything_else_to_adamw(params: dict) -> None:
    muon, adamw = (
        first_update(optimiser(RECIPE), params),
        first_update(optax.nadamw(1e-3, weight_decay=0.01), params),
    )
    for tree in (muon, adamw):
        tree["vision"]["layers"]["blocks"]["up"].pop("kernel")
    assert jax.tree.all(
        jax.tree.map(lambda one, other: bool(jnp.allclose(one, other, atol=1e-7)), muon, adamw)
    )


def test_adamw_is_the_papers(params: dict) -> None:
    ours = first_update(optimiser(replace(RECIPE, optimiser="adamw")), params)
    theirs = first_update(optax.adamw(1e-3, weight_decay=0.01), params)
    assert jax.tree.all(jax.tree.map(lambda one, other: bool((one == other).all()), ours, theirs))
