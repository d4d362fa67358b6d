"""The towers against transformers' CLIPModel, and laws of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from paperclip_cli.towers import clip, weights
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.towers.folder import ModelFolder
from tests.clip_models import build, random_torch_clip, write_openai_tokenizer

ODD_TEXT = {
    "vocab_size": 600,
    "hidden_size": 48,
    "intermediate_size": 100,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 19,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "bos_token_id": 598,
    "eos_token_id": 599,
}
ODD_VISION = {
    "hidden_size": 60,
    "intermediate_size": 90,
    "num_hidden_layers": 2,
    "num_attention_heads": 5,
    "image_size": 30,
    "patch_size": 7,
    "hidden_act": "gelu",
}
ODD = ClipConfig(TextConfig(**ODD_TEXT), VisionConfig(**ODD_VISION), projection_dim=28)


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_openai_tokenizer(folder)
    return folder


def saved(model: Any, folder: Path, tokenizer_folder: Path) -> ModelFolder:
    """A folder as transformers writes it, with a tokenizer."""
    model.save_pretrained(folder)
    for file in tokenizer_folder.iterdir():
        (folder / file.name).hardlink_to(file)
    return ModelFolder.open(folder)


def assert_parity(model: Any, folder: ModelFolder, ids: np.ndarray, images: int) -> None:
    """Embeddings and logits of both agree to 1e-4 on random images and the given texts."""
    import torch

    side = folder.config.vision.image_size
    pixels = np.random.default_rng(1).normal(size=(images, side, side, 3)).astype(np.float32)
    with torch.no_grad():
        theirs = model(
            input_ids=torch.from_numpy(ids).long(),
            pixel_values=torch.from_numpy(pixels).permute(0, 3, 1, 2),
        )
    graph, params = weights.load(folder)
    image = clip.image_embeddings(graph, params, jnp.asarray(pixels))
    text = clip.text_embeddings(graph, params, jnp.asarray(ids))
    logits = jnp.exp(params["logit_scale"]) * image @ text.T
    np.testing.assert_allclose(image, theirs.image_embeds, atol=1e-4)
    np.testing.assert_allclose(text, theirs.text_embeds, atol=1e-4)
    np.testing.assert_allclose(logits, theirs.logits_per_image, atol=1e-4)


def odd_folder(tmp_path: Path, eos: int) -> tuple[Any, ModelFolder]:
    model = random_torch_clip(ODD_TEXT | {"eos_token_id": eos}, ODD_VISION, 28)
    model.save_pretrained(tmp_path)
    return model, ModelFolder(
        path=tmp_path, name="odd", config=ClipConfig.read(tmp_path / "config.json"), view=None
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("eos", [599, 2], ids=["first-end-token", "highest-id"])
def test_parity_of_an_odd_configuration(tmp_path: Path, eos: int) -> None:
    model, folder = odd_folder(tmp_path, eos)
    # A second end token, padding with the end token and with 0, an id 2 in the middle, and a full
    # row.
    ids = np.array(
        [
            [598, 5, 6, 599, 7, 599, 599, 0],
            [598, 2, 9, 4, 8, 599, 0, 0],
            [598, 11, 2, 30, 31, 32, 33, 599],
        ],
        np.int32,
    )
    assert_parity(model, folder, ids, images=4)


def test_parity_of_vit_b_16_and_of_what_it_becomes_in_our_hands(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    import torch
    from transformers import CLIPModel

    from paperclip_cli.towers.tokenizer import Tokenizer

    model = random_torch_clip({"eos_token_id": 2}, {"patch_size": 16}, 512)
    theirs = saved(model, tmp_path / "theirs", tokenizer_folder)
    tokenizer = Tokenizer.load(theirs)
    assert_parity(model, theirs, tokenizer.batch(["galaxy mergers", "dust " * 90], 77), images=2)

    ours = dataclasses.replace(theirs, path=tmp_path / "ours")
    weights.save(ours, weights.load(theirs)[1], tokenizer, "# A test\n")
    again = CLIPModel.from_pretrained(ours.path)
    assert again.config.text_config.eos_token_id == 2
    for (name, before), (same, after) in zip(
        model.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert name == same and torch.equal(before, after), name


def test_what_lies_after_the_end_token_changes_nothing() -> None:
    graph, params = build(ODD, jax.random.key(0))
    short = jnp.array([[598, 5, 6, 599]])
    long = jnp.array([[598, 5, 6, 599, 17, 599, 3]])
    np.testing.assert_allclose(
        clip.text_embeddings(graph, params, short),
        clip.text_embeddings(graph, params, long),
        atol=1e-6,
    )


def test_embeddings_have_length_1_and_stay_float32_in_a_narrow_type() -> None:
    graph, params = build(ODD, jax.random.key(0))
    pixels = jax.random.normal(jax.random.key(1), (3, 30, 30, 3))
    wide, narrow = (
        clip.image_embeddings(graph, params, pixels),
        clip.image_embeddings(graph, params, pixels, clip.Compute(jnp.bfloat16)),
    )
    assert narrow.dtype == jnp.float32
    np.testing.assert_allclose(jnp.linalg.norm(narrow, axis=1), 1.0, rtol=1e-5)
    assert jnp.sum(wide * narrow, axis=1).min() > 0.999
    assert not jnp.array_equal(wide, narrow)


def test_a_narrow_type_leaves_gradients_in_float32() -> None:
    graph, params = build(ODD, jax.random.key(0))
    ids = jnp.array([[598, 5, 6, 599]])
    gradient = jax.grad(
        lambda p: clip.text_embeddings(graph, p, ids, clip.Compute(jnp.bfloat16))[0, 0]
    )(params)
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype(jnp.float32)}
    assert jnp.abs(gradient["text"]["tokens"]).sum() > 0


def test_fused_attention_is_the_same_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings and gradients, of odd and even lengths.

    cuDNN only runs on NVIDIA's GPUs, so JAX's own implementation stands in for it here.
    """
    graph, params = build(ODD, jax.random.key(0))
    real, asked = jax.nn.dot_product_attention, []

    def attend(q: jax.Array, *others: jax.Array, implementation: str, **options: Any) -> jax.Array:
        asked.append((q.shape[1], implementation, options["is_causal"]))
        return real(q, *others, implementation="xla", **options)

    monkeypatch.setattr(jax.nn, "dot_product_attention", attend)
    pixels = jax.random.normal(jax.random.key(1), (2, 30, 30, 3))
    even = jnp.array([[598, 5, 6, 599], [598, 7, 599, 599]])
    odd = jnp.array([[598, 5, 599], [598, 599, 599]])

    def assert_same(embed: Callable[[clip.Params, clip.Compute], jax.Array]) -> None:
        def slope(params: clip.Params, how: clip.Compute) -> tuple[jax.Array, clip.Params]:
            found = embed(params, how)
            return (found * jax.random.normal(jax.random.key(2), found.shape)).sum(), found

        by_gradient = jax.jit(jax.grad(slope, has_aux=True), static_argnums=1)
        for fused, plain in zip(
            *(
                jax.tree.leaves(by_gradient(params, how))
                for how in (clip.Compute(fused=True), clip.Compute())
            ),
            strict=True,
        ):
            np.testing.assert_allclose(fused, plain, atol=1e-4, rtol=1e-4)

    assert_same(lambda params, how: clip.image_embeddings(graph, params, pixels, how))
    assert_same(lambda params, how: clip.text_embeddings(graph, params, even, how))
    assert_same(lambda params, how: clip.text_embeddings(graph, params, odd, how))
    assert asked == [(18, "cudnn", False), (4, "cudnn", True), (4, "cudnn", True)]


