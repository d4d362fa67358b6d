"""The parts (HDUs) of a FITS file: where each lies, and what it holds.

Only headers are read here, and only what the FITS standard 4.0, section 4.4.1, needs to find the
next one. Sizes are taken from a header without taking memory for them.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from paperclip_cli.errors import BadItem
from paperclip_cli.images.fits_cards import CARD, Cards
from paperclip_cli.images.limits import MIN_SIDE
from paperclip_cli.wording import counted

BLOCK = 2880  # bytes
MAX_HEADER = 2**24  # bytes: some 200,000 cards
_MOST_HDUS = 10_000
_MOST_AXES = 999
_IMAGES = ("IMAGE", "IUEIMAGE")
_TABLES = ("BINTABLE", "TABLE", "A3DTABLE")
_BITPIX = (8, 16, 32, 64, -32, -64)
# How the planes begin that accompany a science array: data quality, weights, errors.
_COMPANIONS = (
    *("DQ", "WHT", "WGT", "WEIGHT", "EXP", "CTX", "CON", "COV"),
    *("ERR", "VAR", "IVAR", "RMS", "SIG", "STD", "STAT", "UNC", "NOISE"),
    *("MASK", "BPM", "BAD", "FLAG", "QUAL", "WCSDVARR", "D2IMARR"),
)
_COMPANION_CLASSES = ("ERROR", "QUALITY", "WEIGHT", "EXPOSURE")  # HDUCLAS2 in ESO's files


@dataclass(frozen=True, kw_only=True)
class Hdu:
    """One part of a file: its `number`, its header, and the `size` bytes of data at `offset`.

    `shape` is that of the array in numpy's order, empty where there is none. An image compressed by
    tiles lies in a table, but has the image's shape. `kind` is image, compressed, or what else it
    is, in words.
    """

    number: int
    cards: Cards
    kind: str
    shape: tuple[int, ...]
    offset: int
    size: int

    @property
    def name(self) -> str:
        """Its name in upper case; blank if it has none."""
        return (self.cards.text("EXTNAME") or ("" if self.number else "PRIMARY")).upper()

    @property
    def bitpix(self) -> int | None:
        """The numbers of the image: bits of an integer, or minus the bits of a float."""
        return self.cards.integer("ZBITPIX" if self.kind == "compressed" else "BITPIX")

    @property
    def is_image(self) -> bool:
        return self.kind in ("image", "compressed")

    @property
    def is_picture(self) -> bool:
        shape = _without_leading_ones(self.shape) if self.is_image else ()
        return len(shape) == 2 and min(shape) >= MIN_SIDE

    @property
    def is_companion(self) -> bool:
        """Whether it accompanies a science array: data quality, weights, errors."""
        kind = self.cards.text("HDUCLAS2") or ""
        return self.name.startswith(_COMPANIONS) or kind.upper() in _COMPANION_CLASSES

    @property
    def content(self) -> str:
        """What it holds, in words; blank for a bare header."""
        if not self.is_image or self.is_picture:
            return f"a plane {self.name}".strip() if self.is_picture else self.kind
        shape = _without_leading_ones(self.shape)
        if not shape:
            return ""
        size = " x ".join(map(str, reversed(shape)))
        is_line = len(shape) == 1 or (len(shape) == 2 and min(shape) < MIN_SIDE)
        return f"a spectrum of {size}" if is_line else f"an array of {size}"


def read_hdus(file: BinaryIO) -> list[Hdu]:
    """The HDUs of a FITS file. What follows its pictures is ignored where it cannot be read.

    Raises:
        BadItem: an HDU before any picture cannot be read, or the file says that it does not keep to
            FITS.
    """
    end = file.seek(0, io.SEEK_END)
    hdus: list[Hdu] = []
    start = 0
    while start < end and len(hdus) < _MOST_HDUS:
        file.seek(start)
        try:
            header = _read_header(file, is_first=not hdus)
            if not header:
                break
            hdu = _parse(Cards(header), len(hdus), start + -(-len(header) // BLOCK) * BLOCK)
        except BadItem:
            if any(hdu.is_picture and not hdu.is_companion for hdu in hdus):
                break
            raise
        hdus.append(hdu)
        start = hdu.offset + -(-hdu.size // BLOCK) * BLOCK
    return hdus


def _read_header(file: BinaryIO, is_first: bool) -> bytes:
    """The blocks of the header that begins here; empty if there is none."""
    blocks: list[bytes] = []
    while len(blocks) * BLOCK < MAX_HEADER:
        block = file.read(BLOCK)
        if not blocks and not is_first and not block.startswith(b"XTENSION"):
            return b""
        blocks.append(block)
        if _has_end(block):
            return b"".join(blocks)
        if len(block) < BLOCK:
            break
    cards = sum(map(len, blocks)) // CARD
    raise BadItem(cut_short(f"{counted(cards, 'cards')} of its header, and no END"))


def _has_end(block: bytes) -> bool:
    place = block.find(b"END")
    while place >= 0:
        if place % CARD == 0 and not block[place + 3 : place + CARD].strip(b" \0"):
            return True
        place = block.find(b"END", place + 1)
    return False


def _parse(cards: Cards, number: int, offset: int) -> Hdu:
    if number == 0 and cards.value("SIMPLE") is False:
        raise BadItem("the FITS file says that it does not keep to FITS (SIMPLE = F)")
    axes, bits = _axes(cards, "NAXIS"), _bits(cards, "BITPIX")
    kind = _kind(cards, number, axes)
    shape = _axes(cards, "ZNAXIS") if kind == "compressed" else axes
    groups, extra = cards.integer("GCOUNT") or 1, cards.integer("PCOUNT") or 0
    counted_axes = axes[:-1] if kind == "random groups" else axes
    size = max(0, bits // 8 * groups * (extra + math.prod(counted_axes))) if axes else 0
    return Hdu(number=number, cards=cards, kind=kind, shape=shape, offset=offset, size=size)


def _kind(cards: Cards, number: int, axes: tuple[int, ...]) -> str:
    extension = (cards.word("XTENSION") or "") if number else "IMAGE"
    if extension in _IMAGES:
        is_grouped = number == 0 and axes[-1:] == (0,) and cards.value("GROUPS") is True
        return "random groups" if is_grouped else "image"
    if extension == "BINTABLE" and cards.value("ZIMAGE") is True:
        return "compressed"
    return "a table" if extension in _TABLES else f"an extension {extension[:20]!r}"


def _axes(cards: Cards, prefix: str) -> tuple[int, ...]:
    """The shape of an array in numpy's order."""
    count = cards.integer(prefix)
    if count is None or not 0 <= count <= _MOST_AXES:
        raise BadItem(_damaged(prefix, count))
    names = [f"{prefix}{axis}" for axis in range(count, 0, -1)]
    sides = [(name, cards.integer(name)) for name in names]
    for name, side in sides:
        if side is None or side < 0:
            raise BadItem(_damaged(name, side))
    return tuple(side for _, side in sides if side is not None)


def _bits(cards: Cards, name: str) -> int:
    """The size of one number in bits."""
    bits = cards.integer(name)
    if bits not in _BITPIX:
        raise BadItem(_damaged(name, bits))
    return abs(bits)  # type: ignore[arg-type]


def cut_short(found: str) -> str:
    """The words for a file that ends too early."""
    return f"damaged FITS file (cut short: {found})"


def _damaged(name: str, value: int | None) -> str:
    found = "cannot be read" if value is None else f"is {value}"
    return f"damaged FITS file: {name} {found}"


def _without_leading_ones(shape: Sequence[int]) -> Sequence[int]:
    """A shape without its leading axes of length 1.

    Radio images, and those of some pipelines, have such axes for frequency or polarisation.
    """
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape
