"""Where a FITS image lies on the sky, by its whole header.

Plain headers, by far the most, are gnomonic projections in ICRS or FK5 J2000, with or without SIP
distortion; a few formulas place them. astropy places all others. Both give the same positions. What
astropy cannot place is repaired where its meaning is plain, and otherwise has no position.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from paperclip_cli.images.fits_cards import Cards
from paperclip_cli.images.fits_wcs_plain import (
    CELESTIAL,
    Sky,
    Tables,
    Unplaced,
    axis_name,
    plain_sky,
)
from paperclip_cli.records import Wcs
from paperclip_cli.sky.footprint import unit_vector
from paperclip_cli.sky.wcs import gnomonic, pixel_to_sky

__all__ = ["Placement", "Unplaced", "placed"]

Vector = tuple[float, float, float]
_HEMISPHERE = 1e-6  # least cosine of the angle between the middle and the outline
_STRAIGHT = 0.01  # of a side: how far its middle may lie from the great circle through its ends
_PARTS = 8  # of a side that is not straight
_LINEAR = 0.05  # of a side: how far the linear coordinates may be off at a corner


@dataclass(frozen=True, kw_only=True)
class Placement:
    """An image on the sky: its middle in ICRS degrees, its outline, and its linear coordinates.

    `region` is STC-S, counter-clockwise from the lower left corner. It is None where a corner is
    off the sky, or the image is as large as a hemisphere. `wcs` is None where no gnomonic
    projection comes near the header's.
    """

    middle: tuple[float, float]
    region: str | None
    wcs: Wcs | None


class _Frame(NamedTuple):
    """The points of an image that are placed: its middle, its corners, and others between."""

    width: int
    height: int

    @property
    def middle(self) -> tuple[float, float]:
        return (self.width + 1) / 2, (self.height + 1) / 2

    @property
    def corners(self) -> list[tuple[float, float]]:
        x, y = self.width + 0.5, self.height + 0.5
        return [(0.5, 0.5), (x, 0.5), (x, y), (0.5, y)]

    def edge(self, parts: int) -> list[tuple[float, float]]:
        """The corners, and points that divide each side into `parts`."""
        ends = self.corners
        return [
            (a + (c - a) * step / parts, b + (d - b) * step / parts)
            for (a, b), (c, d) in zip(ends, [*ends[1:], ends[0]], strict=True)
            for step in range(parts)
        ]

    @property
    def cross(self) -> list[tuple[float, float]]:
        """Left and right, below and above the middle, half way to the edge."""
        (x, y), dx, dy = self.middle, self.width / 4, self.height / 4
        return [(x - dx, y), (x + dx, y), (x, y - dy), (x, y + dy)]


def placed(
    headers: Sequence[Cards], shape: tuple[int, int], tables: Tables | None = None
) -> Placement | None:
    """The place of an image of `shape` (height, width) by its header, the last one.

    An extension with INHERIT = T that has no axes of its own has those of the primary header.
    `tables` opens the file in astropy, where the header refers to tables of distortions. None where
    the axes are not celestial.

    Raises:
        Unplaced: the axes are celestial, but give no usable position.
    """
    cards = headers[-1]
    if "CTYPE1" not in cards and len(headers) > 1 and cards.value("INHERIT") is True:
        cards = headers[0]
    if not all(axis_name(cards, axis) in CELESTIAL for axis in (1, 2)):
        return None
    sky = plain_sky(cards)
    if sky is None:
        # Loaded only here: astropy.wcs and its coordinates take half a second.
        from paperclip_cli.images.fits_wcs_full import full_sky

        sky = full_sky(cards, tables)
    height, width = shape
    return _placement(sky, _Frame(width, height))


def _placement(sky: Sky, frame: _Frame) -> Placement:
    middle, *rest = sky([frame.middle, *frame.edge(2), *frame.cross])
    if not all(map(math.isfinite, middle)):
        raise Unplaced("its middle is off the sky")
    edge, cross = rest[:8], rest[8:]
    wcs = _linear(middle, cross, frame)
    if wcs is not None and not _is_near(wcs, edge[::2], frame):
        wcs = None
    return Placement(middle=middle, region=_region(sky, frame, middle, edge), wcs=wcs)


def _region(
    sky: Sky, frame: _Frame, middle: tuple[float, float], edge: Sequence[tuple[float, float]]
) -> str | None:
    """The outline, with further points between the corners where the sides are not straight."""
    centre, vectors = unit_vector(*middle), [unit_vector(*point) for point in edge]
    if not all(_dot(centre, vector) > _HEMISPHERE for vector in vectors):  # NaN off the sky, too
        return None
    is_straight = all(
        _bend(vectors[i], vectors[i + 1], vectors[(i + 2) % 8]) < _STRAIGHT for i in (0, 2, 4, 6)
    )
    outline = edge[::2] if is_straight else sky(frame.edge(_PARTS))
    if not all(_dot(centre, unit_vector(*point)) > _HEMISPHERE for point in outline):
        return None
    return "POLYGON ICRS " + " ".join(f"{angle:.7f}" for point in outline for angle in point)


def _bend(start: Vector, middle: Vector, end: Vector) -> float:
    """How far a point lies from half way between two others, in parts of their distance."""
    half = [(a + b) / 2 for a, b in zip(start, end, strict=True)]
    length = math.hypot(*half)
    side = math.dist(start, end)
    return math.dist(middle, [a / length for a in half]) / side if side and length else 0.0


def _linear(
    middle: tuple[float, float], cross: Sequence[tuple[float, float]], frame: _Frame
) -> Wcs | None:
    """A gnomonic projection about the middle; differences over half the image give its matrix."""
    (left, right, below, above) = (gnomonic(middle, *point) for point in cross)
    dx, dy = frame.width / 2, frame.height / 2
    a, c = (right[0] - left[0]) / dx, (right[1] - left[1]) / dx
    b, d = (above[0] - below[0]) / dy, (above[1] - below[1]) / dy
    sensible = all(map(math.isfinite, (a, b, c, d))) and a * d != b * c
    return Wcs(middle, frame.middle, (a, b, c, d)) if sensible else None


def _is_near(wcs: Wcs, corners: Sequence[tuple[float, float]], frame: _Frame) -> bool:
    """Whether linear coordinates come near the true ones at the corners."""
    true = [unit_vector(*corner) for corner in corners]
    found = [unit_vector(*pixel_to_sky(wcs, *corner)) for corner in frame.corners]
    side = min(math.dist(true[0], true[1]), math.dist(true[1], true[2]))
    return max(map(math.dist, true, found)) <= _LINEAR * side  # False for NaN


def _dot(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
