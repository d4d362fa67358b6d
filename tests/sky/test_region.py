"""Footprints of every kind, frame and spelling hold the points that astropy says they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.records import Observation
from paperclip_cli.sky.cone import Cone, Place
from paperclip_cli.sky.footprint import enclose, observed_footprint, separation
from paperclip_cli.sky.frames import to_icrs
from paperclip_cli.sky.region import Shape, parse_region
from paperclip_cli.sky.vectors import direction, unit_vector

FRAMES = {
    "": "icrs",
    "ICRS": "icrs",
    "J2000": "fk5",
    "GSC1": "fk5",
    "FK5": "fk5",
    "FK4": "fk4",
    "B1950": "fk4",
    "GALACTIC": "galactic",
    "SUPER_GALACTIC": "supergalactic",
    "ECLIPTIC": "barycentricmeanecliptic",
    "UNKNOWNFRAME": "icrs",
}
OBSERVERS = ["", "TOPOCENTER", "BARYCENTER", "GEOCENTER", "UNKNOWNREFPOS", "SPHERICAL2"]
Holds = Callable[[SkyCoord], np.ndarray]  # points in the frame of the region -> bool [N]


class Made(NamedTuple):
    """A region as text, its frame's name in astropy, and the truth about it.

    `margin` is its extent, in degrees: points up to twice as far from `centre` are tried.
    """

    text: str
    frame: str
    centre: SkyCoord
    margin: float
    holds: Holds


def gnomonic(points: SkyCoord, centre: SkyCoord) -> tuple[np.ndarray, np.ndarray]:
    """East and north in the tangent plane, in which great circles are straight."""
    x, y, z = points.transform_to(centre.skyoffset_frame()).cartesian.xyz.value
    return np.where(x > 0, y / x, np.inf), np.where(x > 0, z / x, np.inf)


def inside(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether a ray from each point crosses the sides an odd number of times."""
    odd = np.zeros(x.shape, bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crossed = (y1 > y) != (y2 > y)
        odd ^= crossed & (x < x1 + (y - y1) * (x2 - x1) / np.where(y2 == y1, 1, y2 - y1))
    return odd


def circle(rng: np.random.Generator, centre: SkyCoord) -> tuple[str, float, Holds]:
    radius = rng.uniform(0.01, 2)
    return (
        f"CIRCLE {{}} {{ra}} {{dec}} {radius}",
        radius,
        lambda points: points.separation(centre).deg < radius,
    )


def polygon(rng: np.random.Generator, centre: SkyCoord) -> tuple[str, float, Holds]:
    """A star-shaped polygon of 3 to 60 corners, closed or not, either way round."""
    count = int(rng.choice([3, 4, 5, 12, 60]))
    bearings = np.sort(rng.uniform(0, 360, count)) if count < 6 else np.linspace(0, 359, count)
    while count < 6 and np.diff([*bearings, bearings[0] + 360]).max() > 170:
        bearings = np.sort(rng.uniform(0, 360, count))
    corners = centre.directional_offset_by(
        bearings[:: rng.choice([-1, 1])] * u.deg, rng.uniform(0.3, 1.5, count) * u.deg
    )
    flat = np.stack(gnomonic(corners, centre), axis=1)
    lon, lat = corners.spherical.lon.deg, corners.spherical.lat.deg
    if lon.max() - lon.min() > 180 and rng.integers(2):
        lon = lon - np.where(lon > 180, 360, 0) + rng.choice([0, 360])
    pairs = [f"{a:.12f} {b:.12f}" for a, b in zip(lon, lat, strict=True)]
    pairs += pairs[:1] if rng.integers(2) else []
    return "POLYGON {} " + " ".join(pairs), 1.5, lambda at: inside(flat, *gnomonic(at, centre))


def box(rng: np.random.Generator, centre: SkyCoord) -> tuple[str, float, Holds]:
    width, height = rng.uniform(0.3, 3, 2)

    def holds(points: SkyCoord) -> np.ndarray:
        x, y = gnomonic(points, centre)
        across, up = np.tan(np.radians([width / 2, height / 2]))
        return (abs(x) < across) & (abs(y) < up)

    return f"BOX {{}} {{ra}} {{dec}} {width} {height}", max(width, height) / 2, holds


def ellipse(rng: np.random.Generator, centre: SkyCoord) -> tuple[str, float, Holds]:
    first, second, turn = rng.uniform(0.3, 2), rng.uniform(0.3, 2), rng.uniform(-180, 360)

    def holds(points: SkyCoord) -> np.ndarray:
        away, bearing = centre.separation(points).deg, centre.position_angle(points).rad
        angle = bearing - np.radians(turn)
        return (away * np.cos(angle) / first) ** 2 + (away * np.sin(angle) / second) ** 2 < 1

    return f"ELLIPSE {{}} {{ra}} {{dec}} {first} {second} {turn}", max(first, second), holds


def span(rng: np.random.Generator, centre: SkyCoord) -> tuple[str, float, Holds]:
    lon, lat = centre.spherical.lon.deg, centre.spherical.lat.deg
    width, south, north = rng.uniform(10, 60), max(-90, lat - 1.7), min(90, lat + 1.2)

    def holds(points: SkyCoord) -> np.ndarray:
        along = (points.spherical.lon.deg - lon + 180) % 360 - 180
        there = points.spherical.lat.deg
        return (abs(along) < width / 2) & (there > south) & (there < north)

    return f"RANGE {{}} {lon - width / 2} {lon + width / 2} {south} {north}", 2, holds


KINDS = [circle, polygon, polygon, box, ellipse, span]
COUNT = 66


def made(seed: int) -> Made:
    """A region of one of six kinds, eleven frames and several spellings."""
    rng = np.random.default_rng(seed)
    word = list(FRAMES)[seed % len(FRAMES)]
    frame = FRAMES[word]
    lon = rng.choice([rng.uniform(0, 360), 0.05, 359.9])
    lat = rng.choice([rng.uniform(-80, 80), 89.5, 0.0])
    centre = SkyCoord(lon, lat, unit="deg", frame=frame)
    form, margin, holds = KINDS[seed % len(KINDS)](rng, centre)
    text = form.format(
        f"{word} {rng.choice(OBSERVERS)}", ra=lon + rng.choice([0, 360, -360]), dec=lat
    )
    return Made(spelled(text, rng), frame, centre, margin, holds)


def spelled(text: str, rng: np.random.Generator) -> str:
    """The same region in one of the ways in which it is written."""
    kind, _, rest = text.partition(" ")
    ways = [
        text,
        text.lower(),
        f"UNION ({text})",
        f"{kind}({', '.join(rest.split())})",
        f"{kind} fillfactor 0.9 {rest} unit deg deg",
    ]
    return str(rng.choice(ways))


def holding(text: str, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Degrees from a region to each point (ICRS); 0 inside."""
    shapes = parse_region(text)
    assert shapes, text
    whole = enclose(shapes)
    points = [enclose([Shape((unit_vector(*at),))]) for at in zip(ra, dec, strict=True)]
    return np.array([separation(whole, point) for point in points])


@pytest.mark.parametrize("seed", range(COUNT))
def test_a_region_holds_what_astropy_says(seed: int) -> None:
    region, rng = made(seed), np.random.default_rng(seed + 10_000)
    points = region.centre.directional_offset_by(
        rng.uniform(0, 360, 60) * u.deg, region.margin * 2 * rng.uniform(0, 1, 60) ** 2 * u.deg
    )
    truth = region.holds(points)
    # A point that is nearer to the edge than 0.2 % of the region's extent may be on either side.
    clear = np.ones(60, bool)
    for bearing in range(0, 360, 45):
        beside = points.directional_offset_by(bearing * u.deg, region.margin * 0.002 * u.deg)
        clear &= region.holds(beside) == truth
    assert clear.sum() > 40 and {*truth[clear]} == {True, False}

    icrs = points[clear].icrs
    found = holding(region.text, icrs.ra.deg, icrs.dec.deg)
    assert ((found == 0) == truth[clear]).all(), region.text


@pytest.mark.parametrize(
    "text",
    [
        "POLYGON ICRS 359.9 -0.1 360.1 -0.1 360.1 0.1 359.9 0.1",
        "POLYGON ICRS 359.9 -0.1 0.1 -0.1 0.1 0.1 359.9 0.1",
        "POLYGON ICRS -0.1 -0.1 0.1 -0.1 0.1 0.1 -0.1 0.1",
        "POLYGON GSC1 359.9 -0.1 0.1 -0.1 0.1 0.1 359.9 0.1",
        "POLYGON ICRS TOPOCENTER 359.9 -0.1 0.1 -0.1 0.1 0.1 359.9 0.1",
        "POLYGON('ICRS', 359.9, -0.1, 0.1, -0.1, 0.1, 0.1, 359.9, 0.1)",
        "POLYGON ICRS (359.9 -0.1), (0.1 -0.1), (0.1 0.1), (359.9 0.1)",
        "359.9 -0.1 0.1 -0.1 0.1 0.1 359.9 0.1",
        "BOX ICRS 0 0 0.2 0.2",
        "RANGE 359.9 360.1 -0.1 0.1",
        "PositionInterval ICRS 359.9 -0.1 0.1 0.1",
        "UNION ICRS (POLYGON -0.1 -0.1 0 -0.1 0 0.1 -0.1 0.1 POLYGON 0 -0.1 0.1 -0.1 0.1 0.1 0 .1)",
    ],
)
def test_the_same_square_in_many_spellings(text: str) -> None:
    ra, dec = np.meshgrid(*[np.linspace(-0.25, 0.25, 10)] * 2)
    inside = (abs(ra) < 0.1) & (abs(dec) < 0.1)
    found = holding(text, ra.ravel() % 360, dec.ravel())
    # An arc between two corners of the same declination passes 0.00002 degrees beyond it.
    assert ((found < 1e-4) == inside.ravel()).all()

    footprint = observed_footprint(Observation(s_region=text))
    assert footprint is not None
    centre = direction(footprint.centre)
    place = Place(*centre, np.degrees(footprint.radius), None, None, text)
    assert Cone(0.08, 0.08, 1 / 60).meets(place) and not Cone(0.2, 0.2, 1 / 60).meets(place)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("10 10 0.1", 1),
        ("10 10", 1),
        ("10 10 11 10 11 11", 1),
        ("circle 10 10 0.1 polygon 1 1 2 1 2 2 box 1 1 2 2", 3),
        ("UNION GALACTIC (CIRCLE 1 1 1 POLYGON FK5 1 1 2 1 2 2 CIRCLE 3 3 1)", 3),
        ("Polygon ICRS 1 1 2 1 2 2 Position 1.5 1.5 Error 0.1 0.1 Size 1 1", 1),
        ("POSITION ICRS 1 2 POSITION ICRS 3 4", 2),
        ("RANGE -Inf +Inf -90 90", 48),
        ("AllSky ICRS", 1),
    ],
)
def test_how_many_shapes_a_text_has(text: str, shapes: int) -> None:
    assert len(parse_region(text)) == shapes


def test_all_of_a_union_is_in_its_frame() -> None:
    union = "UNION GALACTIC (CIRCLE 100 10 1, POLYGON 200 -5 201 -5 201 -4)"
    at = SkyCoord([100, 200.9], [10.5, -4.5], unit="deg", frame="galactic").icrs
    assert (holding(union, at.ra.deg, at.dec.deg) == 0).all()


def test_the_whole_sky_holds_everything() -> None:
    ra, dec = np.array([0, 0, 123.4, 359, 15]), np.array([90, -90, 45, -45, 0])
    for text in ("RANGE -Inf +Inf -90 90", "AllSky ICRS", "CIRCLE ICRS 10 10 180"):
        assert (holding(text, ra, dec) < 1e-6).all()


@given(
    st.lists(
        st.sampled_from(
            "POLYGON CIRCLE BOX RANGE ICRS FK4 UNION ( ) , 1 -2.5 400 inf nan UNIT".split()
        )
    )
)
def test_any_words_are_a_region_or_none(words: list[str]) -> None:
    for shape in parse_region(" ".join(words)):
        assert shape.rim >= 0 and np.allclose(np.linalg.norm(shape.vertices, axis=1), 1)


REFUSED = [
    "NOT (CIRCLE ICRS 1 1 1)",
    "INTERSECTION ICRS (CIRCLE 1 1 1 CIRCLE 2 2 1)",
    "DIFFERENCE (CIRCLE 1 1 1) (CIRCLE 1 1 0.5)",
    "CONVEX ICRS 1 0 0 0.5",
    "POLYGON ICRS CARTESIAN3 1 0 0 0 1 0",
    "POLYGON ((0 0, 4 0, 4 4, 0 4), (1 1, 2 1, 2 2))",
    "POLYGON ICRS 1 1 2 1 nan 2",
    "POLYGON ICRS 1 1 2 1 2 91",
    "POLYGON ICRS 1 1 2 1",
    "POLYGON ICRS 1 1 2 1 2 2 3",
    "CIRCLE ICRS 1 1 -0.1",
    "CIRCLE ICRS -999 1 1",
    "CIRCLE ICRS 1 1 1 unit arcmin",
    "CIRCLE ICRS 1 1",
    "CIRCLE ICRS 1 1 1e999",
    "ELLIPSE ICRS 1 1 1 1",
    "BOX ICRS 1 1 200 1",
    "RANGE 1 2 5 4",
    "<(0.1 , 0.2) , 0.01>",
    "1 2 3 4 5",
    "1 2 3 4",
    "CIRCLE ICRS 1 1 1 ICRS",
    "UNION 5 (CIRCLE 1 1 1)",
    "unknown",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_read_has_no_shape(text: str) -> None:
    assert parse_region(text) == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("icrs", "icrs"),
        ("fk5", "fk5"),
        ("fk4", "fk4"),
        ("galactic", "galactic"),
        ("supergalactic", "supergalactic"),
        ("ecliptic", "barycentricmeanecliptic"),
    ],
)
def test_frames_are_those_of_astropy(ours: str, theirs: str) -> None:
    rng = np.random.default_rng(5)
    lon = np.array([0, 0, 0, 360, *rng.uniform(0, 360, 200)])
    lat = np.array([90, -90, 0, 0, *np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))])
    expected = SkyCoord(lon, lat, unit="deg", frame=theirs).icrs
    found = np.array([to_icrs(ours, *at) for at in zip(lon, lat, strict=True)])
    assert expected.separation(SkyCoord(*found.T, unit="deg")).arcsec.max() < 1e-3
    assert (found[:, 0] >= 0).all() and (found[:, 0] < 360).all()
