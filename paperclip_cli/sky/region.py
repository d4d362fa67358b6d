"""Footprints as text: STC-S, ADQL and DALI, turned into shapes on the sphere.

    POLYGON ICRS TOPOCENTER 10 10 11 10 11 11
    UNION GALACTIC (CIRCLE 10 10 0.1 BOX 12 10 1 2)
    10 10 0.1                       DALI's circle; six numbers or more are a polygon

Longitudes may run below 0 and above 360. What is stated in another frame is turned into ICRS. A
footprint without a frame is in ICRS, as ObsCore says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from paperclip_cli.sky.frames import FRAMES, icrs_vector
from paperclip_cli.sky.vectors import Vector, unit_vector

# Words of STC-S that do not move a footprint: where the observer is, and the kind of coordinates.
_SILENT = set(
    "GEOCENTER BARYCENTER HELIOCENTER TOPOCENTER EMBARYCENTER GALACTIC_CENTER LOCAL_GROUP_CENTER"
    " LSR LSRK LSRD RELOCATABLE UNKNOWNREFPOS UNKNOWN UNKNOWNFRAME SPHERICAL SPHERICAL2 SPHER2"
    " UNION".split()
)
# What may follow a shape and say something else of it.
_ASIDES = {"ERROR", "RESOLUTION", "SIZE", "PIXSIZE", "UNIT"}
_END = ""
_BLANKED = str.maketrans("(),;[]'\"", "        ")
_BEGINS_A_NUMBER = frozenset("+-.0123456789")
_FINEST = 0.5  # degrees between points on a parallel, which is then true to 1 arcsec
_ELLIPSE_POINTS = 96  # the polygon inside an ellipse is then true to 0.05 % of its axes


@dataclass(frozen=True, slots=True)
class Shape:
    """A polygon of unit vectors (x, y, z), and its rim in radians (for a circle, the radius)."""

    vertices: tuple[Vector, ...]
    rim: float = 0.0


def parse_region(text: str) -> list[Shape]:
    """Parse a footprint, or several in a row or in a `UNION`, in degrees.

    The list is empty if any part of the text cannot be read.
    """
    try:
        if _has_rings(text):
            return []
        return [shape for kind, frame, values in _parts(text) for shape in kind(frame, values)]
    except ValueError:
        return []


def longitude(value: float) -> float:
    """A longitude in degrees, brought into [0, 360).

    Raises:
        ValueError: it is more than one turn beside that, as a number is that stands for "unknown".
    """
    if not -360 <= value <= 720:
        raise ValueError(value)
    return value % 360 % 360  # a tiny negative angle plus 360 is 360 itself


def latitude(value: float) -> float:
    """A latitude in degrees.

    Raises:
        ValueError: it is none.
    """
    if not -90 <= value <= 90:
        raise ValueError(value)
    return value


_Maker = Callable[[str, Sequence[float]], list[Shape]]


def _has_rings(text: str) -> bool:
    """Whether a polygon has several rings, as a well-known text (WKT) may: they could be holes."""
    if not re.search(r"\d\s*\)\s*,\s*\(", text):
        return False
    groups = re.findall(r"\(([^()]*)\)", text)
    return any(len(re.split(r"[\s,]+", group.strip())) > 2 for group in groups)


def _parts(text: str) -> Iterator[tuple[_Maker, str, list[float]]]:
    """Each shape with its frame and its numbers.

    Raises:
        ValueError: a word is not known, or numbers belong to no shape.
    """
    words = text.upper().translate(_BLANKED).split()
    if "FILLFACTOR" in words:
        place = words.index("FILLFACTOR")
        del words[place : place + 2]
    if words and words[0][0] in _BEGINS_A_NUMBER:
        yield _dali(len(words)), "icrs", [float(word) for word in words]
        return

    around, frame, kind = "icrs", "icrs", ""
    values: list[float] = []
    for word in [*words, _END]:
        if word[:1] in _BEGINS_A_NUMBER or word == "INF":
            values.append(float(word))
        elif word in (_END, *_SHAPES, *_ASIDES):
            if kind in _SHAPES:
                yield _SHAPES[kind], frame, values
            elif kind not in _ASIDES and values:
                raise ValueError(values)
            is_aside = word == "POSITION" and kind in _AREAS
            kind, frame, values = "UNIT" if is_aside else word, around, []
        elif word.lower() in FRAMES and not values:
            frame = FRAMES[word.lower()]
            around = around if kind else frame
        elif word not in _SILENT and not (kind == "UNIT" and word == "DEG"):
            raise ValueError(word)


def _dali(count: int) -> _Maker:
    """What numbers without a word are, by the IVOA's Data Access Layer Interface."""
    return {2: _point, 3: _circle}.get(count, _polygon)


def _shape(frame: str, vertices: Sequence[Vector], rim: float = 0.0) -> Shape:
    turned = vertices if frame == "icrs" else [icrs_vector(frame, one) for one in vertices]
    # A corner that repeats the one before it (STC-S allows a closed ring) spans no arc.
    distinct = tuple(vertex for i, vertex in enumerate(turned) if vertex != turned[i - 1])
    return Shape(distinct or (turned[0],), rim)


