"""A circle on the sky, and the observations that it meets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from paperclip_cli.records import Observation
from paperclip_cli.sky.footprint import (
    Shape,
    angles_between,
    enclose,
    observed_footprint,
    parse_region,
    separation,
    unit_vector,
)

_SLACK = 1e-9  # degrees: what is on the rim is in, whatever the last bit says


class Place(NamedTuple):
    """The columns of an index that say where an image lies: the circle around its footprint, its centre, and its footprint."""

    sky_ra: float
    sky_dec: float
    sky_radius: float
    s_ra: float | None
    s_dec: float | None
    s_region: str | None


@dataclass(frozen=True)
class Cone:
    """All within `radius` degrees of (`ra`, `dec`) in degrees: whole footprints, or their centres alone."""

    ra: float
    dec: float
    radius: float
    centre_only: bool = False

    def band(self) -> tuple[str, tuple]:
        """An SQL condition on the columns of `Place` that holds for all that the cone can meet, and for little else."""
        reach = self.radius + _SLACK
        return "(abs(sky_dec - ?) <= sky_radius + ? OR abs(s_dec - ?) <= ?)", (
            self.dec,
            reach,
            self.dec,
            reach,
        )

    def meets(self, place: Place) -> bool:
        """The circle around the footprint decides for most; the footprint itself where the circle alone is met."""
        if self.centre_only:
            return self._angle(*_centre(place)) <= self.radius + _SLACK
        if self._angle(place.sky_ra, place.sky_dec) > self.radius + place.sky_radius + _SLACK:
            return False
        shapes = parse_region(place.s_region) if place.s_region else []
        circle = enclose([Shape((unit_vector(self.ra, self.dec),), math.radians(self.radius))])
        return not shapes or separation(enclose(shapes), circle) <= _SLACK

    def arcminutes(self, observation: Observation) -> float | None:
        """From the centre of the cone to that of an observation; None where that is unknown."""
        if observation.s_ra is not None and observation.s_dec is not None:
            return self._angle(observation.s_ra, observation.s_dec) * 60
        footprint = observed_footprint(observation)
        return None if footprint is None else self._to(np.array(footprint.centre)) * 60

    def _angle(self, ra: float, dec: float) -> float:
        return self._to(np.array(unit_vector(ra, dec)))

    def _to(self, vector: np.ndarray) -> float:
        return math.degrees(float(angles_between(vector, np.array(unit_vector(self.ra, self.dec)))))


def _centre(place: Place) -> tuple[float, float]:
    if place.s_ra is None or place.s_dec is None:
        return place.sky_ra, place.sky_dec
    return place.s_ra, place.s_dec
