"""Positions of named objects, from the CDS name resolver (Sesame) through astropy."""

from __future__ import annotations

from paperclip_cli.errors import PaperclipError
from paperclip_cli.http.settings import check_proxies

_HINT = 'give coordinates: --near "202.47 47.195"; for a planet, --target Jupiter'


def resolve_name(name: str, offline: bool) -> tuple[float, float]:
    """The right ascension and declination of an object, in degrees (ICRS).

    Raises:
        PaperclipError: the object is unknown, or may not be looked up offline.
    """
    if offline:
        raise PaperclipError(f"--offline: the position of {name!r} cannot be looked up", _HINT)
    check_proxies()
    from astropy.coordinates import SkyCoord
    from astropy.coordinates.name_resolve import NameResolveError

    try:
        found = SkyCoord.from_name(name)
    except (NameResolveError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise PaperclipError(f"no position for {name!r}: {reason}", _HINT) from error
    return float(found.ra.deg), float(found.dec.deg)
