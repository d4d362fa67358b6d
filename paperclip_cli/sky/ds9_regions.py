"""A file of DS9 regions as an area of the sky (astropy's `regions` reads the file)."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paperclip_cli.errors import PaperclipError
from paperclip_cli.sky.area import Area, Part
from paperclip_cli.sky.footprint import enclose
from paperclip_cli.sky.region import Shape
from paperclip_cli.sky.vectors import Vector, unit_vector

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

_MOST = 2**24  # bytes of a file
_CORNERS = 96  # of the polygon that stands for an ellipse: true to 0.05 % of its axes
# Drawn in a file, but no area.
_ANNOTATIONS = re.compile(r'"(text|vector|ruler|compass|projection)" frame or shape')


def read_area(path: Path, centre_only: bool = False) -> Area:
    """The area of a file of regions, in ICRS.

    Raises:
        PaperclipError: it cannot be read, has shapes in pixels, or has no area.
    """
    return Area(_parts(_text(path), path), centre_only)


@lru_cache(maxsize=2)
def _parts(text: str, path: Path) -> tuple[Part, ...]:
    """The parts of the area. A query asks for them once for each of its indexes."""
    parts: list[Part] = []
    excluded: list[Shape] = []
    for region in _regions(text, path):
        shape, hole = _shapes(region, path)
        if str(region.meta.get("include", 1)) in ("0", "-", "False"):
            excluded.append(shape)
        else:
            parts.append(Part(enclose([shape]), () if hole is None else (hole,)))
    if not parts:
        raise PaperclipError(
            f"{path} has no region that includes a part of the sky",
            "draw one in DS9 and save it as fk5, icrs or galactic",
        )
    return tuple(Part(part.shape, (*part.holes, *excluded)) for part in parts)


def _regions(text: str, path: Path) -> Iterator[Any]:
    """The regions of a file, without annotations."""
    from regions import Regions

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = Regions.parse(text, format="ds9")
        except Exception as error:
            raise _not_read(path, str(error)) from error
    for warning in said:
        if not _ANNOTATIONS.search(str(warning.message)):
            # The library goes on without such a shape: the area would be another one.
            raise _not_read(path, str(warning.message))
    yield from (region for region in found if "Text" not in type(region).__name__)


def _not_read(path: Path, reason: str) -> PaperclipError:
    what = " ".join(reason.removesuffix(", skipping.").split())[:200]
    return PaperclipError(
        f"{path} cannot be read as DS9 regions: {what}",
        "save it in DS9 with format ds9 and system fk5, icrs or galactic",
    )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        raise PaperclipError(
            f"{path} cannot be read: {error.strerror}", "give a file of DS9 regions"
        ) from error
    if len(data) > _MOST:
        raise PaperclipError(f"{path} is too large for a file of regions", "give a smaller one")
    return data.decode("utf-8", "replace")


def _shapes(region: Any, path: Path) -> tuple[Shape, Shape | None]:
    """The shape of a region, and the hole in it."""
    kind = type(region).__name__
    make = _KINDS.get(kind)
    if make is None:
        raise PaperclipError(
            f"{path} has regions in pixels"
            if "Pixel" in kind
            else f"{path} has a region that is not known here ({kind})",
            "save it in DS9 with system fk5, icrs or galactic",
        )
    return make(region)


def _vectors(places: SkyCoord) -> tuple[Vector, ...]:
    icrs = places.icrs.reshape(-1)
    pairs = zip(icrs.ra.deg.tolist(), icrs.dec.deg.tolist(), strict=True)
    return tuple(unit_vector(ra, dec) for ra, dec in pairs)


def _circle(centre: SkyCoord, radius: Any) -> Shape:
    return Shape(_vectors(centre), radius.to_value("rad"))


def _drawn(region: Any, width: Any, height: Any, unit: list[tuple[float, float]]) -> Shape:
    """A polygon of points (along the width, along the height), of half the width and height.

    The angle of a region is that of its height, from north to east; its width points west at 0.
    """
    import numpy as np
    from astropy import units

    half_width, half_height = width.to_value("rad") / 2, height.to_value("rad") / 2
    along, across = np.array(unit).T * np.array([[half_width], [half_height]])
    turn = region.angle.to_value("rad")
    east = -along * math.cos(turn) + across * math.sin(turn)
    north = along * math.sin(turn) + across * math.cos(turn)
    places = region.center.directional_offset_by(
        np.arctan2(east, north) * units.rad, np.hypot(east, north) * units.rad
    )
    return Shape(_vectors(places))


_BOX = [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)]
_ROUND = [
    (math.cos(2 * math.pi * step / _CORNERS), math.sin(2 * math.pi * step / _CORNERS))
    for step in range(_CORNERS)
]


def _plain(unit: list[tuple[float, float]]) -> Callable[[Any], tuple[Shape, None]]:
    return lambda region: (_drawn(region, region.width, region.height, unit), None)


def _ring(unit: list[tuple[float, float]]) -> Callable[[Any], tuple[Shape, Shape]]:
    return lambda region: (
        _drawn(region, region.outer_width, region.outer_height, unit),
        _drawn(region, region.inner_width, region.inner_height, unit),
    )


_KINDS: dict[str, Callable[[Any], tuple[Shape, Shape | None]]] = {
    "CircleSkyRegion": lambda region: (_circle(region.center, region.radius), None),
    "CircleAnnulusSkyRegion": lambda region: (
        _circle(region.center, region.outer_radius),
        _circle(region.center, region.inner_radius),
    ),
    "EllipseSkyRegion": _plain(_ROUND),
    "EllipseAnnulusSkyRegion": _ring(_ROUND),
    "RectangleSkyRegion": _plain(_BOX),
    "RectangleAnnulusSkyRegion": _ring(_BOX),
    "PolygonSkyRegion": lambda region: (Shape(_vectors(region.vertices)), None),
    "PointSkyRegion": lambda region: (Shape(_vectors(region.center)), None),
    "LineSkyRegion": lambda region: (Shape((*_vectors(region.start), *_vectors(region.end))), None),
}
