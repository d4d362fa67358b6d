"""Settings that turn an index's files into views, beyond its model's view.

A query needs them too, to see an image in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from paperclip_cli.images.view import View


@dataclass(frozen=True)
class Reading:
    """How an image file is read.

    `tiles` stands for several crops of an image (`images.tiles`) instead of the model's one view.
    `hdu` and `stretch` are for FITS files.
    """

    tiles: bool = False
    hdu: int | str | None = None
    stretch: str = "preview"


PLAIN = Reading()


def seen_part(view: View, reading: Reading = PLAIN) -> str:
    """The part of an image that a model sees, for sentences."""
    return f"tiles of {view.crop:.3g} of the padded frame's side" if reading.tiles else str(view)


def view_name(view: View, reading: Reading) -> str:
    """The view of an index on its images, in a few words."""
    kind = "tiles" if reading.tiles else view.kind
    hdu = "" if reading.hdu is None else f", HDU {reading.hdu}"
    stretch = "" if reading.stretch == "preview" else f", {reading.stretch}"
    return f"{kind}{hdu}{stretch}"
