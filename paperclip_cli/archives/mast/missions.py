"""Adapters of missions: their catalogues, queries, names of previews, and web pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from paperclip_cli.archives.mast.filenames import Name, hst_name, jwst_name
from paperclip_cli.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Mission:
    """The adapter of a mission.

    `catalogues` are addresses of a proposal catalogue, tried in turn; there are none if it cannot
    be downloaded. `criteria` select observations in MAST's own terms. `holds_preview` tells from an
    observation's `obs_id` and `filters` whether one of its products may be a preview that we want.
    `page` is the archive's page of a proposal.
    """

    name: str
    collection: str
    catalogues: tuple[str, ...]
    criteria: Mapping[str, tuple[str, ...]]
    read_name: Callable[[str], Name]
    holds_preview: Callable[[str, str], bool]
    page: str

    def access_url(self, proposal_id: int) -> str:
        """The archive's page of a proposal."""
        return self.page.format(proposal_id)


def _is_total(obs_id: str, filters: str) -> bool:
    """Whether an observation is the mosaic of all filters of a visit.

    Its own row names no filter but `detection`.
    """
    name = obs_id.lower()
    is_total = "_total_" in name or filters.lower() == "detection"
    return is_total and name.startswith("hst_") and "skycell" not in name


def _is_combined(obs_id: str, filters: str) -> bool:
    return re.match(r"jw\d{5}-[oc]\d+_t\d+", obs_id.lower()) is not None


_IMAGES = {"dataproduct_type": ("image",), "calib_level": ("3",)}
HST = Mission(
    name="hst",
    collection="HST",
    catalogues=(
        "https://archive.stsci.edu/hst/catalogs/abstracts.cat",
        "https://archive.stsci.edu/pub/catalogs/abstracts.cat",
    ),
    criteria=_IMAGES,
    read_name=hst_name,
    holds_preview=_is_total,
    page="https://archive.stsci.edu/proposal_search.php?mission=hst&id={}",
)
JWST = Mission(
    name="jwst",
    collection="JWST",
    catalogues=(),
    criteria={**_IMAGES, "instrument_name": ("NIRCAM/IMAGE", "MIRI/IMAGE", "NIRISS/IMAGE")},
    read_name=jwst_name,
    holds_preview=_is_combined,
    page="https://www.stsci.edu/jwst-program-info/program/?program={}",
)
MISSIONS = {mission.name: mission for mission in (HST, JWST)}


def mission_named(name: str) -> Mission:
    """The adapter of a mission.

    Raises:
        UsageError: there is none.
    """
    if name not in MISSIONS:
        raise UsageError(
            f"mission {name!r} is not in MAST, or not supported",
            f"choose {' or '.join(MISSIONS)}, or give --from DIR",
        )
    return MISSIONS[name]