def _vector(lon: float, lat: float) -> Vector:
    return unit_vector(longitude(lon), latitude(lat))


def _point(frame: str, values: Sequence[float]) -> list[Shape]:
    lon, lat = values
    return [_shape(frame, [_vector(lon, lat)])]


def _circle(frame: str, values: Sequence[float]) -> list[Shape]:
    lon, lat, radius = values
    return [_shape(frame, [_vector(lon, lat)], math.radians(_size(radius, 180)))]


def _all_sky(frame: str, values: Sequence[float]) -> list[Shape]:
    return _circle(frame, (0, 0, 180, *values))


def _polygon(frame: str, values: Sequence[float]) -> list[Shape]:
    if len(values) < 6:
        raise ValueError(values)
    corners = zip(values[::2], values[1::2], strict=True)
    return [_shape(frame, [_vector(*corner) for corner in corners])]


def _box(frame: str, values: Sequence[float]) -> list[Shape]:
    """A box, by ADQL 2.1, section 4.2.9.

    Two arms of half its size run east and north from its centre; its sides are the great circles at
    right angles to them.
    """
    lon, lat, width, height = values
    across = math.tan(math.radians(_size(width, 179.9) / 2))
    up = math.tan(math.radians(_size(height, 179.9) / 2))
    place = _local(lon, lat)
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [_shape(frame, [place(1.0, across * x, up * y) for x, y in corners])]


def _ellipse(frame: str, values: Sequence[float]) -> list[Shape]:
    """An ellipse: its centre, two half axes, and the bearing of the first from north to east."""
    lon, lat, first, second, bearing = values
    first, second = _size(first, 90), _size(second, 90)
    if not math.isfinite(bearing):
        raise ValueError(bearing)
    place, turn = _local(lon, lat), math.radians(bearing)
    vertices = []
    for i in range(_ELLIPSE_POINTS):
        angle = 2 * math.pi * i / _ELLIPSE_POINTS
        along, across = first * math.cos(angle), second * math.sin(angle)
        distance, towards = (
            math.radians(math.hypot(along, across)),
            math.atan2(across, along) + turn,
        )
        out = math.sin(distance)
        vertices.append(place(math.cos(distance), out * math.sin(towards), out * math.cos(towards)))
    return [_shape(frame, vertices)]


def _range(frame: str, values: Sequence[float]) -> list[Shape]:
    """The sky between two longitudes and two latitudes, by DALI 1.1, section 3.3.7.

    Its sides are parallels, which polygons of great circles follow closely.
    """
    west, east, south, north = values
    south, north = latitude(max(south, -90)), latitude(min(north, 90))
    span = 360.0 if math.isinf(east - west) or east - west >= 360 else (east - west) % 360
    west = 0.0 if span == 360 else longitude(west)
    if south > north:
        raise ValueError(values)
    meridians, parallels = _cuts(west, west + span, 30), _cuts(south, north, 45)
    return [
        _shape(frame, _cell(*sides, *ends))
        for sides, ends in product(pairwise(meridians), pairwise(parallels))
    ]


def _interval(frame: str, values: Sequence[float]) -> list[Shape]:
    """STC-S's range, which gives one corner and then the other."""
    west, south, east, north = values
    return _range(frame, (west, east, south, north))


def _cell(west: float, east: float, south: float, north: float) -> list[Vector]:
    along = _cuts(west, east, _FINEST)
    return [
        *(unit_vector(lon, south) for lon in along),
        *(unit_vector(lon, north) for lon in reversed(along)),
    ]


def _cuts(low: float, high: float, most: float) -> list[float]:
    """Places from `low` to `high` that are at most `most` apart."""
    parts = max(1, math.ceil((high - low) / most))
    return [low + (high - low) * i / parts for i in range(parts + 1)]


def _local(lon: float, lat: float) -> Callable[[float, float, float], Vector]:
    """A function that places a vector (towards, east, north) of any length at a direction."""
    centre = _vector(lon, lat)
    ra = math.radians(lon)
    east = -math.sin(ra), math.cos(ra), 0.0
    north = unit_vector(lon + 180, 90 - lat)

    def place(*local: float) -> Vector:
        length = math.hypot(*local)
        x, y, z = (
            sum(part * axis for part, axis in zip(local, axes, strict=True)) / length
            for axes in zip(centre, east, north, strict=True)
        )
        return x, y, z

    return place


def _size(value: float, most: float) -> float:
    if not 0 <= value <= most:
        raise ValueError(value)
    return value


_SHAPES: dict[str, _Maker] = {
    "POSITION": _point,
    "POINT": _point,
    "CIRCLE": _circle,
    "POLYGON": _polygon,
    "BOX": _box,
    "ELLIPSE": _ellipse,
    "RANGE": _range,
    "POSITIONINTERVAL": _interval,
    "ALLSKY": _all_sky,
}
_AREAS = _SHAPES.keys() - {"POSITION", "POINT"}  # a position that follows one is its centre
