"""Positions of named objects, from the CDS name resolver (Sesame) through astropy."""

from __future__ import annotations

import re

from paperclip_cli.errors import PaperclipError
from paperclip_cli.http.settings import check_proxies

_HINT = 'give coordinates: --near "202.47 47.195"; for a planet, --target Jupiter'
_NETWORK = 'check the network, or give coordinates: --near "202.47 47.195"'
_UNKNOWN = "Unable to find coordinates"  # how astropy begins, where the resolver did answer
_REASON = re.compile(r"https?://\S+: (?:\[Errno -?\d+\] )?(.+)")


def resolve_name(name: str, offline: bool) -> tuple[float, float]:
    """The right ascension and declination of an object, in degrees (ICRS).

    Raises:
        PaperclipError: the object is unknown, the resolver does not answer, or it may not be asked
            offline.
    """
    if offline:
        raise PaperclipError(f"--offline: the position of {name!r} cannot be looked up", _HINT)
    check_proxies()
    from http.client import HTTPException

    from astropy.coordinates import SkyCoord
    from astropy.coordinates.name_resolve import NameResolveError

    try:
        found = SkyCoord.from_name(name)
    except (NameResolveError, HTTPException, OSError, ValueError) as error:
        reason, hint = _why(error)
        raise PaperclipError(f"no position for {name!r}: {reason}", hint) from error
    return float(found.ra.deg), float(found.dec.deg)


def _why(error: Exception) -> tuple[str, str]:
    """Why there is no position, in one line, and what to do."""
    said = str(error)
    if said.startswith(_UNKNOWN):
        return said.partition("\n")[0].partition(" using ")[0], _HINT
    reasons = dict.fromkeys(one.strip() for one in _REASON.findall(said))
    known = f" ({'; '.join(reasons)})" if reasons else ""
    return f"the CDS name resolver cannot be reached, or gives no answer{known}", _NETWORK
