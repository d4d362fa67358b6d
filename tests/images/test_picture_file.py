"""Picture files and their own positions on the sky."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.images.picture_file import read_file
from paperclip_cli.images.pictures import read_picture
from paperclip_cli.images.reading import PLAIN
from paperclip_cli.images.tiles import tile_region
from paperclip_cli.images.view import View
from paperclip_cli.records import Observation
from paperclip_cli.sky.cone import Cone, Place
from paperclip_cli.sky.footprint import observed_footprint
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
