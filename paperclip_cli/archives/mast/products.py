"""The science file of an observation: the drizzled or combined FITS image."""

from __future__ import annotations

import re
from pathlib import Path

from paperclip_cli.archives.mast.client import MastClient
from paperclip_cli.archives.mast.rows import text
from paperclip_cli.errors import BadItem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\.fits(\.gz)?")
_COMBINED = re.compile(r"_(dr[czw]|i2d)\.fits(\.gz)?$")


def file_of(uri: str, folder: Path) -> Path:
    """Where a product is to lie. BadItem for an address that is not a FITS product of MAST, or whose name could lead out of the folder."""
    match = re.fullmatch(r"mast:[A-Za-z0-9]+/product/([^/]+)", uri)
    if match is None or not _NAME.fullmatch(match[1]):
        raise BadItem("its science file has no sensible address")
    return folder / match[1]


def find_product(client: MastClient, obs_id: str) -> str:
    """Asks MAST for the combined image of an observation by its name. BadItem where there is none."""
    collection = "JWST" if obs_id.lower().startswith("jw") else "HST"
    rows = client.observations({"obs_collection": [collection], "obs_id": [obs_id]})
    products = client.products(text(row, "obsid") for row in rows) if rows else []
    found = sorted(
        {
            text(row, "dataURI")
            for row in products
            if text(row, "obs_id").lower() == obs_id.lower()
            and _COMBINED.search(text(row, "productFilename"))
        }
    )
    if not found:
        raise BadItem(
            "MAST has no such observation" if not rows else "MAST has no combined image of it"
        )
    return found[0]
