"""What the headers of a FITS image say of the observation: where on the sky it lies, and of what, with what and when it was taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from paperclip_cli.filter_names import only_filters
from paperclip_cli.records import Observation, Wcs
from paperclip_cli.sky.wcs import frame_region, gnomonic

if TYPE_CHECKING:
    from astropy.io.fits import Header

# Only what a linear projection needs goes to astropy: distortions (a few arcsec in what is not drizzled) may name other HDUs and tables,
# and may be of any order that a header claims.
_NUMBERS = (
    "CRPIX1",
    "CRPIX2",
    "CRVAL1",
    "CRVAL2",
    "CDELT1",
    "CDELT2",
    "CROTA1",
    "CROTA2",
    "CD1_1",
    "CD1_2",
    "CD2_1",
    "CD2_2",
    "PC1_1",
    "PC1_2",
    "PC2_1",
    "PC2_2",
    "EQUINOX",
    "LONPOLE",
    "LATPOLE",
)
_WORDS = ("CUNIT1", "CUNIT2", "RADESYS")
_FILTERS = ("FILTER", "FILTER1", "FILTER2", "FILTNAM1", "FILTNAM2", "PUPIL")
_MJD_OF_UNIX = 40_587  # 1970-01-01


def header_observation(
    headers: Sequence[Header], shape: tuple[int, int]
) -> tuple[Observation, Wcs | None]:
    """The observation of an image of `shape` (height, width), and its linear coordinates, both as far as `headers` tell.

    What a later header says wins. Names of the keywords are HST's and JWST's, and the standard's.
    """
    wcs = linear_wcs(headers[-1], shape)
    find = _finder(headers)
    (ra, dec), region = (
        ((None, None), None) if wcs is None else (wcs.crval, frame_region(wcs, shape[1], shape[0]))
    )
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
    """The gnomonic projection (ICRS) that agrees with the header's, whatever its kind and frame, in the middle of the image.

    None where the header has no coordinates, or none that make sense.
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
        return (
            _about_the_middle(lambda x, y: _icrs(celestial, x, y), shape)
            if celestial.has_celestial
            else None
        )
    except Exception:  # astropy and wcslib raise many kinds on headers without sense: the picture is good all the same
        return None


def _icrs(wcs: object, x: float, y: float) -> tuple[float, float]:
    """Degrees of FITS pixel (x, y), which counts from 1."""
    place = wcs.pixel_to_world(x - 1, y - 1).icrs  # type: ignore[attr-defined]
    return float(place.ra.deg), float(place.dec.deg)


def _about_the_middle(
    sky: Callable[[float, float], tuple[float, float]], shape: tuple[int, int]
) -> Wcs | None:
    """A projection about the middle of the image, its matrix from differences over half the image."""
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
    """Hubble leaves its flag blank, or writes F, for what does not move."""
    flags = [header["MTFLAG"] for header in headers if "MTFLAG" in header]
    return flags[-1] in (True, "T") if flags else None


def _finder(headers: Sequence[Header]) -> Callable[..., object]:
    """A function that gives the value of the first of some keywords that any header has, the last header's first."""

    def find(*names: str) -> object:
        found = (header[name] for name in names for header in reversed(headers) if name in header)
        return next(
            (value for value in found if value not in (None, "") and not _is_undefined(value)), None
        )

    return find


def _is_undefined(value: object) -> bool:
    return type(value).__name__ == "Undefined"  # astropy's value of a card that has none


def _text(value: object) -> str | None:
    text = " ".join(str(value).split()) if value is not None else ""
    return text[:200] or None


def _number(value: object) -> float | None:
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        else None
    )


def _filters(find: Callable[..., object]) -> tuple[str, ...]:
    return only_filters(_text(find(keyword)) or "" for keyword in _FILTERS)


def _start(find: Callable[..., object]) -> float | None:
    """Modified Julian Date at which the exposure began."""
    given = _number(find("EXPSTART", "MJD-OBS", "MJD-BEG"))
    if given is not None:
        return given
    from datetime import UTC, datetime

    date, time = str(find("DATE-OBS", "DATE-BEG") or ""), str(find("TIME-OBS") or "")
    try:
        moment = datetime.fromisoformat(date if "T" in date or not time else f"{date}T{time}")
    except ValueError:
        return None
    return (
        moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    ).timestamp() / 86_400 + _MJD_OF_UNIX
