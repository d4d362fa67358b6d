"""Positions by any other header: astropy's on the whole of it, with plain mistakes put right."""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import numpy as np

from paperclip_cli.images.fits_cards import Cards, Value, card_of
from paperclip_cli.images.fits_wcs_plain import (
    CELESTIAL,
    ECLIPTIC,
    EQUATORIAL,
    GALACTIC,
    Points,
    Sky,
    Tables,
    Unplaced,
    axis_name,
)

if TYPE_CHECKING:
    from astropy.coordinates import BaseCoordinateFrame
    from astropy.wcs import WCS

_LINEAR = re.compile(r"(CRPIX|CRVAL|CDELT|CROTA)\d|(CD|PC)(0?\d_0?\d|00\d00\d)|LONPOLE|LATPOLE")
_SCALE = re.compile(r"CDELT\d|(CD|PC)(0?\d_0?\d|00\d00\d)")
_SIP = re.compile(r"[AB]P?_(ORDER|\d+_\d+)")
_TYPE = re.compile(r"CTYPE(\d)")
_REWRITTEN = re.compile(r"(CTYPE|CUNIT)[12]")
# The forms of early drafts of the standard.
_OLD_MATRIX, _OLD_PARAMETER = re.compile(r"(PC|CD)0*(\d)_?0*(\d)"), re.compile(r"PROJP(\d+)")
_LOOKUPS = re.compile(r"C[PQ](DIS|ERR)\d|D[PQ]\d.*|D2IM.*|AXISCORR")
_OTHERS = re.compile(r"P[VS]\d+_\d+|PROJP\d+|WAT\d_\d+|CTYPE\d|CUNIT\d|RESTFRQ|RESTWAV|SPECSYS")
_OF_ANOTHER_AXIS = re.compile(
    r"(CRPIX|CRVAL|CDELT|CROTA|CTYPE|CUNIT)[3-9]|(CD|PC)0*([3-9]_?0*\d|\d_?0*[3-9])"
    r"|P[VS][3-9]_\d+|WAT[3-9]_\d+"
)
_COUPLING = re.compile(r"(CD|PC)0*([3-9]_?0*[12]|[12]_?0*[3-9])")
_CTYPE = re.compile(r"([A-Z]{2,4})-*(?:-([A-Z0-9]{3}))?(-SIP)?")
_SCAMP = re.compile(r"PV[12]_0*([5-9]|[1-9]\d+)")  # TAN itself has four parameters
_MOST_TERMS = 20  # of a SIP polynomial; astropy takes memory for the square of it
_UNITS = {
    **dict.fromkeys(("DEG", "DEGREE", "DEGREES"), "deg"),
    **dict.fromkeys(("RAD", "RADIAN", "RADIANS"), "rad"),
    **dict.fromkeys(("ARCSEC", "ARCSECOND", "ARCSECONDS"), "arcsec"),
    **dict.fromkeys(("ARCMIN", "ARCMINUTE", "ARCMINUTES"), "arcmin"),
}
_FRAMES = {
    **{name: name for name in ("ICRS", "FK5", "FK4", "FK4-NO-E")},
    **dict.fromkeys(("ICRF", "ICRF2", "ICRF3", "GAIA", "HIPPARCOS"), "ICRS"),
    **dict.fromkeys(("J2000", "J2000.0", "FK5/J2000", "FK5/J2000.0"), "FK5"),
    **dict.fromkeys(("B1950", "B1950.0", "FK4/B1950", "FK4/B1950.0"), "FK4"),
}
_YEARS = re.compile(r"([JB]?)(\d{4}(?:\.\d*)?)")
_SENSIBLE_YEARS = (1700, 2300)
_ONE_AT_A_TIME = threading.Lock()


def full_sky(cards: Cards, tables: Tables | None = None) -> Sky:
    """The positions by a header.

    Raises:
        Unplaced: astropy finds none, or a card that they need is missing or unreadable.
    """
    given = list(_relevant(cards))
    with _ONE_AT_A_TIME, _astropy_is_silent():
        wcs = _wcs(given, tables) or _wcs(_without_distortion(given), None)
        frame = None if wcs is None else _frame(wcs, cards)
    if wcs is None or frame is None:
        raise Unplaced("its coordinates make no sense")
    known_wcs, known_frame = wcs, frame

    def sky(points: Points) -> list[tuple[float, float]]:
        return _positions(known_wcs, known_frame, points)

    return sky


