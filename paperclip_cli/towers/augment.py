"""Random views of stored images, made on the device inside the compiled step.

The paper rotates by quarter turns, flips and crops (arXiv 2403.08851, section 3.2). Here every
image has a key of its own. Quarter turns and flips make up the eight symmetries of the square:
transposed or not, upside down or not, left-right reversed or not. The crop comes first. Its place
is uniform, so the order only changes the number of pixels that are moved.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def normalise(views: jax.Array, mean: jax.Array, std: jax.Array) -> jax.Array:
    """Normalised views (x / 255 - mean) / std, uint8 [...,1 or 3] -> float32 [...,3].

    Mean and std are [3]; a single channel is repeated.
    """
    mean, std = (part.reshape((1,) * (views.ndim - 1) + (-1,)) for part in (mean, std))
    return (views.astype(jnp.float32) / 255.0 - mean) / std


def random_view(image: jax.Array, key: jax.Array, size: int) -> jax.Array:
    """A random crop of a stored image under a random symmetry of the square.

    uint8 [C',C',c] -> uint8 [size,size,c].
    """
    crop_key, turn_key = jax.random.split(key)
    top, left = jax.random.randint(crop_key, (2,), 0, image.shape[0] - size + 1)
    view = jax.lax.dynamic_slice(image, (top, left, 0), (size, size, image.shape[2]))
    transposed, upside_down, reversed_ = jax.random.bernoulli(turn_key, shape=(3,))
    view = jnp.where(transposed, view.swapaxes(0, 1), view)
    view = jnp.where(upside_down, view[::-1], view)
    return jnp.where(reversed_, view[:, ::-1], view)


def random_views(images: jax.Array, key: jax.Array, size: int) -> jax.Array:
    """Random views of a batch, one key an image: uint8 [B,C',C',c] -> uint8 [B,size,size,c]."""
    keys = jax.random.split(key, images.shape[0])
    return jax.vmap(random_view, in_axes=(0, 0, None))(images, keys, size)
