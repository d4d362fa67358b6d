"""World coordinates of previews.

The archive's preview maker (fitscut) leaves them in a JPEG's comment, as the text of nine FITS
cards. They count pixels as FITS does, from 1 and from the bottom row up, although the rows of a
JPEG run from the top down (fitscut's jpeg_output.c writes the last row first).
"""

from __future__ import annotations

import math
import re

from paperclip_cli.records import Wcs

_CARD = re.compile(
    r"^(CTYPE[12]|CRPIX[12]|CRVAL[12]|CD[12]_[12]|CDELT[12]|CROTA2)\s*=\s*'?([^'\n/]+?)'?\s*$",
    re.MULTILINE,
)
_PART = 0.01  # of a canvas, over which its scale is measured


def read_comment(comment: bytes | str | None) -> Wcs | None:
    """The coordinates of the full-size preview; None if the comment has none that make sense."""
    text = comment.decode("latin-1") if isinstance(comment, bytes) else comment or ""
    cards = dict(_CARD.findall(text[:4096]))
    types = cards.pop("CTYPE1", ""), cards.pop("CTYPE2", "")
    if not (types[0].startswith("RA---TAN") and types[1].startswith("DEC--TAN")):
        return None

    try:
        values = {name: float(value) for name, value in cards.items()}
        crval = values["CRVAL1"], values["CRVAL2"]
        crpix = values["CRPIX1"], values["CRPIX2"]
        cd = _matrix(values)
    except (ValueError, KeyError):
        return None

    is_finite = all(map(math.isfinite, (*crval, *crpix, *cd)))
    on_sky = 0 <= crval[0] <= 360 and abs(crval[1]) <= 90
    return Wcs(crval, crpix, cd) if is_finite and on_sky and _is_regular(cd) else None


def on_canvas(full: Wcs, width: int, height: int, side: int, size: int) -> Wcs:
    """The coordinates of a canvas of `side` pixels.

    A preview of `width` x `height`, shrunk to `size`, lies in its middle. Pixel centres keep their
    place in the frame: x' = (x - 1/2) k + 1/2 + margin, with k of each axis as `make_canvas` rounds
    it.
    """
    scale = min(1.0, size / max(width, height))
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    kx, ky = columns / width, rows / height
    left, bottom = (side - columns) // 2, side - rows - (side - rows) // 2

    crpix = ((full.crpix[0] - 0.5) * kx + 0.5 + left, (full.crpix[1] - 0.5) * ky + 0.5 + bottom)
    a, b, c, d = full.cd
    return Wcs(full.crval, crpix, (a / kx, b / ky, c / kx, d / ky))


def sky_to_pixel(wcs: Wcs, ra: float, dec: float) -> tuple[float, float] | None:
    """The FITS pixel (x, y) of a position in degrees; None if it lies behind the tangent plane."""
    xi, eta = gnomonic(wcs.crval, ra, dec)
    if math.isnan(xi):
        return None

    a, b, c, d = wcs.cd
    determinant = a * d - b * c
    dx, dy = (d * xi - b * eta) / determinant, (a * eta - c * xi) / determinant
    return wcs.crpix[0] + dx, wcs.crpix[1] + dy


def gnomonic(about: tuple[float, float], ra: float, dec: float) -> tuple[float, float]:
    """Degrees east and north of `about` in the tangent plane there; NaN behind it.

    The formula is that of Calabretta & Greisen 2002, section 5.1.3.
    """
    ra0, dec0, ra, dec = map(math.radians, (*about, ra, dec))
    cosine = math.sin(dec0) * math.sin(dec) + math.cos(dec0) * math.cos(dec) * math.cos(ra - ra0)
    if cosine <= 0:
        return math.nan, math.nan

    north = math.cos(dec0) * math.sin(dec) - math.sin(dec0) * math.cos(dec) * math.cos(ra - ra0)
    xi, eta = math.cos(dec) * math.sin(ra - ra0) / cosine, north / cosine
    return math.degrees(xi), math.degrees(eta)


def pixel_to_sky(wcs: Wcs, x: float, y: float) -> tuple[float, float]:
    """The position in degrees of FITS pixel (x, y)."""
    dx, dy = x - wcs.crpix[0], y - wcs.crpix[1]
    a, b, c, d = wcs.cd
    xi, eta = math.radians(a * dx + b * dy), math.radians(c * dx + d * dy)

    ra0, dec0 = map(math.radians, wcs.crval)
    forward = math.cos(dec0) - eta * math.sin(dec0)
    ra = ra0 + math.atan2(xi, forward)
    dec = math.atan2(math.sin(dec0) + eta * math.cos(dec0), math.hypot(xi, forward))
    return math.degrees(ra) % 360, math.degrees(dec)


def frame_region(wcs: Wcs, width: int, height: int) -> str:
    """The STC-S polygon of a preview's frame, counter-clockwise from its lower left corner.

    The exposed part may be smaller.
    """
    corners = ((0.5, 0.5), (width + 0.5, 0.5), (width + 0.5, height + 0.5), (0.5, height + 0.5))
    return "POLYGON ICRS " + " ".join(
        f"{angle:.7f}" for corner in corners for angle in pixel_to_sky(wcs, *corner)
    )


def unit_square(wcs: Wcs, side: int) -> Wcs:
    """The coordinates of a canvas of `side` pixels as if it were one pixel.

    They do not change when the canvas is resampled.
    """
    x, y = wcs.crpix
    a, b, c, d = wcs.cd
    crpix = (x - 0.5) / side + 0.5, (y - 0.5) / side + 0.5
    return Wcs(wcs.crval, crpix, (a * side, b * side, c * side, d * side))


def field_of_view(square: Wcs) -> float:
    """Degrees that a canvas, given as a unit square, is wide, at the scale in its middle."""
    ends = pixel_to_sky(square, 1 - _PART / 2, 1), pixel_to_sky(square, 1 + _PART / 2, 1)
    angle = math.atan(math.radians(math.hypot(*gnomonic(ends[0], *ends[1]))))
    return math.degrees(angle) / _PART


def _matrix(values: dict[str, float]) -> tuple[float, float, float, float]:
    """The CD matrix of a header; the older CDELT and CROTA2 make one too."""
    if "CD1_1" in values:
        return values["CD1_1"], values.get("CD1_2", 0.0), values.get("CD2_1", 0.0), values["CD2_2"]

    turn = math.radians(values.get("CROTA2", 0.0))
    dx, dy = values["CDELT1"], values["CDELT2"]
    return dx * math.cos(turn), -dy * math.sin(turn), dx * math.sin(turn), dy * math.cos(turn)


def _is_regular(cd: tuple[float, float, float, float]) -> bool:
    return cd[0] * cd[3] != cd[1] * cd[2]


def jpeg_comment(data: bytes) -> bytes | None:
    """The first comment before the picture (COM segment, ITU T.81 section B.2.4.5), or None."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] not in (0xD9, 0xDA):
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1] == 0xFE:
            return data[place + 4 : place + 2 + length]
        place += 2 + max(2, length)
    return None
