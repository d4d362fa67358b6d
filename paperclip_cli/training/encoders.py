"""How the rows of a batch become unit vectors: through whole towers, or, where those are frozen, from what they pooled once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from paperclip_cli.towers import clip
from paperclip_cli.towers.augment import normalise, random_views


class Encoders(NamedTuple):
    """Pure functions of what is trained.

    `vary(images, key)` draws a view of every image of a batch, `image(params, views)` and `text(params, texts)` embed: float32 [B,D].
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
        return normalise(
            views, jnp.asarray(self.mean, jnp.float32), jnp.asarray(self.std, jnp.float32)
        )


def towers(graph: clip.Graph, pixels: Pixels, how: clip.Compute = clip.Compute()) -> Encoders:
    """Whole towers: images uint8 [B,C',C',c] as they are stored, views uint8 [B,S,S,c], texts int32 [B,L]."""
    return Encoders(
        partial(random_views, size=pixels.size),
        lambda params, views: clip.image_embeddings(graph, params, pixels(views), how),
        lambda params, tokens: clip.text_embeddings(graph, params, tokens, how),
    )


def heads() -> Encoders:
    """Heads alone: images and texts are what the towers pooled, float32 [B,W], and hold their views already."""
    return Encoders(
        lambda features, key: features,
        lambda params, features: clip.head_embeddings(params["image_head"], features),
        lambda params, features: clip.head_embeddings(params["text_head"], features),
    )
