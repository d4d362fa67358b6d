"""Ways to look at a preview other than a model's own view: as training augments it, and with nothing but its outline.

A look takes a canvas uint8 [C,C] or [C,C,3], a view and the number of the image, and gives uint8 [S,S,3].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paperclip_cli.data.images import centre_view, store_image
from paperclip_cli.data.view import View

Look = Callable[[np.ndarray, View, int], np.ndarray]

WHITE = 245  # JPEG keeps white within a few levels
GREY = 128


def centre(canvas: np.ndarray, view: View, number: int) -> np.ndarray:
    """The deterministic view of everything but training."""
    return centre_view(canvas, view)


def augmented(canvas: np.ndarray, view: View, number: int) -> np.ndarray:
    """A random crop under a random symmetry of the square, as in training (`model.augment`); the same every time for a number."""
    rng = np.random.default_rng([0, number])
    store = store_image(canvas, view)
    top, left = rng.integers(view.store_side - view.size + 1, size=2)
    crop = np.rot90(store[top:top + view.size, left:left + view.size], int(rng.integers(4)))
    return crop[:, ::-1] if rng.integers(2) else crop


def outline(canvas: np.ndarray, view: View, number: int) -> np.ndarray:
    """The same view of a canvas on which all that holds data is one grey."""
    empty = no_data(canvas)
    return centre_view(np.where(empty, 255, GREY).astype(np.uint8), view)


def no_data(canvas: np.ndarray) -> np.ndarray:
    """Which pixels hold no data, bool [C,C]: white, and reached from the border over white. A saturated star is data."""
    from scipy import ndimage

    white = (canvas if canvas.ndim == 2 else canvas.min(axis=2)) >= WHITE
    regions, count = ndimage.label(white)
    at_border = np.zeros(count + 1, bool)
    for edge in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
        at_border[edge] = True
    return at_border[regions] & white
