"""Separations on the sphere: those of astropy for points, those of sampled outlines for shapes.

They are the same wherever on the sky the shapes lie.
"""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import assume, given
from hypothesis import strategies as st

from paperclip_cli.records import Observation
from paperclip_cli.sky.footprint import (
    Footprint,
    Shape,
    angles_between,
    declination,
    enclose,
    observed_footprint,
    parse_region,
    separation,
    unit_vector,
    with_whole_position,
)

longitudes = st.one_of(st.floats(0, 360), st.sampled_from([0.0, 360.0, 1e-9, 359.999999]))
latitudes = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 89.9999999, 0.0]))
ARCMIN = 1 / 60


def point(ra: float, dec: float) -> Footprint:
    return enclose([Shape((unit_vector(ra, dec),))])


@given(longitudes, latitudes, longitudes, latitudes)
def test_points_are_as_far_apart_as_astropy_says(
    ra: float, dec: float, ra2: float, dec2: float
) -> None:
    expected = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).deg
    assert separation(point(ra, dec), point(ra2, dec2)) == pytest.approx(expected, abs=1e-9)


@given(longitudes, latitudes, st.floats(0, 0.2), st.floats(0, 360))
def test_a_circle_begins_at_its_rim(ra: float, dec: float, radius: float, angle: float) -> None:
    away = SkyCoord(ra, dec, unit="deg").directional_offset_by(angle * u.deg, 0.3 * u.deg)
    circle = observed_footprint(Observation(s_region=f"CIRCLE ICRS {ra} {dec} {radius}"))
    assert circle is not None
    found = separation(circle, point(away.ra.deg, away.dec.deg))
    assert found == pytest.approx(0.3 - radius, abs=1e-8)


def rotation(rng: np.random.Generator) -> np.ndarray:
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


