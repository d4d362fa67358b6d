"""Models that start from nothing: their shape, a tokenizer made from the corpus, random weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import jax

from paperclip_cli.errors import UsageError
from paperclip_cli.model import clip, tokenizer
from paperclip_cli.model.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.model.tokenizer import Tokenizer

# The vocabulary size of these shapes is an upper limit: the corpus decides. A few thousand abstracts cannot teach 49,408 tokens,
# most of which they would hold once or never; 16,384 leave nearly every astronomical word whole.
SHAPES = {
    "scratch:tiny": ClipConfig(
        TextConfig(vocab_size=3_000, hidden_size=128, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4,
                   max_position_embeddings=64),
        VisionConfig(hidden_size=128, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4, image_size=64, patch_size=8),
        projection_dim=128),
    "scratch:base": ClipConfig(TextConfig(vocab_size=16_384), VisionConfig(patch_size=16)),
}


class NewModel(NamedTuple):
    """An untrained model with all that belongs to it."""

    config: ClipConfig
    tokenizer: Tokenizer
    graph: clip.Graph
    params: clip.Params


def new_model(name: str, corpus: Iterable[str], key: jax.Array) -> NewModel:
    """`scratch:tiny` or `scratch:base` (ViT-B/16), with a tokenizer made from `corpus`. The same input gives the same model."""
    if name not in SHAPES:
        raise UsageError(f"no model {name!r} to start from", f"choose {' or '.join(SHAPES)}")
    shape = SHAPES[name]
    words = tokenizer.train(corpus, shape.text.vocab_size)
    text = dataclasses.replace(shape.text, vocab_size=words.size, bos_token_id=words.start, eos_token_id=words.end, pad_token_id=words.end)
    config = dataclasses.replace(shape, text=text)
    return NewModel(config, words, *clip.build(config, key))
