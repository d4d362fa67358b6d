"""New models with random weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from paperclip_cli.errors import UsageError
from paperclip_cli.towers import clip, scratch
from tests.clip_models import CORPUS, drawn


def test_a_tiny_model_embeds_images_and_texts() -> None:
    made = scratch.new_model("scratch:tiny", CORPUS)
    graph, params = drawn(made)
    text, vision = made.config.text, made.config.vision
    assert (text.vocab_size, text.eos_token_id) == (made.tokenizer.size, made.tokenizer.end)
    assert not text.pools_highest_id and 2 not in (
        text.bos_token_id,
        text.eos_token_id,
        text.pad_token_id,
    )
    ids = jnp.asarray(made.tokenizer.batch(CORPUS, text.max_position_embeddings))
    assert clip.text_embeddings(graph, params, ids).shape == (
        len(CORPUS),
        made.config.projection_dim,
    )
    pixels = jnp.zeros((2, vision.image_size, vision.image_size, 3))
    assert clip.image_embeddings(graph, params, pixels).shape == (2, made.config.projection_dim)


def test_the_same_corpus_and_key_give_the_same_model() -> None:
    first, again = (scratch.new_model("scratch:tiny", iter(CORPUS)) for _ in range(2))
    assert first.config == again.config
    (graph, params), (same_graph, same_params) = drawn(first, 3), drawn(again, 3)
    assert graph == same_graph and jax.tree.all(jax.tree.map(jnp.array_equal, params, same_params))


def test_the_text_tower_of_the_tiny_model_is_a_bag_of_words_and_stays_one() -> None:
    """Word order changes nothing, and queries and keys have no gradient by which it ever could."""
    made = scratch.new_model("scratch:tiny", CORPUS)
    graph, params = drawn(made)
    words = list(range(10, 40))
    ids = jnp.asarray(
        [[made.tokenizer.start, *order, made.tokenizer.end] for order in (words, words[::-1])]
    )
    forth, back = clip.text_embeddings(graph, params, ids)
    assert jnp.allclose(forth, back, atol=1e-6)
    target = jnp.ones(made.config.projection_dim)
    slope = jax.grad(lambda params: clip.text_embeddings(graph, params, ids)[0] @ target)(params)[
        "text"
    ]["layers"]["blocks"]
    width = made.config.text.hidden_size
    kernel = slope["qkv"]["kernel"]
    assert not kernel[..., : 2 * width].any()
    assert kernel[..., 2 * width :].any()


def test_the_base_shape_is_vit_b_16() -> None:
    shapes = clip.abstract(scratch.SHAPES["scratch:base"])[1]
    # OpenAI's vision tower without its projection.
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes["vision"])) == 85_799_424


def test_another_name_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="scratch:huge"):
        scratch.new_model("scratch:huge", CORPUS)
