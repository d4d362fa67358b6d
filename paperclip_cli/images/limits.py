"""How large a picture may be, and the first bytes that tell a FITS file and a gzip file."""

from __future__ import annotations

from paperclip_cli.errors import BadItem

# Drizzled mosaics reach about 12,000 pixels a side; what is far larger is an accident or an attack.
MAX_PIXELS = 16_384**2
MIN_SIDE = 8
FITS_MAGIC, GZIP_MAGIC = b"SIMPLE  =", b"\x1f\x8b"


def check_size(width: int, height: int) -> None:
    """BadItem for a picture that is too large to be decoded or too small to show anything."""
    if width * height > MAX_PIXELS:
        raise BadItem(
            f"{width:,} x {height:,} pixels are too many (at most {MAX_PIXELS / 1e6:.0f} million)"
        )
    if min(width, height) < MIN_SIDE:
        raise BadItem(
            f"{width:,} x {height:,} pixels are too few (at least {MIN_SIDE} x {MIN_SIDE})"
        )
