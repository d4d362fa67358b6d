"""The observation in a FITS image's headers: position on the sky, target, instrument and time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from paperclip_cli.filter_names import only_filters
from paperclip_cli.records import Observation, Wcs
from paperclip_cli.sky.wcs import frame_region, gnomonic

if TYPE_CHECKING:
    from astropy.io.fits import Header

# astropy gets only what a linear projection needs. Distortions (a few arcsec in images that are not
# drizzled) may refer to other HDUs and tables, and be of any order that a header claims.
_NUMBERS = (
    *(f"{name}{axis}" for name in ("CRPIX", "CRVAL", "CDELT", "CROTA") for axis in (1, 2)),
    *(f"{name}{row}_{column}" for name in ("CD", "PC") for row in (1, 2) for column in (1, 2)),
    *("EQUINOX", "LONPOLE", "LATPOLE"),
)
_WORDS = ("CUNIT1", "CUNIT2", "RADESYS")
_FILTERS = ("FILTER", "FILTER1", "FILTER2", "FILTNAM1", "FILTNAM2", "PUPIL")
_MJD_OF_UNIX = 40_587  # 1970-01-01


def header_observation(
    headers: Sequence[Header], shape: tuple[int, int]
) -> tuple[Observation, Wcs | None]:
    """The observation of an image of `shape` (height, width), and its linear coordinates.

    Both hold what `headers` tell; a later header takes precedence. The keywords are those of HST,
    JWST and the FITS standard.
    """
    wcs = linear_wcs(headers[-1], shape)
    find = _finder(headers)
    ra, dec = (None, None) if wcs is None else wcs.crval
    region = None if wcs is None else frame_region(wcs, shape[1], shape[0])

    return Observation(
        target=_text(find("TARGNAME", "TARGPROP", "OBJECT")),
        moving=_moving(headers),
        s_ra=ra,
        s_dec=dec,
        s_region=region,
        instrument=_text(find("INSTRUME")),
        detector=_text(find("DETECTOR")),
        filters=_filters(find),
        obs_id=_text(find("ROOTNAME", "OBS_ID")),
        t_min=_start(find),
        t_exptime=_number(find("EXPTIME")),
    ), wcs


def linear_wcs(header: Header, shape: tuple[int, int]) -> Wcs | None:
    """The gnomonic projection (ICRS) that agrees with the header's in the middle of the image.

    The header's projection and frame may be of any kind. None if the header has no coordinates, or
    none that make sense.
    """
    from astropy.wcs import WCS

    cards = {name: header[name] for name in (*_NUMBERS, *_WORDS) if name in header}
    if not all(
        isinstance(value, str if name in _WORDS else float | int) for name, value in cards.items()
    ):
        return None

    types = {name: str(header.get(name, "")).removesuffix("-SIP") for name in ("CTYPE1", "CTYPE2")}
    try:
        celestial = WCS(cards | types, naxis=2)
        if not celestial.has_celestial:
            return None
        return _about_the_middle(lambda x, y: _icrs(celestial, x, y), shape)
    except Exception:
        # astropy and wcslib raise many kinds on nonsensical headers; the picture is good all the
        # same.
        return None


def _icrs(wcs: object, x: float, y: float) -> tuple[float, float]:
    """Position in degrees of FITS pixel (x, y), counted from 1."""
    place = wcs.pixel_to_world(x - 1, y - 1).icrs  # type: ignore[attr-defined]
    return float(place.ra.deg), float(place.dec.deg)


def _about_the_middle(
    sky: Callable[[float, float], tuple[float, float]], shape: tuple[int, int]
) -> Wcs | None:
    """A projection about the image's middle; differences over half the image give its matrix."""
    height, width = shape
    x, y = (width + 1) / 2, (height + 1) / 2
    middle = sky(x, y)

    columns = []
    for dx, dy in ((width / 4, 0.0), (0.0, height / 4)):
        (left, low), (right, high) = (
            gnomonic(middle, *sky(x + sign * dx, y + sign * dy)) for sign in (-1, 1)
        )
        columns.append(((right - left) / (2 * (dx + dy)), (high - low) / (2 * (dx + dy))))

    (a, c), (b, d) = columns
    sensible = all(map(math.isfinite, (*middle, a, b, c, d))) and a * d != b * c
    return Wcs(middle, (x, y), (a, b, c, d)) if sensible else None


def _moving(headers: Sequence[Header]) -> bool | None:
    """Whether the target moves; Hubble leaves its flag blank, or writes F, if it does not."""
    flags = [header["MTFLAG"] for header in headers if "MTFLAG" in header]
    return flags[-1] in (True, "T") if flags else None


def _finder(headers: Sequence[Header]) -> Callable[..., object]:
    """A function that finds the value of the first known keyword, trying the last header first."""

    def find(*names: str) -> object:
        found = (header[name] for name in names for header in reversed(headers) if name in header)
        given = (value for value in found if value not in (None, "") and not _is_undefined(value))
        return next(given, None)

    return find


def _is_undefined(value: object) -> bool:
    return type(value).__name__ == "Undefined"  # astropy's value for a card without one


def _text(value: object) -> str | None:
    text = " ".join(str(value).split()) if value is not None else ""
    return text[:200] or None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)


def _filters(find: Callable[..., object]) -> tuple[str, ...]:
    return only_filters(_text(find(keyword)) or "" for keyword in _FILTERS)


def _start(find: Callable[..., object]) -> float | None:
    """The Modified Julian Date at which the exposure began."""
    given = _number(find("EXPSTART", "MJD-OBS", "MJD-BEG"))
    if given is not None:
        return given
    from datetime import UTC, datetime

    date, time = str(find("DATE-OBS", "DATE-BEG") or ""), str(find("TIME-OBS") or "")
    try:
        moment = datetime.fromisoformat(date if "T" in date or not time else f"{date}T{time}")
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.timestamp() / 86_400 + _MJD_OF_UNIX
