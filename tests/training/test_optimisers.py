"""The optimisers of the recipes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from paperclip_cli.config import TINY_PRESET, TrainConfig, training_recipe
from paperclip_cli.towers import weights
from paperclip_cli.towers.config import Extras
from paperclip_cli.training.optimisers import MATRIX_RATE, optimiser
from tests.clip_models import write_model

RECIPE = replace(
    TINY_PRESET,
    learning_rate=1e-3,
    warmup_steps=0,
    weight_decay=0.01,
    schedule="constant",
    optimiser="muon",
    decays_all=True,
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


def decayed(chosen: optax.GradientTransformation, params: dict) -> set[str]:
    """The names of the parameters that a step without a gradient changes."""
    nothing = jax.tree.map(jnp.zeros_like, params)
    update = chosen.update(nothing, chosen.init(params), params)[0]
    return {
        "/".join(str(part.key) for part in path)
        for path, leaf in jax.tree.leaves_with_path(update)
        if bool(leaf.any())
    }


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_weight_decay_spares_norms_biases_and_the_logit_scale(name: str, tmp_path: Path) -> None:
    """Of a whole model with heads and a bias, all of whose parameters differ from 0."""
    model = replace(write_model(tmp_path), extras=Extras(8, True))
    shapes = weights.abstract(model)[1]
    params = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.5, leaf.dtype), shapes)
    everything = {
        "/".join(str(part.key) for part in path) for path, _ in jax.tree.leaves_with_path(params)
    }
    matrices = {path for path in everything if path.endswith(("kernel", "tokens", "positions"))}
    recipe = replace(RECIPE, optimiser=name, decays_all=False)
    assert decayed(optimiser(recipe), params) == matrices
    assert decayed(optimiser(replace(recipe, decays_all=True)), params) == everything
    spared = {path.rpartition("/")[2] for path in everything - matrices}
    assert spared == {"scale", "bias", "class_token", "logit_scale", "logit_bias"}


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_what_is_decayed_moves_as_it_did(name: str, params: dict) -> None:
    recipe = replace(RECIPE, optimiser=name)
    every = first_update(optimiser(recipe), params)
    some = first_update(optimiser(replace(recipe, decays_all=False)), params)
    none = first_update(optimiser(replace(recipe, weight_decay=0.0)), params)
    up, expected = (tree["vision"]["layers"]["blocks"]["up"] for tree in (some, every))
    np.testing.assert_allclose(up["kernel"], expected["kernel"], atol=1e-8)
    np.testing.assert_allclose(some["vision"]["positions"], every["vision"]["positions"], atol=1e-8)
    for tree in (every, some, none):
        tree["bias"] = tree["vision"]["layers"]["blocks"]["up"]["bias"]
    for part in ("bias", "logit_scale"):
        np.testing.assert_allclose(some[part], none[part], atol=1e-8)
        assert not np.allclose(some[part], every[part], atol=1e-8)


def test_the_papers_recipe_decays_everything() -> None:
    assert training_recipe(TrainConfig(recipe="paper")).decays_all
    for name in ("openai/clip-vit-base-patch16", "scratch:tiny", "scratch:base"):
        assert not training_recipe(TrainConfig(init=name)).decays_all
