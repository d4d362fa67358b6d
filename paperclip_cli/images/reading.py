"""How the files of an index become views, beyond the view of its model: what a query must know to see an image in the same way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """`tiles`: several crops of an image (`images.tiles`) instead of the model's one view. `hdu` and `stretch` are for FITS files."""

    tiles: bool = False
    hdu: int | str | None = None
    stretch: str = "preview"


PLAIN = Reading()
