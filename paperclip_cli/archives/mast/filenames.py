"""Names of previews: their parts, and whether they are pictures that we want.

Hubble's names come from the single-visit mosaics of the Hubble Advanced Products (drizzlepac, "SVM
processing") and from the preview maker (caldp, create_previews.py); JWST's from its level-3
products.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of a product, which is also the reason to leave it out."""

    WANTED = "wanted"
    COLOR = "colour composites"
    THUMBNAIL = "thumbnails"
    SKY_CELL = "mosaics of a sky cell, which belong to no proposal"
    ONE_FILTER = "previews of one filter or exposure"
    NOT_IMAGING = "target acquisition, wavefront, coronagraphic or spectroscopic frames"
    OTHER = "previews of another kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """The parts of a preview's name.

    `visit` is Hubble's visit or JWST's observation. `target` is JWST's number of the target.
    """

    kind: Kind
    proposal_id: int | None = None
    visit: str = ""
    instrument: str = ""
    detector: str = ""
    target: str = ""


# Drizzled with (drc) or without (drz) correction for charge transfer efficiency. Proposal numbers
# are not padded. A total with filters in its name is the documented form of a colour composite.
_HST = re.compile(
    r"""hst_(?P<proposal>\d{4,5})_(?P<visit>[0-9a-z]{2})
        _(?P<instrument>[a-z0-9]+)_(?P<detector>[a-z0-9]+)_total_(?P<root>[a-z0-9]{6})
        (?P<filters>(?:_[a-z0-9-]+)*?)_dr[cz](?P<color>_color)?\.jpg""",
    re.VERBOSE,
)
_HST_FILTER = re.compile(
    r"hst_\d{4,5}_[0-9a-z]{2}_[a-z0-9]+_[a-z0-9]+_[a-z0-9-]+_[a-z0-9]{6,8}_[a-z0-9]{3}\.jpg"
    r"|[a-z0-9]{9}_[a-z0-9]{3}\.jpg"
)
_JWST = re.compile(
    r"""jw(?P<proposal>\d{5})-(?P<visit>[oc]\d{3,4})_(?P<target>[ts]\d{3,9})
        _(?P<instrument>[a-z]+)_(?P<optics>[a-z0-9-]+)_i2d\.jpg""",
    re.VERBOSE,
)
_JWST_CAMERAS = {"nircam", "miri", "niriss"}
# Weak lenses (wavefront sensing), coronagraphic masks and grisms in the optical path.
_NOT_IMAGING = re.compile(
    r"(?:^|-)(?:wl[mp]\d|mask\w+|lyot\w*|4qpm\w*|fqpm\w*|grism\w*|gr\d+\w|p\d{3}l|prism)(?:-|$)"
)


def hst_name(name: str) -> Name:
    """Parse a Hubble file name; the totals of a visit are wanted."""
    if "skycell" in name:
        return Name(kind=Kind.SKY_CELL)
    if name.endswith("_thumb.jpg"):
        return Name(kind=Kind.THUMBNAIL)
    match = _HST.fullmatch(name)
    if match is not None:
        kind = Kind.COLOR if match["color"] or match["filters"] else Kind.WANTED
        return Name(
            kind=kind,
            proposal_id=int(match["proposal"]),
            visit=match["visit"],
            instrument=match["instrument"],
            detector=match["detector"],
        )
    if name.endswith("_color.jpg"):
        return Name(kind=Kind.COLOR)
    return Name(kind=Kind.ONE_FILTER if _HST_FILTER.fullmatch(name) else Kind.OTHER)


def jwst_name(name: str) -> Name:
    """Parse a JWST file name; combined images of its three cameras are wanted."""
    if name.endswith("_thumb.jpg"):
        return Name(kind=Kind.THUMBNAIL)
    match = _JWST.fullmatch(name)
    if match is None:
        return Name(kind=Kind.ONE_FILTER if name.startswith("jw") else Kind.OTHER)
    wanted = (
        match["instrument"] in _JWST_CAMERAS
        and match["target"][0] == "t"
        and not _NOT_IMAGING.search(match["optics"])
    )
    return Name(
        kind=Kind.WANTED if wanted else Kind.NOT_IMAGING,
        proposal_id=int(match["proposal"]),
        visit=match["visit"],
        instrument=match["instrument"],
        target=match["target"],
    )
