"""Rotations of the celestial sphere for the simulated sky.

They are written out here because importing astropy would take longer than making the catalogue.
"""

from __future__ import annotations

import numpy as np

from paperclip_cli.simulation.drawing import Random

OBLIQUITY = np.radians(23.4392911)
# Galactic to ICRS (Hipparcos catalogue, vol. 1, eq. 1.5.11, transposed).
_GALACTIC = np.array(
    [
        [-0.0548755604, 0.4941094279, -0.8676661490],
        [-0.8734370902, -0.4448296300, -0.1980763734],
        [-0.4838350155, 0.7469822445, 0.4559837762],
    ]
)


def galactic_to_icrs(longitude: float, latitude: float) -> tuple[float, float]:
    """Convert Galactic l, b to ICRS right ascension and declination; degrees."""
    return _angles(_GALACTIC @ _vector(longitude, latitude))


def ecliptic_to_icrs(longitude: float, latitude: float) -> tuple[float, float]:
    """Convert ecliptic (J2000) to equatorial coordinates; degrees."""
    c, s = np.cos(OBLIQUITY), np.sin(OBLIQUITY)
    return _angles(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ _vector(longitude, latitude))


def draw_position(random: Random, where: str) -> tuple[float, float]:
    """A random position: ICRS right ascension and declination in degrees.

    `where` is `far` (at least 20 degrees from the Galactic plane), `galactic` (near that plane) or
    `solar` (near the ecliptic).
    """
    if where == "solar":
        return ecliptic_to_icrs(random.uniform(0, 360), random.normal(0, 2.0))
    if where == "galactic":
        return galactic_to_icrs(random.uniform(0, 360), random.laplace(0, 5.0))
    # Uniform in the sine of the latitude: uniform over the sphere.
    latitude = np.degrees(np.arcsin(random.uniform(np.sin(np.radians(20.0)), 1)))
    side = random.choice((-1.0, 1.0))
    return galactic_to_icrs(random.uniform(0, 360), float(latitude * side))


def deproject(
    ra: float, dec: float, east: np.ndarray, north: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (degrees) of offsets (arcsec) on the tangent plane at `ra`, `dec`.

    This is the inverse gnomonic projection.
    """
    xi, eta = np.radians(np.asarray(east) / 3600), np.radians(np.asarray(north) / 3600)
    sine, cosine = np.sin(np.radians(dec)), np.cos(np.radians(dec))
    alpha = np.radians(ra) + np.arctan2(xi, cosine - eta * sine)
    delta = np.arctan2(sine + eta * cosine, np.hypot(xi, cosine - eta * sine))
    return np.degrees(alpha) % 360, np.degrees(delta)


def polygon(ra: float, dec: float, corners: np.ndarray) -> str:
    """STC-S footprint of `corners` [N, 2].

    Corners are offsets in arcsec on a picture with north up and x to the right, which is west.
    """
    alpha, delta = deproject(ra, dec, -corners[:, 0], corners[:, 1])
    return "POLYGON ICRS " + " ".join(f"{a:.6f} {d:.6f}" for a, d in zip(alpha, delta, strict=True))


def designation(ra: float, dec: float) -> str:
    """A position in the form of an IAU designation, truncated and not rounded: J123456.7-012345."""
    hours, degrees = ra / 15, abs(dec)
    seconds = int(hours * 36000 % 600) / 10  # of time; the conversion truncates to a tenth
    right_ascension = f"{int(hours):02d}{int(hours * 60 % 60):02d}{seconds:04.1f}"
    arc_minutes, arc_seconds = int(degrees * 60 % 60), int(degrees * 3600 % 60)
    declination = f"{int(degrees):02d}{arc_minutes:02d}{arc_seconds:02d}"
    return f"J{right_ascension}{'-' if dec < 0 else '+'}{declination}"


def _vector(longitude: float, latitude: float) -> np.ndarray:
    a, d = np.radians(longitude), np.radians(latitude)
    return np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])


def _angles(vector: np.ndarray) -> tuple[float, float]:
    longitude = np.degrees(np.arctan2(vector[1], vector[0])) % 360
    latitude = np.degrees(np.arcsin(np.clip(vector[2], -1, 1)))
    return float(longitude), float(latitude)
