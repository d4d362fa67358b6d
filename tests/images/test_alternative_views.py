"""Looks: the pixels without data, the outline, and training's augmentation."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from paperclip_cli.images import alternative_views
from paperclip_cli.images.pictures import (
    centre_view,
    decode_jpeg,
    encode_jpeg,
    no_data,
    store_image,
)
from paperclip_cli.images.view import View

WHOLE = View(kind="whole", size=48)


def flooded(white: np.ndarray) -> np.ndarray:
    """The white pixels reached from the border, one neighbour at a time."""
    side, reached = len(white), np.zeros_like(white)
    todo = [(i, j) for i in range(side) for j in range(side) if 0 in (i, j) or side - 1 in (i, j)]
    while todo:
        i, j = todo.pop()
        if 0 <= i < side and 0 <= j < side and white[i, j] and not reached[i, j]:
            reached[i, j] = True
            todo += [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
    return reached


@given(
    arrays.arrays(bool, st.integers(3, 12).map(lambda side: (side, side)), elements=st.booleans())
)
def test_no_data_is_the_white_that_is_reached_from_the_border(white: np.ndarray) -> None:
    canvas = np.where(white, 255, 30).astype(np.uint8)
    np.testing.assert_array_equal(no_data(canvas), flooded(white))
    np.testing.assert_array_equal(no_data(np.repeat(canvas[..., None], 3, axis=2)), flooded(white))


def rotated_chip(seed: int) -> np.ndarray:
    """Noise with saturated stars inside a diamond, white outside."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    sky = np.random.default_rng(seed).integers(0, 200, (96, 96))
    sky[40:43, 50:53] = 255
    return np.where(np.abs(x) + np.abs(y) < 0.8, sky, 255).astype(np.uint8)


def test_an_outline_tells_the_shape_and_nothing_of_what_is_inside() -> None:
    """Pictures of one shape have the same outline, after JPEG too; another shape has another."""
    first, second = (
        alternative_views.outline(decode_jpeg(encode_jpeg(rotated_chip(seed))), WHOLE, 0)
        for seed in (1, 2)
    )
    assert np.mean(first != second) < 0.02

    sharp = alternative_views.outline(rotated_chip(1), View(kind="whole", size=96), 0)
    assert set(np.unique(sharp)) == {alternative_views.GREY, 255}

    square = alternative_views.outline(np.full((96, 96), 40, np.uint8), WHOLE, 0)
    assert np.mean(first != square) > 0.3

    filled = alternative_views.outline(rotated_chip(1), View(kind="whole", size=48, fill="sky"), 0)
    assert set(np.unique(filled)) == {alternative_views.GREY}


def test_an_augmented_view_is_a_crop_under_a_symmetry_and_its_numbers_own() -> None:
    view = View(crop=0.5, size=16)
    canvas = np.random.default_rng(0).integers(0, 255, (32, 32), np.uint8)
    store = store_image(canvas, view)
    crops = {
        store[top : top + 16, left : left + 16].tobytes() for top in range(17) for left in range(17)
    }

    drawn = [alternative_views.augmented(canvas, view, number) for number in range(40)]
    for seen in drawn:
        turned = [
            np.rot90(flipped, quarter).tobytes()
            for flipped in (seen, seen[:, ::-1])
            for quarter in range(4)
        ]
        assert len(crops & set(turned)) == 1

    assert len({seen.tobytes() for seen in drawn}) > 35
    np.testing.assert_array_equal(alternative_views.augmented(canvas, view, 3), drawn[3])
    np.testing.assert_array_equal(
        alternative_views.centre(canvas, view, 3), centre_view(canvas, view)
    )
