"""An area of the sky drawn by a user: shapes, and holes in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paperclip_cli.sky.cone import SLACK, Place, centre_of
from paperclip_cli.sky.footprint import Footprint, angles_between, enclose, is_within, separation
from paperclip_cli.sky.region import Shape, parse_region
from paperclip_cli.sky.vectors import unit_vector


@dataclass(frozen=True)
class Part:
    """A shape, without its `holes`: the inner circle of an annulus, and what a user excludes."""

    shape: Footprint
    holes: tuple[Shape, ...] = ()


@dataclass(frozen=True)
class Area:
    """The union of some parts. It meets whole footprints, or with `centre_only` their centres."""

    parts: tuple[Part, ...]
    centre_only: bool = False

    def band(self) -> tuple[str, tuple]:
        """An SQL condition, with its values, on the columns of `Place`, as `Cone.band`."""
        clauses, values = [], []
        for part in self.parts:
            dec = math.degrees(math.asin(max(-1.0, min(1.0, part.shape.centre[2]))))
            reach = math.degrees(part.shape.radius) + SLACK
            clauses.append("abs(sky_dec - ?) <= sky_radius + ? OR abs(s_dec - ?) <= ?")
            values += [dec, reach, dec, reach]
        return f"({' OR '.join(clauses)})", tuple(values)

    def meets(self, place: Place) -> bool:
        """Whether an observation overlaps a part, and does not lie in a hole of it as a whole."""
        if self.centre_only:
            footprint = enclose([Shape((unit_vector(*centre_of(place)),))])
        else:
            circle = Shape(
                (unit_vector(place.sky_ra, place.sky_dec),), math.radians(place.sky_radius)
            )
            shapes = parse_region(place.s_region) if place.s_region else []
            footprint = enclose(shapes or [circle])
        return any(_overlaps(part, footprint) for part in self.parts)

    def angle(self, place: Place) -> float:
        """The distance in degrees from the middle of the nearest part to a place's centre."""
        centre = unit_vector(*centre_of(place))
        return self._least(np.array([centre]))

    def nearest(self, places: Sequence[tuple[float, float]]) -> float:
        """The least distance from the middle of a part to places (ra, dec), all in degrees."""
        return self._least(np.array([unit_vector(*place) for place in places]))

    def _least(self, vectors: np.ndarray) -> float:
        return math.degrees(
            min(
                float(angles_between(vectors, np.array(part.shape.centre)).min())
                for part in self.parts
            )
        )


def _overlaps(part: Part, footprint: Footprint) -> bool:
    apart = math.degrees(
        float(angles_between(np.array(part.shape.centre), np.array(footprint.centre)))
    )
    if apart > math.degrees(part.shape.radius + footprint.radius) + SLACK:
        return False
    if separation(part.shape, footprint) > SLACK:
        return False
    return not any(is_within(footprint, hole) for hole in part.holes)
