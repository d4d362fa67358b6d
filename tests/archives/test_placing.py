"""The place of a preview, where the archive's table and the picture's header agree or do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.coordinates import SkyCoord

from paperclip_cli.archives.placing import Placed, place_preview
from paperclip_cli.records import Observation, Wcs
from paperclip_cli.sky.wcs import frame_region

WCS = Wcs((0.01, -30.0), (50.5, 50.5), (-1e-4, 0.0, 0.0, 1e-4))  # a frame of 0.6 arcmin
FRAME = frame_region(WCS, 100, 100)


def test_the_frame_is_the_footprint_if_there_is_no_other() -> None:
    told = Observation(s_region="CIRCLE 0.01 -30 0.1")
    assert place_preview(told, WCS, FRAME) == Placed(told, WCS)
    assert place_preview(Observation(), WCS, FRAME) == Placed(Observation(s_region=FRAME), WCS)
    near = Observation(s_ra=359.99, s_dec=-30.0)
    assert place_preview(near, WCS, FRAME).observation.s_region == FRAME
    assert place_preview(near, None, "") == Placed(near, None)


@pytest.mark.parametrize("arcmin", [0.0, 0.5, 2.0, 2.6, 3.0, 60.0])
def test_the_table_counts_where_they_are_apart(arcmin: float) -> None:
    away = SkyCoord(0.01, -30.0 - arcmin / 60, unit="deg")
    is_apart = arcmin > 2 + 0.3  # from the frame's edge
    for told in (
        Observation(s_ra=float(away.ra.deg), s_dec=float(away.dec.deg)),
        Observation(s_region=f"CIRCLE {away.ra.deg} {away.dec.deg} 0.0001"),
    ):
        found = place_preview(told, WCS, FRAME)
        assert (found.is_astray, found.wcs is None) == (is_apart, is_apart)
        assert not is_apart or found.observation == told


def test_a_moving_target_is_where_its_picture_is() -> None:
    told = Observation(s_ra=180.0, s_dec=10.0, moving=True)
    assert place_preview(told, WCS, FRAME).wcs == WCS


def test_a_frame_that_makes_no_sense_is_no_footprint(tmp_path: Path) -> None:
    told = Observation(s_ra=180.0, s_dec=10.0)
    assert place_preview(told, None, "POLYGON ICRS nan nan") == Placed(told, None)