def _wcs(given: Sequence[tuple[str, Value]], tables: Tables | None) -> WCS | None:
    """astropy's coordinates, with the tables of distortions that the cards refer to."""
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    header = Header.fromstring(b"".join(card_of(name, value) for name, value in given))
    refers = any(_LOOKUPS.fullmatch(name) for name, _ in given)
    try:
        with tables() if tables is not None and refers else nullcontext() as hdus:
            # Its own `fix` would warn; what is put right here is the same.
            wcs = WCS(header, fobj=hdus, fix=False)
        wcs.wcs.fix(translate_units="")
        wcs.wcs.set()
        return wcs if {wcs.wcs.lng, wcs.wcs.lat} == {0, 1} else None
    except Exception:
        # astropy and wcslib raise many kinds on nonsensical headers, in words that are not for the
        # user of a search.
        return None


def _positions(wcs: WCS, frame: BaseCoordinateFrame, points: Points) -> list[tuple[float, float]]:
    from astropy.coordinates import SkyCoord

    pixels = np.ones((len(points), wcs.wcs.naxis))
    pixels[:, :2] = points
    found = np.full((len(points), 2), math.nan)
    try:
        world = wcs.all_pix2world(pixels, 1)[:, [wcs.wcs.lng, wcs.wcs.lat]]
        # Latitudes beyond a pole are no positions, although some headers lead there.
        on_sky = np.isfinite(world).all(axis=1) & (np.abs(world[:, 1]) <= 90)
        if on_sky.any():
            places = SkyCoord(*world[on_sky].T, unit="deg", frame=frame).icrs
            found[on_sky] = np.stack([places.ra.deg, places.dec.deg], axis=1)
    except Exception as error:
        raise Unplaced("its coordinates make no sense") from error
    return [(ra, dec) for ra, dec in found.tolist()]


def _frame(wcs: WCS, cards: Cards) -> BaseCoordinateFrame | None:
    from astropy import coordinates
    from astropy.wcs.utils import wcs_to_celestial_frame

    name = axis_name(cards, 1)
    if name in GALACTIC:
        return coordinates.Galactic()
    if name in ECLIPTIC:
        year = _year(cards)
        return coordinates.BarycentricMeanEcliptic(equinox=f"J{2000.0 if year is None else year}")
    if name not in EQUATORIAL:
        return coordinates.Supergalactic()
    return wcs_to_celestial_frame(wcs)


def _relevant(cards: Cards) -> Iterator[tuple[str, Value]]:
    """What the header tells about coordinates, in words that astropy understands."""
    _check(cards)
    given = [*_numbers(cards), *cards.matching(_OTHERS), *cards.matching(_LOOKUPS)]
    if not any(value for name, value in given if _COUPLING.fullmatch(name)):
        given = [(name, value) for name, value in given if not _OF_ANOTHER_AXIS.fullmatch(name)]
    types = [_ctype(cards, axis) for axis in (1, 2)]
    types, given = _with_one_distortion(types, given, _sip(cards))

    # astropy would complain of more axes than the image has.
    axes = [int(match[1]) for name, _ in given if (match := _TYPE.fullmatch(name))]
    yield "NAXIS", max([2, *axes])
    for axis, kind in enumerate(types, 1):
        yield f"CTYPE{axis}", kind
        if unit := _unit(cards, axis):
            yield f"CUNIT{axis}", unit
    latitude = 2 if axis_name(cards, 2) in CELESTIAL[1::2] else 1
    for name, value in given:
        if not _REWRITTEN.fullmatch(name):
            yield _new_name(name, latitude), value
    yield from _equatorial(cards)


def _with_one_distortion(
    types: list[str], given: list[tuple[str, Value]], sip: list[tuple[str, Value]]
) -> tuple[list[str], list[tuple[str, Value]]]:
    """The types of the axes and the cards with one distortion where a header has two.

    SCAMP's polynomials (PV) and SIP often describe the same distortion. As in astropy (after Shupe
    et al. 2012, section 7), the types of the axes decide.
    """
    has_scamp = any(_SCAMP.fullmatch(name) for name, _ in given)
    if all(kind.endswith("-TAN") for kind in types) and has_scamp:
        return [kind.replace("-TAN", "-TPV") for kind in types], given
    if all(kind.endswith("-TPV") for kind in types) or not sip:
        return types, given
    if all(kind.endswith("-TAN-SIP") for kind in types) and has_scamp:
        given = [(name, value) for name, value in given if not name.startswith("PV")]
    # astropy distorts by SIP with and without the suffix, but complains without.
    return [f"{kind.removesuffix('-SIP')}-SIP" for kind in types], [*given, *sip]


