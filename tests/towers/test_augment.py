"""Random views: their distribution, their independence between images, and normalisation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from paperclip_cli.towers.augment import normalise, random_view, random_views


def symmetries(square: np.ndarray) -> list[np.ndarray]:
    """The four quarter turns, and those of the mirror image, by NumPy's own functions."""
    return [np.rot90(side, turns) for side in (square, np.fliplr(square)) for turns in range(4)]


def test_all_eight_symmetries_are_drawn_equally_often() -> None:
    image = np.arange(5 * 5 * 3, dtype=np.uint8).reshape(5, 5, 3)
    views = np.asarray(random_views(np.repeat(image[None], 2_000, axis=0), jax.random.key(0), 5))
    expected = [square.tobytes() for square in symmetries(image)]
    counts = np.bincount([expected.index(view.tobytes()) for view in views], minlength=8)
    assert counts.min() > 190 and counts.max() < 310  # 250 +- 4 sigma


def test_crops_are_drawn_from_the_whole_image_and_nowhere_else() -> None:
    image = np.arange(7 * 7, dtype=np.uint8).reshape(7, 7, 1)
    views = np.asarray(random_views(np.repeat(image[None], 2_000, axis=0), jax.random.key(1), 4))
    places = {
        tuple(square.ravel()[:2])
        for top in range(4)
        for left in range(4)
        for square in symmetries(image[top : top + 4, left : left + 4, 0])
    }
    assert {tuple(view.ravel()[:2]) for view in views} == places


def test_every_image_has_its_own_key() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    keys = jax.random.split(jax.random.key(2), 16)
    views = random_views(np.repeat(image[None], 16, axis=0), jax.random.key(2), 4)
    np.testing.assert_array_equal(views, np.stack([random_view(image, key, 4) for key in keys]))
    assert len({view.tobytes() for view in np.asarray(views)}) > 8


def test_grey_images_in_one_channel_give_what_three_equal_channels_give() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    mean, std = jnp.asarray([0.1, 0.2, 0.3]), jnp.asarray([0.5, 0.6, 0.7])
    one, three = (
        normalise(random_views(images, jax.random.key(3), 6), mean, std)
        for images in (grey, np.repeat(grey, 3, axis=3))
    )
    assert one.shape == (3, 6, 6, 3) and one.dtype == jnp.float32
    np.testing.assert_array_equal(one, three)


def test_normalise() -> None:
    views = np.asarray([[[[0, 128, 255]]]], np.uint8)
    got = normalise(views, jnp.asarray([0.0, 0.5, 0.5]), jnp.asarray([1.0, 0.5, 0.25]))
    np.testing.assert_allclose(got.ravel(), [0, (128 / 255 - 0.5) / 0.5, 2], rtol=1e-6, atol=1e-6)
