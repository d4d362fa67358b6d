"""Science files of observations: their drizzled or combined FITS images."""

from __future__ import annotations

import re
from pathlib import Path

from paperclip_cli.archives.mast.client import MastClient
from paperclip_cli.archives.mast.rows import text
from paperclip_cli.errors import BadItem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\.fits(\.gz)?")
_COMBINED = re.compile(r"_(dr[czw]|i2d)\.fits(\.gz)?$")


def file_of(uri: str, folder: Path) -> Path:
    """The path of a product in a folder.

    Raises:
        BadItem: the address is not that of a FITS product of MAST, or its name could lead out of
            the folder.
    """
    match = re.fullmatch(r"mast:[A-Za-z0-9]+/product/([^/]+)", uri)
    if match is None or not _NAME.fullmatch(match[1]):
        raise BadItem("its science file has an invalid address")
    return folder / match[1]


def find_product(client: MastClient, obs_id: str) -> str:
    """Ask MAST for the combined image of an observation, by its name.

    Raises:
        BadItem: there is none.
    """
    collection = "JWST" if obs_id.lower().startswith("jw") else "HST"
    rows = client.observations({"obs_collection": [collection], "obs_id": [obs_id]})
    if not rows:
        raise BadItem("MAST has no such observation")

    own = (
        row
        for row in client.products(text(row, "obsid") for row in rows)
        if text(row, "obs_id").lower() == obs_id.lower()
    )
    found = [text(row, "dataURI") for row in own if _COMBINED.search(text(row, "productFilename"))]
    if not found:
        raise BadItem("MAST has no combined image of it")
    return min(found)
