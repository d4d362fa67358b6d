"""Encoders of a batch as unit vectors: whole towers, or heads on the features of frozen ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from paperclip_cli.towers import clip
from paperclip_cli.towers.augment import normalise, random_views


class Encoders(NamedTuple):
    """Pure functions of the trained parameters.

    `vary(images, key)` draws a view of every image in a batch. `image(params, views)` and
    `text(params, texts)` embed them: float32 [B,D].
    """

    vary: Callable[[jax.Array, jax.Array], jax.Array]
    image: Callable[[clip.Params, jax.Array], jax.Array]
    text: Callable[[clip.Params, jax.Array], jax.Array]


class Pixels(NamedTuple):
    """A model's input: views of `size` pixels a side, normalised with `mean` and `std`."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, views: jax.Array) -> jax.Array:
        """uint8 [B,S,S,1 or 3] -> float32 [B,S,S,3]."""
        mean, std = jnp.asarray(self.mean, jnp.float32), jnp.asarray(self.std, jnp.float32)
        return normalise(views, mean, std)


def towers(graph: clip.Graph, pixels: Pixels, how: clip.Compute = clip.Compute()) -> Encoders:
    """Whole towers: stored images uint8 [B,C',C',c], views uint8 [B,S,S,c], texts int32 [B,L]."""
    return Encoders(
        partial(random_views, size=pixels.size),
        lambda params, views: clip.image_embeddings(graph, params, pixels(views), how),
        lambda params, tokens: clip.text_embeddings(graph, params, tokens, how),
    )


def heads() -> Encoders:
    """Heads alone. Images and texts are the towers' features of their views, float32 [B,W]."""
    return Encoders(
        lambda features, key: features,
        lambda params, features: clip.head_embeddings(params["image_head"], features),
        lambda params, features: clip.head_embeddings(params["text_head"], features),
    )
