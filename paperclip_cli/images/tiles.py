"""Tiles: several views that cover an image, numbered row by row from the top left.

They find small things, and tell where these are. A tile is as large as the model's central crop, so
that it shows things at the scale of the model's training.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paperclip_cli.images.pictures import store_image
from paperclip_cli.images.reading import Reading
from paperclip_cli.images.view import View
from paperclip_cli.records import Wcs
from paperclip_cli.sky.wcs import pixel_to_sky


def tile_count(view: View, reading: Reading) -> int:
    """The number of vectors of an image."""
    return len(_starts(view)) ** 2 if reading.tiles else 1


def tile_views(canvas: np.ndarray, view: View) -> np.ndarray:
    """The tiles uint8 [T, S, S, 3] of a canvas uint8 [C, C(, 3)], with S = `view.size`."""
    store = store_image(canvas, _crop(view))
    starts = _starts(view)
    return np.stack(
        [store[top : top + view.size, left : left + view.size] for top in starts for left in starts]
    )


def tile_region(view: View, tile: int, square: Wcs) -> str:
    """The STC-S polygon of a tile, starting at its lower left corner.

    `square` holds the coordinates of the canvas as a unit square (`unit_square`).
    """
    starts, side = _starts(view), _crop(view).store_side
    top, left = starts[tile // len(starts)] / side, starts[tile % len(starts)] / side
    right, bottom = left + view.size / side, top + view.size / side

    # Columns of the square are x - 1/2, rows count from the top: y = 3/2 - row.
    corners = ((left, bottom), (right, bottom), (right, top), (left, top))

    return "POLYGON ICRS " + " ".join(
        f"{angle:.7f}" for x, row in corners for angle in pixel_to_sky(square, 0.5 + x, 1.5 - row)
    )


def _crop(view: View) -> View:
    return replace(view, kind="centre")


def _starts(view: View) -> list[int]:
    """Where the tiles of a row begin, in pixels of the store: evenly spaced, as few as cover it."""
    side = _crop(view).store_side
    count = -(-side // view.size)
    return [round(place) for place in np.linspace(0, side - view.size, count).tolist()]
