"""Rotations of the sky, against astropy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.simulation.coordinates import (
    deproject,
    designation,
    draw_position,
    ecliptic_to_icrs,
    galactic_to_icrs,
    polygon,
)

coordinates = pytest.importorskip("astropy.coordinates")

LONGITUDES, LATITUDES = st.floats(0, 360), st.floats(-89, 89)


def _separation(found: tuple[float, float], expected) -> float:
    """The separation of two positions in arcsec."""
    return coordinates.SkyCoord(*found, unit="deg").separation(expected).arcsec


@settings(max_examples=25, deadline=None)
@given(LONGITUDES, LATITUDES)
def test_galactic_coordinates(longitude: float, latitude: float) -> None:
    expected = coordinates.SkyCoord(longitude, latitude, unit="deg", frame="galactic").icrs
    assert _separation(galactic_to_icrs(longitude, latitude), expected) < 0.1


@settings(max_examples=10, deadline=None)
@given(LONGITUDES, LATITUDES)
def test_ecliptic_coordinates(longitude: float, latitude: float) -> None:
    expected = coordinates.SkyCoord(
        longitude, latitude, unit="deg", frame=coordinates.BarycentricMeanEcliptic(equinox="J2000")
    ).icrs
    assert _separation(ecliptic_to_icrs(longitude, latitude), expected) < 1.0


@settings(max_examples=25, deadline=None)
@given(LONGITUDES, st.floats(-85, 85), st.floats(-300, 300), st.floats(-300, 300))
def test_the_tangent_plane(ra: float, dec: float, east: float, north: float) -> None:
    wcs = pytest.importorskip("astropy.wcs").WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [ra, dec]
    wcs.wcs.crpix, wcs.wcs.cdelt = [1, 1], [1 / 3600, 1 / 3600]
    expected = coordinates.SkyCoord(*wcs.wcs_pix2world(east, north, 0), unit="deg")
    found = deproject(ra, dec, np.array(east), np.array(north))
    assert _separation((float(found[0]), float(found[1])), expected) < 1e-3


def test_a_footprint_has_west_to_the_right() -> None:
    corners = np.array([[-50.0, -50], [50, -50], [50, 50], [-50, 50]])
    numbers = [float(word) for word in polygon(150.0, 2.0, corners).split()[2:]]
    assert numbers[0] > 150 > numbers[2] and numbers[1] < 2 < numbers[5] and len(numbers) == 8


def test_designations_are_those_of_the_iau() -> None:
    assert designation(188.736, -12.582) == "J123456.6-123455"
    assert designation(0.0, 0.5) == "J000000.0+003000"


@pytest.mark.parametrize(
    ("where", "lies"),
    [
        ("galactic", lambda place: np.median(np.abs(place.galactic.b.deg)) < 10),
        ("far", lambda place: np.abs(place.galactic.b.deg).min() > 19.9),
        ("solar", lambda place: np.abs(place.barycentricmeanecliptic.lat.deg).max() < 12),
    ],
)
def test_objects_lie_where_their_kind_is_found(where: str, lies) -> None:
    random = np.random.default_rng(0)
    places = [draw_position(random, where) for _ in range(200)]
    assert lies(coordinates.SkyCoord(places, unit="deg"))
