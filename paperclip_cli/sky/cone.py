"""Cones: circles on the sky, and the observations that they meet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from paperclip_cli.records import Observation
from paperclip_cli.sky.footprint import angles_between, enclose, observed_footprint, separation
from paperclip_cli.sky.region import Shape, parse_region
from paperclip_cli.sky.vectors import unit_vector

SLACK = 1e-9  # degrees: the rim itself is inside, whatever the last bit says


class Place(NamedTuple):
    """An index's columns for an image's position.

    They are the circle around its footprint, its centre, and the footprint itself.
    """

    sky_ra: float
    sky_dec: float
    sky_radius: float
    s_ra: float | None
    s_dec: float | None
    s_region: str | None


@dataclass(frozen=True)
class Cone:
    """A circle of `radius` around (`ra`, `dec`), all in degrees.

    It meets whole footprints, or with `centre_only` their centres alone.
    """

    ra: float
    dec: float
    radius: float
    centre_only: bool = False

    def band(self) -> tuple[str, tuple]:
        """An SQL condition, with its values, on the columns of `Place`.

        It holds for everything that the cone can meet, and for little else.
        """
        reach = self.radius + SLACK
        condition = "(abs(sky_dec - ?) <= sky_radius + ? OR abs(s_dec - ?) <= ?)"
        return condition, (self.dec, reach, self.dec, reach)

    def meets(self, place: Place) -> bool:
        """Whether the cone meets an observation.

        The circle around the footprint rules most of them out; for the others the footprint
        decides.
        """
        if self.centre_only:
            return self.angle(place) <= self.radius + SLACK
        if self._angle(place.sky_ra, place.sky_dec) > self.radius + place.sky_radius + SLACK:
            return False

        shapes = parse_region(place.s_region) if place.s_region else []
        circle = enclose([Shape((unit_vector(self.ra, self.dec),), math.radians(self.radius))])
        return not shapes or separation(enclose(shapes), circle) <= SLACK

    def angle(self, place: Place) -> float:
        """The distance in degrees from the cone's centre to a place's."""
        return self._angle(*centre_of(place))

    def nearest(self, places: Sequence[tuple[float, float]]) -> float:
        """The least distance in degrees from the cone's centre to places (ra, dec) in degrees."""
        ra, dec = np.radians(np.asarray(places, np.float64)).T
        vectors = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], -1)
        return self._to(vectors[np.argmax(vectors @ np.array(unit_vector(self.ra, self.dec)))])

    def arcminutes(self, observation: Observation) -> float | None:
        """The distance from the cone's centre to an observation's; None if that is unknown."""
        if observation.s_ra is not None and observation.s_dec is not None:
            return self._angle(observation.s_ra, observation.s_dec) * 60
        footprint = observed_footprint(observation)
        return None if footprint is None else self._to(np.array(footprint.centre)) * 60

    def _angle(self, ra: float, dec: float) -> float:
        return self._to(np.array(unit_vector(ra, dec)))

    def _to(self, vector: np.ndarray) -> float:
        return math.degrees(float(angles_between(vector, np.array(unit_vector(self.ra, self.dec)))))


def centre_of(place: Place) -> tuple[float, float]:
    """The centre of an image, or else of the circle around its footprint, in degrees."""
    if place.s_ra is None or place.s_dec is None:
        return place.sky_ra, place.sky_dec
    return place.s_ra, place.s_dec
