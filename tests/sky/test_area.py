"""Files of DS9 regions, against astropy's `regions` and its own projection."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from regions import Regions

from paperclip_cli.errors import PaperclipError
from paperclip_cli.sky.area import Area
from paperclip_cli.sky.cone import Place
from paperclip_cli.sky.ds9_regions import read_area

RA, DEC = 202.47, 47.2
GALACTIC = SkyCoord(104.85, 68.56, unit="deg", frame="galactic").icrs
SHAPES = (
    'circle({ra},{dec},{a}")',
    'ellipse({ra},{dec},{a}",{b}",{turn})',
    'box({ra},{dec},{a}",{b}",{turn})',
    'annulus({ra},{dec},{a}",{c}")',
    'annulus({ra},{dec},{a}",{c}",{d}")',
    'ellipse({ra},{dec},{a}",{b}",{c}",{e}",{turn})',
    'box({ra},{dec},{a}",{b}",{c}",{e}",{turn})',
    "polygon({ra},{dec},202.48,47.21,202.46,47.22)",
)


def area_of(folder: Path, text: str, centre_only: bool = False) -> Area:
    path = folder / "x.reg"
    path.write_text(text)
    return read_area(path, centre_only)


def point(ra: float, dec: float, radius: float = 0.0, region: str | None = None) -> Place:
    return Place(ra, dec, radius, ra, dec, region)


def tangent_plane() -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = (RA, DEC), (500, 500), (-1e-4, 1e-4)
    return wcs


@settings(max_examples=150, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    size=st.integers(10, 60),
    ratio=st.floats(0.3, 0.95),
    turn=st.integers(0, 359),
    seed=st.integers(0, 2**31),
)
def test_points_are_in_it_as_the_library_says(
    tmp_path_factory: pytest.TempPathFactory,
    shape: str,
    size: int,
    ratio: float,
    turn: int,
    seed: int,
) -> None:
    values = {"ra": RA, "dec": DEC, "a": size, "b": round(size * ratio, 2), "turn": turn}
    values |= {"c": 2 * size, "d": 3 * size, "e": round(2 * size * ratio, 2)}
    text = "fk5\n" + shape.format(**values)
    area = area_of(tmp_path_factory.mktemp("reg"), text)
    wcs = tangent_plane()
    random = np.random.default_rng(seed)
    places = random.uniform(RA - 0.03, RA + 0.03, 40), random.uniform(DEC - 0.02, DEC + 0.02, 40)
    points = SkyCoord(*places, unit="deg")
    regions = Regions.parse(text, format="ds9")
    inside = np.any([region.contains(points, wcs) for region in regions], axis=0)
    # Points on the rim may fall on either side: an ellipse is a polygon here.
    grown = [
        np.any([region.contains(moved, wcs) for region in regions], axis=0)
        for angle in range(0, 360, 45)
        for moved in [points.directional_offset_by(angle * units.deg, 0.1 * units.arcsec)]
    ]
    sure = np.all(np.array(grown) == inside, axis=0)
    for ra, dec, expected, is_sure in zip(*places, inside, sure, strict=True):
        if is_sure:
            assert area.meets(point(ra, dec)) == expected


def test_footprints_that_overlap_count(tmp_path: Path) -> None:
    circle = area_of(tmp_path, "icrs;circle(10,20,0.5d)")
    assert circle.meets(point(10.9, 20, 0.5)) and not circle.meets(point(12, 20, 0.5))
    beside = "POLYGON ICRS 10.6 20 11 20 11 20.4 10.6 20.4"
    assert not circle.meets(point(10.8, 20.2, 0.5, beside)), "only the circle around it overlaps"
    assert circle.meets(point(10.8, 20.2, 0.5, beside.replace("10.6", "10.4")))
    centre = area_of(tmp_path, "icrs;circle(10,20,0.5d)", centre_only=True)
    assert not centre.meets(point(10.9, 20, 0.5)) and centre.meets(point(10.1, 20))


def test_what_is_excluded(tmp_path: Path) -> None:
    area = area_of(tmp_path, "icrs\ncircle(10,20,1d)\n-circle(10,20,0.5d)\ncircle(30,20,1d)")
    assert not area.meets(point(10, 20)) and not area.meets(point(10.1, 20, 0.2))
    assert area.meets(point(10.1, 20, 0.5)), "a part of it is outside of the hole"
    assert area.meets(point(10.8, 20)) and area.meets(point(30, 20))
    assert math.isclose(area.angle(point(12, 20)), 2 * math.cos(math.radians(20)), rel_tol=1e-3)


@pytest.mark.parametrize(
    ("text", "ra", "dec"),
    [
        ('fk5\ncircle(13:29:52.7,+47:11:43,3")', 202.469583, 47.195278),
        ("galactic;circle(104.85,68.56,0.01)", GALACTIC.ra.deg, GALACTIC.dec.deg),
        ('# Region file format: DS9\nglobal color=red\nJ2000; point(10,20) # text={"a;b"}', 10, 20),
        ("b1950;circle(10,20,1d)", 10.7, 20.3),
        ("icrs;line(10,20,12,20)", 11, 20.006),
        ("icrs;circle(359.9,0,0.5d)", 0.2, 0),
        ("icrs;circle(0,90,1d)", 123, 89.5),
        ("icrs\n# text(1,1) text={hello}\nvector(1,1,1d,30)\ncircle 10 20 1d", 10, 20),
    ],
)
def test_frames_and_ways_of_writing(tmp_path: Path, text: str, ra: float, dec: float) -> None:
    area = area_of(tmp_path, text)
    assert area.meets(point(ra, dec, 0.01)) and not area.meets(point(ra, dec - 20))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no region that includes a part of the sky"),
        ("icrs;-circle(10,20,1d)", "has no region that includes"),
        ("icrs;# text(1,1) text={x}", "has no region that includes"),
        ("image;circle(10,10,5)", "has regions in pixels"),
        ("circle(10,10,5)", "cannot be read as DS9 regions: A coordinate frame was not found"),
        ("physical;circle(10,10,5)", "cannot be read as DS9 regions"),
        ("icrs;panda(10,20,0,360,4,0,1',1)", "cannot be read as DS9 regions"),
        ("icrs;circle(a,b,c)", "cannot be read as DS9 regions"),
        ("icrs;circle(10,100,1d)", "cannot be read as DS9 regions"),
        ("<html>", "cannot be read as DS9 regions"),
        ("nonsense", "cannot be read as DS9 regions"),
    ],
)
def test_what_is_no_area_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PaperclipError) as error:
        area_of(tmp_path, text)
    assert message in error.value.message and str(tmp_path / "x.reg") in error.value.message


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.reg"):
        with pytest.raises(PaperclipError, match="cannot be read"):
            read_area(path)
