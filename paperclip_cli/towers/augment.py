"""Random views of stored images, made on the device inside the compiled step.

The paper rotates by quarter turns, flips and crops (arXiv 2403.08851, section 3.2). Here every image has its own key. The quarter
turns and flips are the eight symmetries of the square: transposed or not, upside down or not, left-right reversed or not.
The crop comes first: its place is uniform, so the order changes nothing but the number of pixels that are moved.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def normalise(views: jax.Array, mean: jax.Array, std: jax.Array) -> jax.Array:
    """uint8 [...,1 or 3] -> float32 [...,3]: (x / 255 - mean) / std, with mean and std [3]; one channel is repeated."""
    mean, std = (part.reshape((1,) * (views.ndim - 1) + (-1,)) for part in (mean, std))
    return (views.astype(jnp.float32) / 255.0 - mean) / std


def random_view(image: jax.Array, key: jax.Array, size: int) -> jax.Array:
    """One stored image, uint8 [C',C',c] -> uint8 [size,size,c]: a random crop under a random symmetry of the square."""
    crop_key, turn_key = jax.random.split(key)
    top, left = jax.random.randint(crop_key, (2,), 0, image.shape[0] - size + 1)
    view = jax.lax.dynamic_slice(image, (top, left, 0), (size, size, image.shape[2]))
    transposed, upside_down, reversed_ = jax.random.bernoulli(turn_key, shape=(3,))
    view = jnp.where(transposed, view.swapaxes(0, 1), view)
    view = jnp.where(upside_down, view[::-1], view)
    return jnp.where(reversed_, view[:, ::-1], view)


def random_views(images: jax.Array, key: jax.Array, size: int) -> jax.Array:
    """A batch, uint8 [B,C',C',c] -> uint8 [B,size,size,c], one key an image."""
    keys = jax.random.split(key, images.shape[0])
    return jax.vmap(random_view, in_axes=(0, 0, None))(images, keys, size)
