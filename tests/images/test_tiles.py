"""Tiles cover an image at the scale of the central crop, and know their position on the sky."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.images.pictures import centre_view
from paperclip_cli.images.reading import PLAIN, Reading
from paperclip_cli.images.tiles import tile_count, tile_region, tile_views
from paperclip_cli.images.view import View
from paperclip_cli.records import Wcs
from paperclip_cli.sky.footprint import parse_region, unit_vector
from paperclip_cli.sky.wcs import pixel_to_sky, unit_square

PAPERS = View()


def test_the_papers_view_has_nine_tiles_with_the_central_crop_in_the_middle() -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)
    views = tile_views(canvas, PAPERS)
    assert views.shape == (9, 224, 224, 3)
    assert tile_count(PAPERS, Reading(tiles=True)) == 9 and tile_count(PAPERS, PLAIN) == 1
    assert np.array_equal(views[4], centre_view(canvas, PAPERS))
    assert np.array_equal(views[2][..., 0], canvas[:224, 288:])


@given(st.floats(0.2, 1), st.sampled_from(["centre", "whole"]), st.integers(16, 90))
def test_tiles_cover_every_pixel(crop: float, kind: str, side: int) -> None:
    view = View(kind=kind, crop=crop, size=16)
    store = round(16 / crop)
    canvas = np.arange(store * store, dtype=np.int64).reshape(store, store)
    seen = np.zeros(store * store, bool)
    count = round(tile_count(view, Reading(tiles=True)) ** 0.5)
    square = Wcs((0.0, 0.0), (1.0, 1.0), (-1e-3, 0.0, 0.0, 1e-3))

    for tile in range(count * count):
        corners = np.array(parse_region(tile_region(view, tile, square))[0].vertices)
        # The side is 1/1000 degree, near the equator: x and y lie in the tangent plane, in units of
        # the side, with east to the left.
        x, y = -np.degrees(corners[:, 1]) * 1e3, np.degrees(corners[:, 2]) * 1e3
        left, top = round((x.min() + 0.5) * store), round((0.5 - y.max()) * store)
        seen[canvas[top : top + 16, left : left + 16].ravel()] = True
        assert round((x.max() - x.min()) * store) == round((y.max() - y.min()) * store) == 16
    assert seen.all()


def test_a_tile_lies_where_its_pixels_lie() -> None:
    """A star in the upper right corner is in the third of nine tiles, for a canvas of any size."""
    wcs = Wcs((10.0, -89.9), (200.0, 300.0), (-2e-5, 1e-6, 1e-6, 2e-5))
    star = pixel_to_sky(wcs, 450.0, 480.0)

    for side in (512, 2000):
        scale = side / 512
        crpix = tuple((value - 0.5) * scale + 0.5 for value in wcs.crpix)
        scaled = Wcs(wcs.crval, crpix, tuple(value / scale for value in wcs.cd))  # type: ignore[arg-type]
        regions = [
            np.array(parse_region(tile_region(PAPERS, tile, unit_square(scaled, side)))[0].vertices)
            for tile in range(9)
        ]
        nearest = min(
            range(9),
            key=lambda tile: np.linalg.norm(regions[tile].mean(axis=0) - unit_vector(*star)),
        )
        assert nearest == 2
