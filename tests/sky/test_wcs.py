"""World coordinates of previews, on the archive's own file and against astropy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.images.pictures import decode_jpeg, make_canvas
from paperclip_cli.records import Preview, Wcs, from_dict, to_json
from paperclip_cli.sky.footprint import Shape, enclose, parse_region, separation, unit_vector
from paperclip_cli.sky.wcs import (
    frame_region,
    jpeg_comment,
    on_canvas,
    pixel_to_sky,
    read_comment,
    sky_to_pixel,
)

PREVIEW = "hst/observations/proposal_15354/hst_15354_01_acs_wfc_total_jdi601_drc.jpg"
# The bright star Sk 183, which ionises the nebula (Evans et al. 2012, ApJ 753, 173), and the
# cluster NGC 602 (SIMBAD), in degrees (ICRS).
SK_183 = 15 * (1 + 29 / 60 + 24.6 / 3600), -(73 + 33 / 60 + 16.43 / 3600)
NGC_602 = 15 * (1 + 29 / 60 + 32.1 / 3600), -(73 + 33 / 60 + 38.0 / 3600)


@pytest.fixture(scope="module")
def original(real_sample: Path) -> bytes:
    return (real_sample / PREVIEW).read_bytes()


def box(picture: np.ndarray, x: float, row: float, half: int) -> np.ndarray:
    """The pixels at most `half` away from (x, row) along either axis."""
    return picture[int(row) - half : int(row) + half + 1, int(x) - half : int(x) + half + 1]


def test_the_comment_of_a_real_preview(original: bytes) -> None:
    wcs = read_comment(jpeg_comment(original))
    assert wcs is not None
    assert wcs.crval == pytest.approx((22.3783840072134, -73.554357379551))
    assert wcs.cd == (-1.3888888888888e-05, 0, 0, 1.38888888888888e-05)


def test_rows_run_down_while_declination_runs_up(original: bytes) -> None:
    """The star is where the coordinates say, and the cluster is below it (south), not above."""
    wcs, picture = read_comment(jpeg_comment(original)), decode_jpeg(original)
    assert wcs is not None
    height = len(picture)

    star_x, star_y = sky_to_pixel(wcs, *SK_183)  # type: ignore[misc]
    core = box(picture, star_x - 1, height - star_y, 6)
    assert (core == 255).mean() > 0.3, "a saturated core within 0.3 arcsec"

    x, y = sky_to_pixel(wcs, *NGC_602)  # type: ignore[misc]
    below, above = box(picture, x, height - y, 200), box(picture, x, y, 200)
    assert (below > 250).mean() > 3 * (above > 250).mean()


def test_the_kept_copy_has_the_same_sky(original: bytes) -> None:
    wcs, picture = read_comment(jpeg_comment(original)), decode_jpeg(original)
    assert wcs is not None
    canvas = make_canvas(picture, 512)
    placed = on_canvas(wcs, picture.shape[1], picture.shape[0], len(canvas), 512)
    x, y = sky_to_pixel(placed, *SK_183)  # type: ignore[misc]
    near = box(canvas, x - 1, len(canvas) - y, 3)
    assert near.max() > 200 and near.max() >= box(canvas, x - 1, len(canvas) - y, 12).max()
    assert abs(placed.cd[3]) == pytest.approx(0.05 / 3600 * 4543 / 512, rel=1e-3)


def turned(ra: float, dec: float, turn: float, scale: float, flip: float) -> Wcs:
    """Coordinates with `scale` degrees a pixel, turned by `turn` radians; `flip` -1 mirrors."""
    across, along = scale * np.cos(turn), scale * np.sin(turn)
    return Wcs((ra, dec), (100.0, 60.0), (flip * across, -along, flip * along, across))


WCS = st.builds(
    turned,
    st.floats(0, 359.99),
    st.floats(-85, 85),
    st.floats(-3, 3),
    st.floats(1e-6, 1e-4),
    st.sampled_from([-1.0, 1.0]),
)


@given(WCS, st.floats(-300, 500), st.floats(-300, 500))
def test_there_and_back(wcs: Wcs, x: float, y: float) -> None:
    assert sky_to_pixel(wcs, *pixel_to_sky(wcs, x, y)) == pytest.approx((x, y), abs=1e-4)


@given(WCS, st.floats(0, 200), st.floats(0, 120))
def test_as_astropy(wcs: Wcs, x: float, y: float) -> None:
    from astropy.wcs import WCS as AstropyWCS

    theirs = AstropyWCS(naxis=2)
    theirs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    theirs.wcs.crval, theirs.wcs.crpix = wcs.crval, wcs.crpix
    theirs.wcs.cd = np.reshape(wcs.cd, (2, 2))

    ra, dec = pixel_to_sky(wcs, x, y)
    their_ra, their_dec = theirs.all_pix2world([[x, y]], 1)[0]
    assert ((ra - their_ra + 180) % 360 - 180, dec - their_dec) == pytest.approx((0, 0), abs=1e-9)


@given(st.integers(8, 300), st.integers(8, 300), st.sampled_from([16, 64, 512]))
def test_corners_stay_corners(width: int, height: int, size: int) -> None:
    """A corner of the preview is a corner of the picture inside the square."""
    wcs = Wcs((10.0, 20.0), (3.0, 4.0), (-1e-5, 0.0, 0.0, 1e-5))
    canvas = make_canvas(np.zeros((height, width), np.uint8), size)
    placed = on_canvas(wcs, width, height, len(canvas), size)
    rows, columns = np.nonzero(canvas == 0)

    left, top = sky_to_pixel(placed, *pixel_to_sky(wcs, 0.5, height + 0.5))  # type: ignore[misc]
    first = columns.min() + 0.5, rows.min() - 0.5
    assert (left, len(canvas) - top) == pytest.approx(first, abs=1e-5)

    right, bottom = sky_to_pixel(placed, *pixel_to_sky(wcs, width + 0.5, 0.5))  # type: ignore[misc]
    last = columns.max() + 1.5, rows.max() + 0.5
    assert (right, len(canvas) - bottom) == pytest.approx(last, abs=1e-5)


def test_the_frame_is_a_polygon_around_the_centre() -> None:
    wcs = Wcs((0.001, 89.0), (50.5, 50.5), (-1e-4, 0.0, 0.0, 1e-4))
    footprint = enclose(parse_region(frame_region(wcs, 100, 100)))
    centre, south = (enclose([Shape((unit_vector(0.001, dec),))]) for dec in (89.0, 88.99))
    assert separation(footprint, centre) == 0
    assert separation(footprint, south) == pytest.approx(0.005, rel=0.01)


def comment_of(**cards: object) -> bytes:
    """A comment in fitscut's layout, with some cards changed."""
    sensible = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 1, "CRPIX2": 1}
    sensible |= {"CRVAL1": 1, "CRVAL2": 2, "CD1_1": 1, "CD2_2": 1}
    return "\n".join(f"{name} = {value}" for name, value in (sensible | cards).items()).encode()


