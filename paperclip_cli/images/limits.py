"""Size limits for pictures, and the magic bytes of the files that FITS images come in."""

from __future__ import annotations

from paperclip_cli.errors import BadItem

# Drizzled mosaics reach about 12,000 pixels a side; anything far larger is an accident or an
# attack.
MAX_PIXELS = 16_384**2
MIN_SIDE = 8
FITS_MAGIC, GZIP_MAGIC, BZIP2_MAGIC = FITS_MAGICS = b"SIMPLE  =", b"\x1f\x8b", b"BZh"


def check_size(width: int, height: int) -> None:
    """Raise BadItem for a picture too large to decode or too small to show anything."""
    if width * height > MAX_PIXELS:
        raise BadItem(
            f"too many pixels: {width:,} x {height:,} (at most {MAX_PIXELS / 1e6:.0f} million)"
        )
    if min(width, height) < MIN_SIDE:
        raise BadItem(f"too few pixels: {width:,} x {height:,} (at least {MIN_SIDE} x {MIN_SIDE})")
