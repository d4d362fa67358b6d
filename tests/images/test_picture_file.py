"""Picture files and their own positions on the sky."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.images.picture_file import read_file
from paperclip_cli.images.pictures import read_picture
from paperclip_cli.images.reading import PLAIN
from paperclip_cli.images.tiles import tile_region
from paperclip_cli.images.view import View
from paperclip_cli.records import Observation
from paperclip_cli.sky.cone import Cone, Place
from paperclip_cli.sky.footprint import observed_footprint
from paperclip_cli.sky.wcs import field_of_view
from tests.sky.test_wcs import NGC_602, PREVIEW, SK_183
from tests.small_indexes import write_picture


@pytest.fixture(scope="module")
def preview(real_sample: Path) -> Path:
    return real_sample / PREVIEW


def met(region: str, near: tuple[float, float], arcsec: float) -> bool:
    """Whether a cone of `arcsec` around a position meets a region."""
    observation = Observation(s_region=region)
    footprint = observed_footprint(observation)
    assert footprint is not None
    x, y, z = footprint.centre
    ra, dec = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z))
    place = Place(ra, dec, np.degrees(footprint.radius), None, None, region)
    return Cone(*near, arcsec / 3600).meets(place)


def test_a_cone_finds_the_archives_own_preview(preview: Path) -> None:
    """The frame is 227 arcsec wide, is centred where it says, and holds Sk 183 and its cluster."""
    file = read_file(preview, PLAIN, with_picture=False)
    observation, region = file.observation, file.observation.s_region
    assert file.picture is None and region is not None and observation.s_ra is not None
    assert met(region, SK_183, 1) and met(region, NGC_602, 1)

    north = (observation.s_ra, observation.s_dec + 227.15 / 7200)  # type: ignore[operator]
    assert met(region, north, 5)
    assert not met(region, (north[0], north[1] + 10 / 3600), 5)
    assert Cone(*SK_183, 1).arcminutes(observation) < 2


def test_the_tile_that_shows_a_star_is_known(preview: Path) -> None:
    file = read_file(preview, PLAIN, with_picture=False)
    assert file.wcs is not None
    holding = [tile for tile in range(9) if met(tile_region(View(), tile, file.wcs), SK_183, 0.1)]
    assert holding and len(holding) < 9


def test_the_picture_is_read_with_it_or_not(preview: Path, tmp_path: Path) -> None:
    both = read_file(preview, PLAIN)
    alone = read_file(preview, PLAIN, with_picture=False)
    assert np.array_equal(both.picture, read_picture(preview))
    assert (both.observation, both.wcs) == (alone.observation, alone.wcs)

    write_picture(tmp_path / "a.png", 0)
    plain = read_file(tmp_path / "a.png", PLAIN)
    assert (plain.observation, plain.wcs) == (Observation(), None) and plain.picture is not None


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(8, 90), st.integers(8, 90)),
    scales=st.tuples(st.floats(1e-6, 3e-3), st.floats(0.5, 2)),
    turn=st.floats(0, 360),
    is_mirrored=st.booleans(),
    at=st.tuples(st.floats(0, 359.9), st.floats(-89.9, 89.9)),
)
def test_a_canvas_is_as_wide_as_astropy_says(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int],
    scales: tuple[float, float],
    turn: float,
    is_mirrored: bool,
    at: tuple[float, float],
) -> None:
    """At the scale along the rows, whatever it is along the columns."""
    (height, width), (across, ratio) = shape, scales
    angle, sign = np.radians(turn), 1 if is_mirrored else -1
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = at, ((width + 1) / 2, (height + 1) / 2)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.wcs.cd = turned @ np.diag([sign * across, across * ratio])
    path = tmp_path_factory.mktemp("turned") / "a.fits"
    fits.PrimaryHDU(np.arange(height * width, dtype="f4").reshape(shape), wcs.to_header()).writeto(
        path
    )
    file = read_file(path, PLAIN, with_picture=False)
    x, y = (width - 1) / 2, (height - 1) / 2
    one, other = wcs.pixel_to_world(x - 0.5, y), wcs.pixel_to_world(x + 0.5, y)
    assert file.wcs is not None
    assert field_of_view(file.wcs) == pytest.approx(
        one.separation(other).deg * max(shape), rel=2e-3
    )


def test_the_archives_own_preview_is_227_arcsec_wide(preview: Path) -> None:
    """4543 pixels of 0.05 arcsec, as its comment says."""
    file = read_file(preview, PLAIN, with_picture=False)
    assert file.wcs is not None
    assert field_of_view(file.wcs) * 3600 == pytest.approx(4543 * 0.05, rel=1e-3)