def test_a_comment_with_sense_has_coordinates() -> None:
    assert read_comment(comment_of()) == Wcs((1.0, 2.0), (1.0, 1.0), (1.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize(
    "comment",
    [
        None,
        b"",
        b"Created by fitscut 1.4.2 (William Jon McCann)",
        b"\xff\xfe",
        comment_of(CRVAL1="nan"),
        comment_of(CD1_1=0),
        comment_of(CRPIX1="x"),
        comment_of(CTYPE1="GLON-TAN", CTYPE2="GLAT-TAN"),
        comment_of(CRVAL2=95),
    ],
)
def test_comments_without_sense_have_no_coordinates(comment: bytes | None) -> None:
    assert read_comment(comment) is None


def test_the_older_form_with_cdelt() -> None:
    wcs = read_comment(
        "CTYPE1  = RA---TAN\nCTYPE2  = DEC--TAN\nCRPIX1  = 5\nCRPIX2  = 6\n"
        "CRVAL1  = 1\nCRVAL2  = 2\nCDELT1  = -1e-5\nCDELT2  = 1e-5\nCROTA2  = 0\n"
    )
    assert wcs == Wcs((1.0, 2.0), (5.0, 6.0), (-1e-5, pytest.approx(0), pytest.approx(0), 1e-5))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    read_comment(jpeg_comment(b"\xff\xd8" + data))


def test_a_preview_keeps_its_coordinates_in_its_record() -> None:
    bare = Preview(mission="hst", proposal_id=1, image="a.jpg", sha256="0", side=4, original="a")
    placed = replace(bare, wcs=Wcs((1.0, 2.0), (3.0, 4.0), (1.0, 0.0, 0.0, 1.0)))
    assert from_dict(Preview, json.loads(to_json(placed))) == placed
    assert from_dict(Preview, json.loads(to_json(bare))).wcs is None
