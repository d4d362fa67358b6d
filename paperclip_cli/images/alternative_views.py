"""Alternatives to a model's own view of a preview: augmented as in training, and outline only.

A look takes a canvas uint8 [C, C] or [C, C, 3], a view and the image's number, and returns uint8
[S, S, 3].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paperclip_cli.images.pictures import centre_view, no_data, store_image
from paperclip_cli.images.view import View

Look = Callable[[np.ndarray, View, int], np.ndarray]

GREY = 128


def centre(canvas: np.ndarray, view: View, number: int) -> np.ndarray:
    """The deterministic view that everything but training uses."""
    return centre_view(canvas, view)


def augmented(canvas: np.ndarray, view: View, number: int) -> np.ndarray:
    """A random crop under a random symmetry of the square, as in training (`towers.augment`).

    The same `number` always gives the same crop and symmetry.
    """
    rng = np.random.default_rng([0, number])
    store = store_image(canvas, view)
    top, left = rng.integers(view.store_side - view.size + 1, size=2)
    crop = np.rot90(store[top : top + view.size, left : left + view.size], int(rng.integers(4)))
    return crop[:, ::-1] if rng.integers(2) else crop


def outline(canvas: np.ndarray, view: View, number: int) -> np.ndarray:
    """The view of a canvas on which all pixels with data have the same grey.

    A model whose view is filled (`View.fill`) then sees nothing.
    """
    return centre_view(np.where(no_data(canvas), 255, GREY).astype(np.uint8), view)
