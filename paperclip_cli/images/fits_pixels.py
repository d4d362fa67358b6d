"""The pixels of a FITS image as numbers: scaled, with NaN where there is no value."""

from __future__ import annotations

import io
import re
from typing import BinaryIO

import numpy as np

from paperclip_cli.errors import BadItem
from paperclip_cli.images.fits_cards import Cards, card_of
from paperclip_cli.images.fits_hdus import BLOCK, Hdu, cut_short
from paperclip_cli.images.limits import MAX_PIXELS, check_size

_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
# Integers of the other sign, which FITS stores with this offset (standard 4.0, table 11).
_OFFSETS = {8: -(2**7), 16: 2**15, 32: 2**31, 64: 2**63}
# What a table needs to be one, and to hold an image compressed by tiles (standard 4.0, section 10).
_OF_A_COMPRESSED_IMAGE = re.compile(
    r"BITPIX|NAXIS\d*|[PG]COUNT|TFIELDS|T(TYPE|FORM|NULL|SCAL|ZERO|DIM)\d+|THEAP"
    r"|Z(IMAGE|TENSION|SIMPLE|BITPIX|NAXIS\d*|TILE\d+|CMPTYPE|NAME\d+|VAL\d+|MASKCMP|QUANTIZ"
    r"|DITHER0|BLANK|SCALE|ZERO)|BSCALE|BZERO|BLANK"
)


def read_pixels(file: BinaryIO, hdu: Hdu) -> np.ndarray:
    """The pixels [H, W] of a picture; blank integers are NaN.

    Raises:
        BadItem: the file is cut short, or its compressed pixels cannot be unpacked.
    """
    height, width = hdu.shape[-2:]
    check_size(width, height)
    if hdu.kind == "compressed":
        return _unpacked(file, hdu).reshape(height, width)
    bitpix = hdu.bitpix
    assert bitpix is not None  # it gave the HDU its size
    raw = np.empty((height, width), _DTYPES[bitpix])
    _read_into(file, hdu.offset, raw)
    return _scaled(raw, bitpix, hdu.cards)


def _read_into(file: BinaryIO, offset: int, raw: np.ndarray) -> None:
    there = max(0, file.seek(0, io.SEEK_END) - offset)
    if there >= raw.nbytes:
        file.seek(offset)
        there = file.readinto(raw.reshape(-1).view(np.uint8).data)  # type: ignore[attr-defined]
    if there < raw.nbytes:
        raise BadItem(cut_short(f"{there // raw.itemsize:,} of {raw.size:,} pixels"))


def _scaled(raw: np.ndarray, bitpix: int, cards: Cards) -> np.ndarray:
    """Numbers from what stands in the file, in the types that astropy gives them."""
    scale, zero = (cards.number(name) for name in ("BSCALE", "BZERO"))
    scale, zero = 1.0 if scale is None else scale, zero or 0.0
    blanks = _blanks(raw, bitpix, cards)

    if bitpix > 0 and (scale, zero) == (1.0, _OFFSETS[bitpix]):
        other = raw.astype(raw.dtype.newbyteorder("=")).view(
            f"{'i' if bitpix == 8 else 'u'}{raw.itemsize}"
        )
        raw = other ^ np.asarray(1 << (bitpix - 1)).astype(other.dtype)
        scale, zero = 1.0, 0.0
    if (scale, zero) == (1.0, 0.0) and blanks is None:
        return raw

    values = raw.astype("f4" if bitpix in (8, 16) else "f8") if bitpix > 0 else raw
    with np.errstate(over="ignore", invalid="ignore"):  # infinity, which has no value
        if scale != 1:
            values = values * scale
        if zero != 0:
            values = values + zero
    if blanks is not None:
        values[blanks] = np.nan
    return values


def _blanks(raw: np.ndarray, bitpix: int, cards: Cards) -> np.ndarray | None:
    """Which pixels [H, W] have no value, as BLANK says of integers; None if all have one."""
    blank = cards.integer("BLANK") if bitpix > 0 else None
    if blank is None:
        return None
    blanks = raw == blank
    return blanks if blanks.any() else None


def _unpacked(file: BinaryIO, hdu: Hdu) -> np.ndarray:
    """The pixels of an image compressed by tiles. astropy reads its table, and no other part."""
    there = max(0, file.seek(0, io.SEEK_END) - hdu.offset)
    if there < hdu.size:
        raise BadItem(cut_short(f"{there:,} of {hdu.size:,} bytes of a compressed image"))
    for axis in (1, 2):
        if (hdu.cards.integer(f"ZTILE{axis}") or 1) > MAX_PIXELS:
            raise BadItem("damaged FITS file: its tiles are too large")
    from astropy.io import fits

    file.seek(hdu.offset)
    table = _header(hdu.cards) + file.read(hdu.size)
    try:
        with fits.open(io.BytesIO(_PRIMARY + table + bytes(-len(table) % BLOCK))) as hdus:
            return np.asarray(hdus[1].data)
    except Exception as error:
        # astropy and zlib raise many kinds on bytes that make no sense, and their words are not
        # for the user of a search.
        raise BadItem("damaged FITS file: the tiles of its image cannot be unpacked") from error


def _header(cards: Cards) -> bytes:
    """A header with nothing but readable cards that describe a compressed image."""
    lines = [card_of("XTENSION", "BINTABLE")]
    lines += [card_of(name, value) for name, value in cards.matching(_OF_A_COMPRESSED_IMAGE)]
    return _blocks(lines)


def _blocks(lines: list[bytes]) -> bytes:
    header = b"".join([*lines, b"END".ljust(80)])
    return header + b" " * (-len(header) % BLOCK)


_PRIMARY = _blocks(
    [card_of("SIMPLE", True), card_of("BITPIX", 8), card_of("NAXIS", 0), card_of("EXTEND", True)]
)
