"""Footprints of observations on the sky, and the separation of two of them.

A footprint is a set of shapes. A shape is a polygon of great-circle arcs with a rounded rim: a
circle is one vertex with a rim, a point one vertex without. Vertices are unit vectors, so that
nothing is special at right ascension 0 or at the poles. Polygons are assumed to be smaller than a
hemisphere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from paperclip_cli.records import Observation
from paperclip_cli.sky.region import Shape, latitude, longitude, parse_region
from paperclip_cli.sky.vectors import unit_vector


@dataclass(frozen=True, slots=True)
class Footprint:
    """Shapes, and the circle around them all: `centre` is a unit vector, `radius` is in radians."""

    shapes: tuple[Shape, ...]
    centre: tuple[float, float, float]
    radius: float


def observed_footprint(observation: Observation) -> Footprint | None:
    """The footprint of `s_region` if it can be parsed, else the point (`s_ra`, `s_dec`) or None."""
    if observation.s_region:
        shapes = parse_region(observation.s_region)
        if shapes:
            return enclose(shapes)

    place = _place(observation)
    return None if place is None else enclose([Shape((unit_vector(*place),))])


def with_whole_position(observation: Observation) -> Observation:
    """The observation, without its position if that is half of one, or none of the sky."""
    if _place(observation) is not None or (observation.s_ra, observation.s_dec) == (None, None):
        return observation
    return replace(observation, s_ra=None, s_dec=None)


def _place(observation: Observation) -> tuple[float, float] | None:
    if observation.s_ra is None or observation.s_dec is None:
        return None
    try:
        return longitude(observation.s_ra), latitude(observation.s_dec)
    except ValueError:
        return None


def declination(vectors: np.ndarray) -> np.ndarray:
    """The declination in radians of unit vectors [..., 3].

    It is exact at the poles too, where an arcsine is not.
    """
    return np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1]))


def enclose(shapes: Sequence[Shape]) -> Footprint:
    """The footprint of some shapes. Its circle encloses them, but is not the smallest that does."""
    vertices = np.array([vertex for shape in shapes for vertex in shape.vertices])
    mean = vertices.mean(axis=0)
    length = np.linalg.norm(mean)
    centre = mean / length if length > 1e-9 else vertices[0]

    rims = [shape.rim for shape in shapes for _ in shape.vertices]
    radius = max(
        angle + rim for angle, rim in zip(angles_between(vertices, centre), rims, strict=True)
    )
    # Beyond a hemisphere, the sides of a polygon may lie outside the circle around its corners.
    radius = float(radius) if radius < math.pi / 2 else math.pi
    return Footprint(tuple(shapes), tuple(centre.tolist()), radius)


def angles_between(vectors: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The angles in radians between unit vectors [N, 3] and one other, or N others.

    They are exact for tiny and for large angles.
    """
    return 2 * np.arctan2(
        np.linalg.norm(vectors - other, axis=-1), np.linalg.norm(vectors + other, axis=-1)
    )


def separation(first: Footprint, second: Footprint) -> float:
    """The smallest angle between two footprints, in degrees; 0 if they touch or overlap."""
    return math.degrees(
        min(_shape_separation(one, other) for one in first.shapes for other in second.shapes)
    )


def is_within(footprint: Footprint, shape: Shape) -> bool:
    """Whether a footprint lies in a shape as a whole.

    A shape is taken to be convex: corners that are in it are joined within it.
    """
    return all(
        _is_vertex_within(np.array(vertex), one.rim, shape)
        for one in footprint.shapes
        for vertex in one.vertices
    )


def _is_vertex_within(vertex: np.ndarray, rim: float, shape: Shape) -> bool:
    polygon = np.array(shape.vertices)
    if len(polygon) < 3:
        return len(polygon) == 1 and (float(angles_between(vertex, polygon[0])) + rim <= shape.rim)
    if not _contains(polygon, vertex):
        return False
    return rim == 0 or float(_to_arcs(vertex[None], polygon).min()) >= rim


def _shape_separation(first: Shape, second: Shape) -> float:
    """The separation of two shapes in radians.

    Polygons that do not overlap are nearest to each other at a corner of one of them.
    """
    one, other = np.array(first.vertices), np.array(second.vertices)
    if _contains(one, other[0]) or _contains(other, one[0]) or _cross(one, other):
        return 0.0
    least = min(_to_arcs(one, other).min(), _to_arcs(other, one).min())
    return max(0.0, float(least) - first.rim - second.rim)


def _to_arcs(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """The distances [P, V] in radians from each point [P, 3] to each side of a polygon [V, 3]."""
    starts, ends = polygon, np.roll(polygon, -1, axis=0)
    normals = np.cross(starts, ends)
    lengths = np.linalg.norm(normals, axis=1)
    normals = normals / np.where(lengths > 0, lengths, 1)[:, None]
    point = points[:, None]

    # The foot of the perpendicular lies on the arc if it is on the inner side of both ends.
    after_start = np.sum(np.cross(normals, starts) * point, axis=-1) > 0
    before_end = np.sum(np.cross(ends, normals) * point, axis=-1) > 0
    across = np.abs(np.arcsin(np.clip(np.sum(normals * point, axis=-1), -1, 1)))
    to_corner = np.minimum(angles_between(point, starts), angles_between(point, ends))
    return np.where(after_start & before_end, across, to_corner)


def _contains(polygon: np.ndarray, point: np.ndarray) -> bool:
    """Whether a polygon winds around a point on its own side of the sky."""
    if len(polygon) < 3 or polygon.sum(axis=0) @ point <= 0:
        return False
    east = np.cross([0.0, 0.0, 1.0] if abs(point[2]) < 0.9 else [1.0, 0.0, 0.0], point)
    north = np.cross(point, east)
    bearings = np.arctan2(polygon @ east, polygon @ north)
    turns = np.diff(bearings, append=bearings[0])
    return bool(abs(np.sum((turns + math.pi) % (2 * math.pi) - math.pi)) > math.pi)


def _cross(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether a side of one polygon crosses a side of the other."""
    a, b = one[:, None], np.roll(one, -1, axis=0)[:, None]
    c, d = other[None], np.roll(other, -1, axis=0)[None]
    ab, cd = np.cross(a, b), np.cross(c, d)
    # Two sides cross if they straddle each other's great circle on the same half of the sky.
    sides = [np.sum(p * q, axis=-1) for p, q in ((ab, c), (ab, d), (cd, a), (cd, b))]
    straddle = (sides[0] * sides[1] < 0) & (sides[2] * sides[3] < 0)
    return bool(np.any(straddle & (sides[0] * sides[3] > 0)))
