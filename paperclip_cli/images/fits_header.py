"""The observation in a FITS image's headers: position on the sky, target, instrument and time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from paperclip_cli.filter_names import only_filters
from paperclip_cli.images.fits_cards import Cards, Value, first_value, values_of
from paperclip_cli.images.fits_wcs import Unplaced, placed
from paperclip_cli.images.fits_wcs_plain import Tables
from paperclip_cli.records import Key, Observation, Wcs
from paperclip_cli.values import is_blank, is_date

_FILTERS = ("FILTER", "FILTER1", "FILTER2", "FILTNAM1", "FILTNAM2", "PUPIL")
_OLD_DATE = re.compile(r"(\d\d)/(\d\d)/(\d\d)")  # day, month, year of the 20th century
_PROGRAM = re.compile(r"0*[1-9]\d{0,4}")
# A product of JWST is named after its observation, and the step of the pipeline that made it.
_JWST_PRODUCT = re.compile(r"(jw\d{5}[a-z0-9_-]+)_[a-z0-9]+\.fits(?:\.gz)?", re.IGNORECASE)

_Find = Callable[..., Iterator[Value]]


@dataclass(frozen=True)
class Described:
    """What headers tell of an image: its observation, and its linear coordinates where known.

    `key` is its proposal, which only JWST's headers name beyond doubt. `unplaced` is the reason why
    it has no position although its axes are celestial.
    """

    observation: Observation
    wcs: Wcs | None = None
    key: Key | None = None
    unplaced: str = ""


def header_observation(
    headers: Sequence[Cards], shape: tuple[int, int], tables: Tables | None = None
) -> Described:
    """The observation of an image of `shape` (height, width), and its coordinates.

    They are what `headers` tell; a later header takes precedence. The keywords are those of HST,
    JWST and the FITS standard. `tables` opens the file (see `fits_wcs.placed`).
    """
    place, unplaced = None, ""
    try:
        place = placed(headers, shape, tables)
    except Unplaced as error:
        unplaced = str(error)

    def find(*names: str) -> Iterator[Value]:
        return values_of(headers, *names)

    ra, dec = (None, None) if place is None else place.middle
    observation = Observation(
        target=_text(find("TARGNAME", "TARGPROP", "OBJECT")),
        moving=_moving(headers),
        s_ra=ra,
        s_dec=dec,
        s_region=None if place is None else place.region,
        instrument=_text(find("INSTRUME")),
        detector=_text(find("DETECTOR")),
        filters=_filters(find),
        obs_id=_obs_id(find),
        t_min=_start(find),
        t_exptime=_duration(find),
    )
    wcs = None if place is None else place.wcs
    return Described(observation, wcs, key=_proposal(find), unplaced=unplaced)


def _proposal(find: _Find) -> Key | None:
    program = str(next(find("PROGRAM"), "")).strip()
    is_jwst = _text(find("TELESCOP")) == "JWST"
    return Key("jwst", int(program)) if is_jwst and _PROGRAM.fullmatch(program) else None


def _moving(headers: Sequence[Cards]) -> bool | None:
    """Whether the target moves: by JWST's type of target, or Hubble's flag.

    Hubble leaves its flag blank, or writes F, if it does not.
    """
    kind = str(first_value(headers, "TARGTYPE") or "").strip().upper()
    if kind in ("MOVING", "FIXED"):
        return kind == "MOVING"
    flags = [flag for header in headers if (flag := header.value("MTFLAG")) is not None]
    return flags[-1] in (True, "T") if flags else None


def _obs_id(find: _Find) -> str | None:
    """The archive's name of the observation; JWST's own OBS_ID is another thing."""
    product = _JWST_PRODUCT.fullmatch(_text(find("FILENAME")) or "")
    return product[1] if product else _text(find("ROOTNAME", "OBS_ID"))


def _text(values: Iterable[Value]) -> str | None:
    """The first of some values that says something: a logical value is no name, nor is `N/A`."""
    texts = (" ".join(str(value).split()) for value in values if not isinstance(value, bool))
    return next((text[:200] for text in texts if not is_blank(text)), None)


def _numbers(values: Iterable[Value]) -> Iterator[float]:
    return (float(one) for one in values if isinstance(one, int | float) and type(one) is not bool)


def _duration(find: _Find) -> float | None:
    """The exposure in seconds: Hubble's and most others', or JWST's."""
    seconds = _numbers(find("EXPTIME", "XPOSURE", "EFFEXPTM"))
    return next((found for found in seconds if found >= 0), None)


def _filters(find: _Find) -> tuple[str, ...]:
    return only_filters(_text(find(keyword)) or "" for keyword in _FILTERS)


def _start(find: _Find) -> float | None:
    """The Modified Julian Date at which the exposure began; what cannot be one is passed over."""
    given = _numbers(find("EXPSTART", "MJD-OBS", "MJD-BEG"))
    found = next(filter(is_date, given), None)
    return _written_start(find) if found is None else found


def _written_start(find: _Find) -> float | None:
    time = _text(find("TIME-OBS")) or ""
    days = (_day(str(value).strip(), time) for value in find("DATE-OBS", "DATE-BEG"))
    return next((day for day in days if day is not None and is_date(day)), None)


def _day(date: str, time: str) -> float | None:
    """The Modified Julian Date of a date as FITS writes it, with its time or the `time` beside."""
    from datetime import datetime

    from paperclip_cli.config.quantities import modified_julian_date

    if old := _OLD_DATE.fullmatch(date):
        date = f"19{old[3]}-{old[2]}-{old[1]}"
    for text in (f"{date}T{time}", date):
        try:
            return modified_julian_date(datetime.fromisoformat(text))
        except (ValueError, OverflowError):
            continue
    return None
