"""Odd headers: placed where astropy puts them, or clearly said to have no position; never wrong."""

from __future__ import annotations

import logging
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.images.fits_cards import Cards
from paperclip_cli.images.fits_header import header_observation
from paperclip_cli.images.picture_file import read_file
from paperclip_cli.images.reading import PLAIN
from paperclip_cli.sky.wcs import pixel_to_sky
from tests.images.odd_headers import HEADERS, NO_AXES, SHAPE, UNPLACED, Odd

fits = pytest.importorskip("astropy.io.fits")

CENTRE, CORNERS = 0.01, 0.1  # arcsec
HEIGHT, WIDTH = SHAPE
PIXELS = np.array(
    [
        ((WIDTH + 1) / 2, (HEIGHT + 1) / 2),
        *((0.5, 0.5), (WIDTH + 0.5, 0.5), (WIDTH + 0.5, HEIGHT + 0.5), (0.5, HEIGHT + 0.5)),
    ]
)
PICTURE = np.random.default_rng(5).normal(100, 9, SHAPE).astype(">f4").tobytes()


def true_places(odd: Odd) -> np.ndarray:
    """Where astropy puts the middle and the corners: degrees [5, 2] in ICRS."""
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("astropy").setLevel("ERROR")
        wcs = WCS(fits.Header.fromstring(odd.true_text())).celestial
        places = wcs.pixel_to_world(*(PIXELS - 1).T)
    icrs = SkyCoord(places).icrs
    return np.stack([icrs.ra.deg, icrs.dec.deg], axis=1)


def arcseconds(one: tuple[float, float], other: tuple[float, float]) -> float:
    from paperclip_cli.sky.footprint import unit_vector

    return math.degrees(2 * math.asin(math.dist(unit_vector(*one), unit_vector(*other)) / 2)) * 3600


def corners_of(region: str) -> list[tuple[float, float]]:
    words = list(map(float, region.removeprefix("POLYGON ICRS ").split()))
    points = list(zip(words[::2], words[1::2], strict=True))
    return points[:: len(points) // 4]


@pytest.mark.parametrize("odd", HEADERS, ids=lambda odd: odd.name)
def test_an_odd_header_is_placed_as_it_should_be(odd: Odd) -> None:
    said = header_observation([Cards(odd.text())], SHAPE)
    found = said.observation
    if odd.truth in (UNPLACED, NO_AXES):
        assert (found.s_ra, found.s_dec, found.s_region, said.wcs) == (None,) * 4
        assert bool(said.unplaced) == (odd.truth == UNPLACED)
        return
    assert found.s_ra is not None and found.s_dec is not None, said.unplaced
    middle, *corners = true_places(odd)
    assert arcseconds((found.s_ra, found.s_dec), middle) < CENTRE
    assert (found.s_region is not None) == odd.has_region
    if found.s_region:
        for mine, true in zip(corners_of(found.s_region), corners, strict=True):
            assert arcseconds(mine, true) < CORNERS


@pytest.mark.parametrize("odd", HEADERS, ids=lambda odd: odd.name)
def test_no_card_costs_a_picture_or_lets_a_library_speak(
    odd: Odd, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.fits"
    path.write_bytes(odd.text() + PICTURE + bytes(-len(PICTURE) % 2880))
    file = read_file(path, PLAIN)
    assert file.picture is not None and file.picture.shape == SHAPE
    assert capfd.readouterr() == ("", "")


def test_linear_coordinates_are_near_or_none() -> None:
    near = [
        (said.wcs, true_places(odd))
        for odd in HEADERS
        if odd.truth not in (UNPLACED, NO_AXES)
        and (said := header_observation([Cards(odd.text())], SHAPE)).wcs is not None
    ]
    assert len(near) > 80
    for wcs, places in near:
        middle, *corners = places
        assert arcseconds(pixel_to_sky(wcs, *PIXELS[0]), middle) < CENTRE
        side = arcseconds(corners[0], corners[3])
        for pixel, corner in zip(PIXELS[1:], corners, strict=True):
            assert arcseconds(pixel_to_sky(wcs, *pixel), corner) < 0.06 * side


def test_there_are_enough() -> None:
    assert len(HEADERS) >= 85 and len({odd.name for odd in HEADERS}) == len(HEADERS)
