"""New models with random weights, their shapes, and a tokenizer made from the corpus.

`scratch:tiny` is for a few hundred images and a processor without an accelerator. It differs from
CLIP in three ways:

- Its text tower is a bag of words. Queries and keys begin at zero, where neither has a gradient, so
that attention stays uniform and a text is the mean of its words. (With free attention the tower
learns so few captions by heart within a hundred steps.)
- Its vision tower begins with the attention of trained transformers (`mimetic_init`).
- Pixels are normalised so that a dark sky is near zero and an object far from it, and areas without
data are painted as sky.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from paperclip_cli.errors import UsageError
from paperclip_cli.towers import clip, init, tokenizer
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.towers.mimetic_init import begin_attention
from paperclip_cli.towers.preprocessor import CLIP_MEAN, CLIP_STD
from paperclip_cli.towers.tokenizer import Tokenizer

TINY = "scratch:tiny"
# The vocabulary size of these shapes is an upper limit; the corpus decides. A few thousand
# abstracts cannot teach 49,408 tokens, most of which would occur once or never. With 16,384 nearly
# every astronomical word stays whole.
SHAPES = {
    TINY: ClipConfig(
        TextConfig(
            vocab_size=3_000,
            hidden_size=64,
            intermediate_size=256,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=40,
        ),
        VisionConfig(
            hidden_size=48,
            intermediate_size=192,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=64,
            patch_size=8,
        ),
        projection_dim=64,
    ),
    "scratch:base": ClipConfig(TextConfig(vocab_size=16_384), VisionConfig(patch_size=16)),
}


DARK_SKY_MEAN, DARK_SKY_STD = (0.1, 0.1, 0.1), (0.2, 0.2, 0.2)


class NewModel(NamedTuple):
    """A model to be trained, without its weights.

    `mean` and `std` normalise pixels (0 to 1); `fill` is that of its view.
    """

    name: str
    config: ClipConfig
    tokenizer: Tokenizer
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    fill: str = "none"

    def draw(self, shapes: clip.Params, key: jax.Array) -> clip.Params:
        """Its weights, float32 in the shapes from `clip.abstract`, which follow from the key."""
        params = init.draw(shapes, self.config, key)
        if self.name != TINY:
            return params
        return _seeing(_bag_of_words(params), self.config.vision.num_attention_heads, key)


def new_model(name: str, corpus: Iterable[str]) -> NewModel:
    """`scratch:tiny` or `scratch:base` (ViT-B/16), with a tokenizer made from `corpus`.

    The same corpus gives the same model.
    """
    if name not in SHAPES:
        raise UsageError(f"no model {name!r} to start from", f"choose {' or '.join(SHAPES)}")

    shape = SHAPES[name]
    words = tokenizer.train(corpus, shape.text.vocab_size)
    text = dataclasses.replace(
        shape.text,
        vocab_size=words.size,
        bos_token_id=words.start,
        eos_token_id=words.end,
        pad_token_id=words.end,
    )
    config = dataclasses.replace(shape, text=text)
    if name != TINY:
        return NewModel(name, config, words)
    return NewModel(name, config, words, DARK_SKY_MEAN, DARK_SKY_STD, "sky")


def _seeing(params: clip.Params, heads: int, key: jax.Array) -> clip.Params:
    """The same parameters, with a vision tower that has the attention of trained transformers.

    Its positions are scaled down, so that they mean little at first.
    """
    vision = params["vision"]
    stream = np.random.default_rng([*np.asarray(jax.random.key_data(key)).tolist(), 1])
    blocks = begin_attention(vision["layers"]["blocks"], heads, stream)
    return {
        **params,
        "vision": {**vision, "positions": 0.1 * vision["positions"], "layers": {"blocks": blocks}},
    }


def _bag_of_words(params: clip.Params) -> clip.Params:
    """The same parameters, with a text tower of uniform attention.

    The order of words adds nothing to its result, and at first neither does an MLP.
    """
    blocks = params["text"]["layers"]["blocks"]
    width = params["text"]["positions"].shape[1]
    qkv = {**blocks["qkv"], "kernel": blocks["qkv"]["kernel"].at[..., : 2 * width].set(0)}
    down = {**blocks["down"], "kernel": jnp.zeros_like(blocks["down"]["kernel"])}
    text = {**params["text"], "positions": jnp.zeros_like(params["text"]["positions"])}
    return {**params, "text": {**text, "layers": {"blocks": {**blocks, "qkv": qkv, "down": down}}}}