def test_the_shapes_of_a_model_are_known_without_making_it() -> None:
    graph, shapes = clip.abstract(ODD)
    built, params = build(ODD, jax.random.key(0))
    assert graph == built
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), shapes) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), params
    )


def test_initial_weights_follow_openai_and_the_key() -> None:
    params = build(ODD, jax.random.key(0))[1]
    blocks, width = params["vision"]["layers"]["blocks"], ODD.vision.hidden_size
    assert blocks["qkv"]["kernel"].shape == (2, width, 3 * width)
    into_residual = width**-0.5 * (2 * ODD.vision.num_hidden_layers) ** -0.5
    for name, deviation in (
        ("qkv", width**-0.5),
        ("out", into_residual),
        ("up", (2 * width) ** -0.5),
        ("down", into_residual),
    ):
        assert float(blocks[name]["kernel"].std()) == pytest.approx(deviation, rel=0.05)
        assert not jnp.array_equal(*blocks[name]["kernel"])
    assert float(params["logit_scale"]) == pytest.approx(np.log(1 / 0.07), abs=1e-3)
    other = build(ODD, jax.random.key(1))[1]
    assert not jnp.array_equal(params["text"]["tokens"], other["text"]["tokens"])


def test_the_gradient_of_a_frequent_token_is_a_sum_in_float32() -> None:
    """Compared with NumPy's sum in float64 of what each place of the batch contributes.

    The contributions come from the same towers, with a table that has a row for each place.
    """
    rows, length = 256, 16
    text = TextConfig(
        vocab_size=rows * length,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=length,
        hidden_act="gelu",
        layer_norm_eps=1e-5,
        bos_token_id=0,
        eos_token_id=2,  # pools at the highest id
    )
    graph, params = build(ClipConfig(text, VisionConfig(**ODD_VISION), 8), jax.random.key(0))
    rng = np.random.default_rng(0)
    ids = rng.zipf(1.3, (rows, length)).clip(max=50)
    ids[:, -1] = 51
    slope = jnp.asarray(rng.normal(size=(rows, 16)), jnp.float32)

    def gradient(table: np.ndarray, ids: np.ndarray) -> np.ndarray:
        def product(tokens: jax.Array) -> jax.Array:
            used = params | {"text": params["text"] | {"tokens": tokens}}
            how = clip.Compute(jnp.bfloat16)
            found = clip.text_features(graph, used, jnp.asarray(ids, jnp.int32), how)
            return (found.astype(jnp.float32) * slope).sum()

        return np.asarray(jax.grad(product)(jnp.asarray(table)))

    table = rng.normal(size=(rows * length, 16)).astype(np.float32)
    place = np.arange(rows * length).reshape(rows, length)
    each = gradient(table[ids.ravel()], place)
    expected = np.zeros(table.shape)
    np.add.at(expected, ids.ravel(), each.astype(np.float64))
    found = gradient(table, ids)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