def _new_name(name: str, latitude: int) -> str:
    """Today's name of a card; astropy takes the old ones too, but complains."""
    if match := _OLD_PARAMETER.fullmatch(name):
        return f"PV{latitude}_{match[1]}"
    return _OLD_MATRIX.sub(r"\1\2_\3", name)


def _check(cards: Cards) -> None:
    """Refuses a header that lacks something for which any default would be an invention."""
    for name in ("CRVAL1", "CRVAL2"):
        if name not in cards or cards.is_blank(name):
            raise Unplaced(f"{name} is missing")
    if not cards.names(_SCALE):
        raise Unplaced("the scale of its pixels is missing")
    if axis_name(cards, 1) == axis_name(cards, 2):
        raise Unplaced("both its axes are the same")


def _numbers(cards: Cards) -> Iterator[tuple[str, Value]]:
    """The cards of the linear coordinates, in their order; a number in quotes is one too."""
    readable = dict.fromkeys(name for name, _ in cards.matching(_LINEAR))
    for name in cards.names(_LINEAR):
        is_other = _OF_ANOTHER_AXIS.fullmatch(name)
        if name not in readable and not cards.is_blank(name) and not is_other:
            raise Unplaced(f"{name} cannot be read")
    for name, value in cards.matching(_LINEAR):
        try:
            number = float(value) if not isinstance(value, bool) else math.nan
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            yield name, number
        elif not _OF_ANOTHER_AXIS.fullmatch(name):
            raise Unplaced(f"{name} cannot be read")


def _sip(cards: Cards) -> list[tuple[str, Value]]:
    orders = [cards.integer(f"{name}_ORDER") for name in "AB"]
    if any(order is None or not 0 <= order <= _MOST_TERMS for order in orders):
        return []
    limits = [cards.integer(f"{name}P_ORDER") for name in "AB"]
    is_inverse = all(limit is not None and 0 <= limit <= _MOST_TERMS for limit in limits)
    return [
        (name, value)
        for name, value in cards.matching(_SIP)
        if not isinstance(value, str | bool) and (is_inverse or name[1] != "P")
    ]


def _ctype(cards: Cards, axis: int) -> str:
    """The type of an axis, its parts four and three letters long as the standard wants them."""
    given = cards.word(f"CTYPE{axis}") or ""
    match = _CTYPE.fullmatch(given)
    if match is None or match[1] not in CELESTIAL or match[2] is None:
        return given
    return f"{match[1].ljust(4, '-')}-{match[2]}{match[3] or ''}"


def _unit(cards: Cards, axis: int) -> str | None:
    word = cards.word(f"CUNIT{axis}")
    given = cards.text(f"CUNIT{axis}")
    return _UNITS.get(word or "", given or word)


def _equatorial(cards: Cards) -> Iterator[tuple[str, Value]]:
    """The frame of right ascension and declination. The other axes' names tell theirs."""
    if axis_name(cards, 1) not in EQUATORIAL:
        return
    given = cards.word("RADESYS") or cards.word("RADECSYS")
    if given is not None:
        if given not in _FRAMES:
            raise Unplaced(f"its frame {given[:20]!r} is unknown")
        yield "RADESYS", _FRAMES[given]
    year = _year(cards)
    if year is not None:
        yield "EQUINOX", year


def _year(cards: Cards) -> float | None:
    """The equinox; None if there is none, or 0, by which programs mean that they do not know it."""
    for name in ("EQUINOX", "EPOCH"):
        value = cards.value(name)
        if isinstance(value, str):
            match = _YEARS.fullmatch(value.strip().upper())
            # In words astropy does not read it; that of J2000 is the default, all but 0.02 arcsec.
            is_other = match is not None and float(match[2]) != 2000
            value = float(match[2]) if match is not None and is_other else None
        if value is None or isinstance(value, bool) or value == 0:
            continue
        if not _SENSIBLE_YEARS[0] <= value <= _SENSIBLE_YEARS[1]:
            raise Unplaced(f"its {name} makes no sense")
        return float(value)
    return None


def _without_distortion(given: Sequence[tuple[str, Value]]) -> list[tuple[str, Value]]:
    """The cards without the distortions that astropy may not be able to apply."""
    return [
        (name, value.removesuffix("-SIP") if isinstance(value, str) else value)
        for name, value in given
        if not _SIP.fullmatch(name) and not _LOOKUPS.fullmatch(name)
    ]


@contextmanager
def _astropy_is_silent() -> Iterator[None]:
    """What astropy logs in this thread is not for the user."""
    from astropy import log

    here = threading.get_ident()

    def is_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != here

    log.addFilter(is_elsewhere)
    try:
        yield
    finally:
        log.removeFilter(is_elsewhere)
