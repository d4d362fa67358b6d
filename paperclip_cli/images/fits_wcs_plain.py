"""Positions by the plain headers: gnomonic, in ICRS or FK5 J2000, with or without SIP distortion.

They are those of astropy, without its half a second of importing and without its milliseconds for
each header. References: Calabretta & Greisen 2002 (projections), Shupe et al. 2005 (SIP).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from paperclip_cli.images.fits_cards import Cards
from paperclip_cli.records import Wcs
from paperclip_cli.sky.footprint import unit_vector
from paperclip_cli.sky.wcs import pixel_to_sky

if TYPE_CHECKING:
    from astropy.io.fits import HDUList

Points = Sequence[tuple[float, float]]
# From FITS pixels (x, y), counted from 1, to ICRS degrees; NaN where a pixel is off the sky.
Sky = Callable[[Points], list[tuple[float, float]]]
# Opens the file in astropy, for the tables of distortions that some headers refer to.
Tables = Callable[[], AbstractContextManager["HDUList"]]

EQUATORIAL = ("RA", "DEC")
GALACTIC, ECLIPTIC, SUPERGALACTIC = ("GLON", "GLAT"), ("ELON", "ELAT"), ("SLON", "SLAT")
CELESTIAL = (*EQUATORIAL, *GALACTIC, *ECLIPTIC, *SUPERGALACTIC)
SIP_ORDERS = range(2, 10)

_NUMBERS = re.compile(r"(CRPIX|CRVAL|CDELT|CROTA)[12]|(CD|PC)[12]_[12]|EQUINOX|EPOCH|LONPOLE")
_SIP = re.compile(r"[AB]_\d_\d")
# Anything that tells more about coordinates than the formulas here know.
_MORE = re.compile(
    r"P[VS]\d+_\d+|PROJP\d+|(PC|CD)(\d{6}|0\d+_\d+|\d+_0\d+|[12]_[3-9]|[3-9]_[12])|WAT\d_\d+"
    r"|C[PQ](DIS|ERR)\d|D[PQ]\d.*|D2IM.*|AXISCORR|CROTA1"
)
# ICRS to FK5 J2000 as the Hipparcos catalogue defines it: rotations about x, y, z in milliarcsec.
_FRAME_BIAS = (-19.9, -9.1, 22.9)
_FARTHEST = 1e9  # pixels: the powers of SIP would overflow beyond
_MAS = math.radians(1 / 3_600_000)


class Unplaced(Exception):
    """An image whose axes are celestial, but whose header gives no usable position: the reason."""


def axis_name(cards: Cards, axis: int) -> str:
    """What an axis of the image measures, in upper case: RA, GLAT, WAVE; blank if unknown."""
    return (cards.word(f"CTYPE{axis}") or "").split("-")[0]


def plain_sky(cards: Cards) -> Sky | None:
    """The positions by a plain header; None where anything in it is out of the ordinary."""
    kinds = cards.text("CTYPE1"), cards.text("CTYPE2")
    is_sip = kinds == ("RA---TAN-SIP", "DEC--TAN-SIP")
    if not is_sip and kinds != ("RA---TAN", "DEC--TAN"):
        return None
    is_fk5 = _is_fk5(cards)
    wcs = _gnomonic(cards)
    if wcs is None or is_fk5 is None or any(True for _ in cards.matching(_MORE)):
        return None
    if any(cards.text(f"CUNIT{axis}") not in (None, "deg") for axis in (1, 2)):
        return None
    if is_sip != ("A_ORDER" in cards) or is_sip != ("B_ORDER" in cards):
        return None
    terms = [_terms(cards, name) for name in "AB"] if is_sip else [(), ()]
    if terms[0] is None or terms[1] is None:
        return None
    shifts = terms[0], terms[1]

    def sky(points: Points) -> list[tuple[float, float]]:
        undistorted = (_undistorted(point, wcs.crpix, shifts) for point in points)
        places = (pixel_to_sky(wcs, x, y) for x, y in undistorted)
        return [_from_fk5(*place) if is_fk5 else place for place in places]

    return sky


def _gnomonic(cards: Cards) -> Wcs | None:
    """The projection without its distortion; None if some card is missing, odd or doubled."""
    given = {name: cards.number(name) for name in cards.names(_NUMBERS)}
    if any(value is None or cards.count(name) > 1 for name, value in given.items()):
        return None
    values = {name: value for name, value in given.items() if value is not None}
    matrix = _matrix(values)
    try:
        crval, crpix = ((values[f"{n}1"], values[f"{n}2"]) for n in ("CRVAL", "CRPIX"))
    except KeyError:
        return None
    # At the pole itself the image is turned by default (Calabretta & Greisen 2002, section 2.2).
    if matrix is None or not -90 <= crval[1] < 90 or values.get("LONPOLE", 180) != 180:
        return None
    if max(map(abs, crpix)) > _FARTHEST:
        return None
    a, b, c, d = matrix
    return Wcs(crval, crpix, matrix) if a * d != b * c else None


def _matrix(values: dict[str, float]) -> tuple[float, float, float, float] | None:
    """The matrix in degrees a pixel, by CD, or by CDELT with PC or CROTA2; None for a mixture."""
    names = ("1_1", "1_2", "2_1", "2_2")
    has_cd, has_pc = (any(f"{kind}{name}" in values for name in names) for kind in ("CD", "PC"))
    if has_cd:
        if has_pc or "CD1_1" not in values or "CD2_2" not in values:
            return None
        a, b, c, d = (values.get(f"CD{name}", 0.0) for name in names)
        return a, b, c, d

    if "CDELT1" not in values or "CDELT2" not in values:
        return None
    dx, dy = values["CDELT1"], values["CDELT2"]
    if has_pc:
        if "CROTA2" in values:
            return None
        identity = (1.0, 0.0, 0.0, 1.0)
        a, b, c, d = (values.get(f"PC{n}", one) for n, one in zip(names, identity, strict=True))
        return dx * a, dx * b, dy * c, dy * d
    turn = math.radians(values.get("CROTA2", 0.0))
    return dx * math.cos(turn), -dy * math.sin(turn), dx * math.sin(turn), dy * math.cos(turn)


def _is_fk5(cards: Cards) -> bool | None:
    """Whether positions are in FK5 J2000 (True) or ICRS (False); None for any other frame."""
    names = [name for name in ("RADESYS", "RADECSYS") if name in cards]
    frame = cards.text(names[0]) if names else ""
    years = [cards.number(name) for name in ("EQUINOX", "EPOCH") if name in cards]
    if len(names) > 1 or any(cards.count(name) > 1 for name in names):
        return None
    if frame == "ICRS":
        return False
    is_j2000 = all(year == 2000 for year in years)
    if frame == "FK5" and is_j2000:
        return True
    return bool(years) if frame == "" and is_j2000 else None


def _terms(cards: Cards, name: str) -> Sequence[tuple[int, int, float]] | None:
    """The terms (p, q, factor) of one SIP polynomial; None if its order is out of range."""
    order = cards.integer(f"{name}_ORDER")
    if order not in SIP_ORDERS or any(cards.count(card) > 1 for card in cards.names(_SIP)):
        return None
    powers = range(order + 1)  # type: ignore[operator]
    factors = {(p, q): cards.number(f"{name}_{p}_{q}") for p in powers for q in powers}
    return [(p, q, factor) for (p, q), factor in factors.items() if factor and p + q <= order]  # type: ignore[operator]


def _undistorted(
    point: tuple[float, float],
    crpix: tuple[float, float],
    shifts: tuple[Sequence[tuple[int, int, float]], Sequence[tuple[int, int, float]]],
) -> tuple[float, float]:
    u, v = point[0] - crpix[0], point[1] - crpix[1]
    dx, dy = (sum(factor * u**p * v**q for p, q, factor in terms) for terms in shifts)
    return point[0] + dx, point[1] + dy


def _from_fk5(ra: float, dec: float) -> tuple[float, float]:
    """A position in FK5 J2000 as one in ICRS."""
    x, y, z = unit_vector(ra, dec)
    about_x, about_y, about_z = (angle * _MAS for angle in _FRAME_BIAS)
    # Such small angles turn one after the other as they do at once, to 1e-14.
    x, y, z = (
        x + about_z * y - about_y * z,
        y - about_z * x + about_x * z,
        z + about_y * x - about_x * y,
    )
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))