def tile(rng: np.random.Generator, centre: np.ndarray, corners: int) -> np.ndarray:
    """A polygon of a few arcmin around `centre`, as unit vectors [V, 3].

    `centre` is in arcmin, in the tangent plane at the x axis.
    """
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    around = rng.uniform(1, 3) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    flat = np.radians((centre + around) * ARCMIN)
    vectors = np.concatenate([np.ones((corners, 1)), flat], axis=1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def footprint(vectors: np.ndarray) -> Footprint:
    return enclose([Shape(tuple(map(tuple, vectors.tolist())))])


def outline(vectors: np.ndarray, steps: int = 60) -> np.ndarray:
    """Points on the sides of a polygon."""
    along = np.linspace(0, 1, steps)[:, None]
    ends = np.roll(vectors, -1, axis=0)
    sides = [s * (1 - along) + e * along for s, e in zip(vectors, ends, strict=True)]
    points = np.concatenate(sides)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def holds(polygon: np.ndarray, point: np.ndarray) -> bool:
    """Whether a small polygon near the x axis holds a point.

    A ray in the tangent plane then crosses it an odd number of times.
    """
    y, z = (polygon[:, 1:] / polygon[:, :1]).T
    at = point[1:] / point[0]
    other_y, other_z = np.roll(y, -1), np.roll(z, -1)
    crossed = (z > at[1]) != (other_z > at[1])
    where = y + (at[1] - z) / np.where(crossed, other_z - z, 1) * (other_y - y)
    return bool(np.sum(crossed & (where > at[0])) % 2)


@given(st.integers(0, 2**32), st.floats(0, 12))
def test_polygons_are_as_far_apart_as_their_outlines(seed: int, distance: float) -> None:
    rng = np.random.default_rng(seed)
    one = tile(rng, np.zeros(2), rng.integers(3, 7))
    other = tile(rng, np.array([distance, 0.0]), rng.integers(3, 7))
    sampled = np.degrees(angles_between(outline(one)[:, None], outline(other)[None]).min())

    found = separation(footprint(one), footprint(other))
    if holds(one, other[0]) or holds(other, one[0]):
        assert found == 0
    elif found > 0:
        assert sampled - 0.15 * ARCMIN < found <= sampled + 1e-9
    else:
        assert sampled < 0.15 * ARCMIN


@given(st.integers(0, 2**32), st.floats(0, 12))
def test_separation_is_the_same_wherever_on_the_sky(seed: int, distance: float) -> None:
    rng = np.random.default_rng(seed)
    one, other = tile(rng, np.zeros(2), 4), tile(rng, np.array([distance, 0.0]), 5)
    here = separation(footprint(one), footprint(other))
    assume(here == 0 or here > 1e-6)

    # Takes the x axis to the pole.
    to_pole = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    for turn in (rotation(rng), to_pole):
        first, second = footprint(one @ turn.T), footprint(other @ turn.T)
        there = separation(first, second)
        assert there == pytest.approx(here, abs=1e-9)
        assert separation(second, first) == pytest.approx(there, abs=1e-12)


@given(st.integers(0, 2**32))
def test_a_footprint_lies_in_the_circle_around_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = footprint(tile(rng, rng.uniform(-300, 300, 2), 5))
    sides = outline(np.array(found.shapes[0].vertices))
    assert angles_between(sides, np.array(found.centre)).max() <= found.radius + 1e-12


def polygon(corners: str) -> Footprint:
    found = observed_footprint(Observation(s_region=f"POLYGON ICRS {corners}"))
    assert found is not None
    return found


def test_nested_shapes_touch() -> None:
    square = polygon("359 -1 1 -1 1 1 359 1")
    assert separation(square, point(0, 0)) == 0
    assert separation(point(0.3, 0.2), square) == 0
    assert separation(square, point(180, 0)) > 178

    inner = polygon("359.9 -0.1 0.1 -0.1 0.1 0.1 359.9 0.1")
    assert separation(inner, square) == separation(square, inner) == 0

    around_the_pole = polygon("0 89 90 89 180 89 270 89")
    assert separation(around_the_pole, point(45, 90)) == 0


def test_crossing_polygons_without_a_corner_in_each_other_touch() -> None:
    wide, tall = polygon("9 -0.1 11 -0.1 11 0.1 9 0.1"), polygon("9.9 -1 10.1 -1 10.1 1 9.9 1")
    assert separation(wide, tall) == 0


@pytest.mark.parametrize(
    ("region", "shapes"),
    [
        ("POLYGON ICRS 10 10 11 10 11 11", 1),
        ("polygon 10 10 11 10 11 11 10 10", 1),
        ("CIRCLE ICRS 10 10 0.1", 1),
        ("Circle J2000 1e1 -1E-1 0.1", 1),
        ("POLYGON ICRS 1 1 2 1 2 2 POLYGON ICRS 3 3 4 3 4 4", 2),
        ("UNION ICRS (POLYGON 1 1 2 1 2 2 CIRCLE 3 3 1)", 2),
        ("", 0),
        ("POLYGON", 0),
        ("POLYGON ICRS 1 1 2 1", 0),
        ("POLYGON ICRS 1 1 2 1 2", 0),
        ("POLYGON ICRS 1 1 2 1 nan 2", 0),
        ("CONVEX ICRS 1 1 2 2", 0),
        ("POLYGON AZ_EL 1 1 2 1 2 2", 0),
        ("CIRCLE ICRS 1 1", 0),
        ("CIRCLE ICRS 1 91 1", 0),
        ("POLYGON ICRS 1 1 2 1 2 2 BOX 1 2 3", 0),
        ("x" * 10_000, 0),
    ],
)
def test_regions(region: str, shapes: int) -> None:
    assert len(parse_region(region)) == shapes


def test_a_region_that_cannot_be_read_leaves_the_point() -> None:
    placed = Observation(s_region="CONVEX 1 2 3 4", s_ra=5.0, s_dec=6.0)
    assert observed_footprint(placed) == point(5, 6)
    assert observed_footprint(Observation(s_region="CONVEX 1 2 3 4")) is None
    assert observed_footprint(Observation(s_ra=5.0)) is None
    for half in ({"s_ra": 5.0}, {"s_dec": 5.0}, {"s_ra": 5.0, "s_dec": 91.0}):
        said = with_whole_position(Observation(target="M 31", **half))  # type: ignore[arg-type]
        assert said == Observation(target="M 31")
    assert with_whole_position(placed) is placed
    assert observed_footprint(Observation(s_ra=5.0, s_dec=float("nan"))) is None


@given(longitudes, st.floats(-90, 90))
def test_declination_is_exact_at_the_poles(ra: float, dec: float) -> None:
    assert np.degrees(declination(np.array(unit_vector(ra, dec)))) == pytest.approx(dec, abs=1e-12)
