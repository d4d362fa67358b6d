"""Directions on the sky as unit vectors, for which nothing is special at RA 0 or at the poles."""

from __future__ import annotations

import math
from typing import TypeAlias

Vector: TypeAlias = tuple[float, float, float]


def unit_vector(ra: float, dec: float) -> Vector:
    """The unit vector (x, y, z) of a direction in degrees."""
    ra, dec = math.radians(ra), math.radians(dec)
    return math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)


def direction(vector: Vector) -> tuple[float, float]:
    """The longitude [0, 360) and latitude of a vector of any length, in degrees."""
    x, y, z = vector
    longitude = math.degrees(math.atan2(y, x)) % 360
    # A tiny negative angle plus 360 is 360 itself.
    return longitude % 360, math.degrees(math.atan2(z, math.hypot(x, y)))
