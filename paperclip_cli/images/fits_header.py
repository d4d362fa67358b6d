"""The observation in a FITS image's headers: position on the sky, target, instrument and time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paperclip_cli.filter_names import only_filters
from paperclip_cli.images.fits_cards import Cards, Value, first_value
from paperclip_cli.images.fits_wcs import Unplaced, placed
from paperclip_cli.images.fits_wcs_plain import Tables
from paperclip_cli.records import Key, Observation, Wcs

_FILTERS = ("FILTER", "FILTER1", "FILTER2", "FILTNAM1", "FILTNAM2", "PUPIL")
_MJD_OF_UNIX = 40_587  # 1970-01-01
# A product of JWST is named after its observation, and the step of the pipeline that made it.
_OLD_DATE = re.compile(r"(\d\d)/(\d\d)/(\d\d)")  # day, month, year of the 20th century
_PROGRAM = re.compile(r"0*[1-9]\d{0,4}")
_JWST_PRODUCT = re.compile(r"(jw\d{5}[a-z0-9_-]+)_[a-z0-9]+\.fits(?:\.gz)?", re.IGNORECASE)


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

    def find(*names: str) -> Value | None:
        return first_value(headers, *names)

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


def _proposal(find: Callable[..., Value | None]) -> Key | None:
    program = str(find("PROGRAM") or "").strip()
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


def _obs_id(find: Callable[..., Value | None]) -> str | None:
    """The archive's name of the observation; JWST's own OBS_ID is another thing."""
    product = _JWST_PRODUCT.fullmatch(_text(find("FILENAME")) or "")
    return product[1] if product else _text(find("ROOTNAME", "OBS_ID"))


def _text(value: Value | None) -> str | None:
    text = " ".join(str(value).split()) if value is not None else ""
    return text[:200] or None


def _number(value: Value | None) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _duration(find: Callable[..., Value | None]) -> float | None:
    """The exposure in seconds: Hubble's and most others', or JWST's."""
    seconds = (_number(find(name)) for name in ("EXPTIME", "XPOSURE", "EFFEXPTM"))
    return next((found for found in seconds if found is not None and found >= 0), None)


def _filters(find: Callable[..., Value | None]) -> tuple[str, ...]:
    return only_filters(_text(find(keyword)) or "" for keyword in _FILTERS)


def _start(find: Callable[..., Value | None]) -> float | None:
    """The Modified Julian Date at which the exposure began."""
    given = _number(find("EXPSTART", "MJD-OBS", "MJD-BEG"))
    if given is not None and given > 0:  # 0 and less are what programs write for none
        return given
    from datetime import UTC, datetime

    date, time = str(find("DATE-OBS", "DATE-BEG") or ""), str(find("TIME-OBS") or "")
    if old := _OLD_DATE.fullmatch(date.strip()):
        date = f"19{old[3]}-{old[2]}-{old[1]}"
    try:
        moment = datetime.fromisoformat(date if "T" in date or not time else f"{date}T{time}")
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.timestamp() / 86_400 + _MJD_OF_UNIX
