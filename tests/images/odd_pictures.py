"""Odd picture files, each with its true numbers, or with the words in which it is refused."""

from __future__ import annotations

import bz2
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from tests.images.test_stretch import sky
from tests.images.tiff_writer import DEFLATE, Form, tiff

SKY = sky(dtype=np.float64) * 1000 + 50  # about 70, its noise 4, and a source of 3,000
EDGE = np.zeros(SKY.shape, bool)
EDGE[:9], EDGE[:, :5] = True, True
DOUBLE, SINGLE = np.finfo("f8").max, float(np.finfo("f4").max)
COUNTS = SKY.round().astype("i2")
COLOURS = np.stack([SKY, SKY[:, ::-1], SKY[::-1]], axis=2)
NARROW = (SKY - SKY.min()) / np.ptp(SKY)


@dataclass(frozen=True)
class OddPicture:
    """A file, and what it shows.

    `values` [H, W] are numbers that give the same picture, NaN where there is none, the first row
    at the bottom; `levels` is the picture itself; `reason` is what is said of a file that is not
    read.
    """

    name: str
    write: Callable[[], bytes]
    values: np.ndarray | None = None
    levels: np.ndarray | None = None
    reason: str = ""


def fits_file(*hdus: fits.hdu.base.ExtensionHDU) -> bytes:
    file = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(file)
    return file.getvalue()


def image(values: np.ndarray, **cards: object) -> bytes:
    """A FITS file of one image; a number of a card is written as it is."""
    data = fits_file(fits.PrimaryHDU(values))
    for name, value in cards.items():
        data = data.replace(
            b"END" + b" " * 77, f"{name:<8}= {value}".ljust(80).encode() + b"END" + b" " * 77, 1
        )
    # The added cards take the place of blanks at the end of the header.
    head = data[: 2880 + 80 * len(cards)]
    return head[:2880] + data[2880 + 80 * len(cards) :]


def edged(value: float, dtype: str, values: np.ndarray = SKY) -> np.ndarray:
    """The sky with an edge that has one value."""
    return np.where(EDGE, np.asarray(value).astype(dtype), values.astype(dtype))


def framed(values: np.ndarray = SKY) -> np.ndarray:
    return np.where(EDGE, np.nan, values)


def resampled() -> np.ndarray:
    """The sky with an edge of 1e30 that was blurred with its neighbours by resampling."""
    values = edged(1e30, "f8")
    values[9] = np.linspace(1e24, 1e29, values.shape[1])
    return values.astype("f4")


def named(*planes: tuple[str, np.ndarray]) -> bytes:
    images = [fits.ImageHDU(values, name=name) for name, values in planes]
    return fits_file(fits.PrimaryHDU(), *images)


def with_class() -> bytes:
    flags, science = fits.ImageHDU(COUNTS[::-1], name="A"), fits.ImageHDU(SKY, name="B")
    flags.header["HDUCLAS2"] = "QUALITY"
    return fits_file(fits.PrimaryHDU(), flags, science)


def blank_unsigned() -> bytes:
    hdu = fits.PrimaryHDU(edged(0, "u2"))
    data = fits_file(hdu).replace(
        b"END" + b" " * 77, f"{'BLANK':<8}= {-32768:>20}".ljust(80).encode() + b"END" + b" " * 77, 1
    )
    return data[:2880] + data[2960:]


def packed_with_a_bad_card() -> bytes:
    packed = fits.CompImageHDU(COUNTS, compression_type="RICE_1")
    packed.header["EXPTIME"] = 77.25
    data = fits_file(fits.PrimaryHDU(), packed)
    assert data.count(b"77.25") == 1
    return data.replace(b"77.25", b"77,25")


def bad(data: bytes, card: str, instead: str) -> bytes:
    assert card.encode() in data
    return data.replace(card.encode(), instead.encode().ljust(len(card)), 1)


MASK = EDGE.astype("u1")
PLANES = [
    OddPicture("quality first, SCI named", lambda: named(("DQ", COUNTS[::-1]), ("SCI", SKY)), SKY),
    OddPicture("errors first, SCI named", lambda: named(("ERR", SKY[::-1]), ("SCI", SKY)), SKY),
    OddPicture(
        "another image first, SCI named", lambda: named(("REF", SKY[::-1]), ("SCI", SKY)), SKY
    ),
    OddPicture("weights first", lambda: named(("WHT", SKY[::-1]), ("DATA", SKY)), SKY),
    OddPicture("variance first", lambda: named(("VARIANCE", SKY[::-1]), ("IMAGE", SKY)), SKY),
    OddPicture("ESO's quality first", with_class, SKY),
    OddPicture("a mask without a name first", lambda: named(("", MASK), ("", SKY)), SKY),
    OddPicture("a plane of zeros first", lambda: named(("", MASK * 0), ("", SKY)), SKY),
    OddPicture("a plane of NaN first", lambda: named(("", SKY * np.nan), ("", SKY)), SKY),
    OddPicture("weights alone", lambda: named(("WHT", SKY)), SKY),
    OddPicture("a mask alone", lambda: image(MASK), MASK * 1.0),
]
PLANES += [
    OddPicture(
        "a cube and its quality",
        lambda: named(("SCI", np.ones((3, 20, 30))), ("DQ", COUNTS)),
        reason="it holds an array of 30 x 20 x 3, a plane DQ$",
    )
]
NUMBERS = [
    OddPicture("doubles of 1e302", lambda: image(SKY * 1e300), SKY),
    OddPicture("doubles of 1e-310", lambda: image(SKY * 1e-312), SKY),
    OddPicture("floats of 1e37", lambda: image((SKY * 1e34).astype("f4")), SKY),
    OddPicture("an edge of the least double", lambda: image(edged(-DOUBLE, "f8")), framed()),
    OddPicture("an edge of the largest double", lambda: image(edged(DOUBLE, "f8")), framed()),
    OddPicture("an edge of the largest float", lambda: image(edged(SINGLE, "f4")), framed()),
    OddPicture("an edge of -9999", lambda: image(edged(-9999, "f4")), framed()),
    OddPicture(
        "an edge of -9999 in integers", lambda: image(edged(-9999, "i2", COUNTS)), framed(COUNTS)
    ),
    OddPicture("an edge of -99", lambda: image(edged(-99, "f4")), framed()),
    OddPicture("an edge of 1e30", lambda: image(edged(1e30, "f4")), framed()),
    OddPicture(
        "a blurred edge of 1e30",
        lambda: image(resampled()),
        np.where(np.isfinite(resampled()) & (resampled() < 1e20), SKY, np.nan),
    ),
    OddPicture("an edge of -1.6e38", lambda: image(edged(-1.6e38, "f4")), framed()),
    OddPicture("an edge of -123456", lambda: image(edged(-123456, "i4", COUNTS)), framed(COUNTS)),
    OddPicture("an edge of -32768", lambda: image(edged(-32768, "i2", COUNTS)), framed(COUNTS)),
    OddPicture(
        "an edge of -2147483648", lambda: image(edged(-(2**31), "i4", COUNTS)), framed(COUNTS)
    ),
    OddPicture("an edge of -9e18", lambda: image(edged(-(2**63), "i8", COUNTS)), framed(COUNTS)),
    OddPicture("BLANK", lambda: image(edged(-7, "i2", COUNTS), BLANK="-7"), framed(COUNTS)),
    OddPicture("BLANK in unsigned integers", blank_unsigned, framed(SKY.astype("u2"))),
    OddPicture(
        "signed bytes",
        lambda: image((NARROW * 200 - 100).astype("i1")),
        (NARROW * 200 - 100).astype("i1"),
    ),
    OddPicture(
        "unsigned 64 bits", lambda: image(SKY.astype("u8") + 2**40), SKY.astype("u8").astype("f8")
    ),
]
FILES = [
    OddPicture("bzip2", lambda: bz2.compress(image(SKY)), SKY),
    OddPicture("no END padding", lambda: image(SKY)[: 2880 + SKY.nbytes], SKY),
    OddPicture("garbage behind", lambda: image(SKY) + b"garbage" * 999, SKY),
    OddPicture("a scale with a comma", lambda: image(SKY, BSCALE="1,5"), SKY),
    OddPicture("a zero of NaN", lambda: image(COUNTS, BZERO="NaN"), COUNTS.astype("f8")),
    OddPicture("a BLANK without sense", lambda: image(COUNTS, BLANK="none"), COUNTS.astype("f8")),
    OddPicture(
        "a name without its end", lambda: bad(named(("SCI", SKY)), "'SCI     '", "'SCI"), SKY
    ),
    OddPicture(
        "a side of 90.",
        lambda: bad(image(SKY), "                  90", "                 90."),
        SKY,
    ),
    OddPicture("fpack and a bad card", packed_with_a_bad_card, COUNTS.astype("f8")),
    OddPicture(
        "SIMPLE = F", lambda: bad(image(SKY), f"{'T':>20}", f"{'F':>20}"), reason="SIMPLE = F"
    ),
    OddPicture("cut short", lambda: image(SKY)[:8880], reason="cut short: 750 of 7,200 pixels"),
    OddPicture(
        "cut short in SCI", lambda: named(("DQ", MASK), ("SCI", SKY))[:16_000], reason="cut short"
    ),
    OddPicture(
        "cut short in the header of SCI",
        lambda: named(("DQ", MASK), ("SCI", SKY))[:15_000],
        reason="cut short: 7 cards of its header",
    ),
    OddPicture(
        "a side of x behind DQ",
        lambda: bad(named(("DQ", MASK), ("SCI", SKY)), "-64 / array", "x   / array"),
        reason="BITPIX cannot be read",
    ),
    OddPicture(
        "a side of x behind the picture",
        lambda: bad(named(("SCI", SKY), ("DQ", COUNTS)), "16 / array", "x  / array"),
        SKY,
    ),
    OddPicture("fpack cut short", lambda: packed_with_a_bad_card()[:9_000], reason="cut short"),
    OddPicture(
        "bzip2 cut short", lambda: bz2.compress(image(SKY))[:-90], reason="cut short: the bzip2"
    ),
    OddPicture(
        "compress", lambda: b"\x1f\x9d\x90" + bytes(99), reason=r"compressed with compress \(.Z\)"
    ),
    OddPicture("xz", lambda: b"\xfd7zXZ\0" + bytes(99), reason="compressed with xz"),
]


def levels(values: np.ndarray) -> np.ndarray:
    return np.rint(values * 255).astype("u1")


RGB = np.stack([NARROW, NARROW[:, ::-1], NARROW[::-1]], axis=2)
UP = SKY[::-1]  # rasters begin at the top
TIFFS = [
    OddPicture("64-bit floats", lambda: tiff(UP), SKY),
    OddPicture("16-bit floats", lambda: tiff(UP.astype("f2")), SKY.astype("f2").astype("f8")),
    OddPicture("64-bit floats up to 1", lambda: tiff(NARROW), levels=levels(NARROW)),
    OddPicture("colour of floats", lambda: tiff(RGB.astype("f4")), levels=levels(RGB)),
    OddPicture(
        "colour of doubles in planes", lambda: tiff(RGB, Form(is_planar=True)), levels=levels(RGB)
    ),
    OddPicture(
        "colour and alpha of floats",
        lambda: tiff(np.dstack([RGB, NARROW * 0]).astype("f4")),
        levels=levels(RGB),
    ),
    OddPicture(
        "grey in three channels", lambda: tiff(np.dstack([NARROW] * 3)), levels=levels(NARROW)
    ),
    OddPicture(
        "BigTIFF",
        lambda: tiff(COUNTS.clip(0, 255).astype("u1"), Form(is_big=True)),
        levels=COUNTS.clip(0, 255).astype("u1"),
    ),
    OddPicture("BigTIFF of doubles", lambda: tiff(UP, Form(is_big=True)), SKY),
    OddPicture(
        "BigTIFF, most significant first", lambda: tiff(UP, Form(is_big=True, order=">")), SKY
    ),
    OddPicture(
        "BigTIFF of bytes, most significant first",
        lambda: tiff(levels(NARROW), Form(is_big=True, order=">")),
        levels=levels(NARROW),
    ),
    OddPicture("doubles, most significant first", lambda: tiff(UP, Form(order=">")), SKY),
    OddPicture("doubles in tiles", lambda: tiff(UP, Form(tile=32)), SKY),
    OddPicture("deflated doubles", lambda: tiff(UP, Form(compression=DEFLATE)), SKY),
    OddPicture("deflated tiles", lambda: tiff(UP, Form(compression=DEFLATE, tile=16)), SKY),
    OddPicture("one strip", lambda: tiff(UP, Form(rows=999)), SKY),
    OddPicture("an image upside down", lambda: tiff(SKY, Form(orientation=4)), SKY),
    OddPicture(
        "unsigned 32 bits", lambda: tiff(UP.astype("u4") + 2**31), SKY.astype("u4").astype("f8")
    ),
    OddPicture(
        "signed 64 bits", lambda: tiff(UP.astype("i8") - 10**6), SKY.astype("i8").astype("f8")
    ),
    OddPicture(
        "colour of 16 bits", lambda: tiff((RGB * 65535).round().astype("u2")), levels=levels(RGB)
    ),
    OddPicture(
        "colour of 12 bits in 16",
        lambda: tiff((RGB * 4095).round().astype("u2"), Form(compression=DEFLATE, order=">")),
        levels=levels(RGB),
    ),
    OddPicture(
        "colour of 16 bits in planes",
        lambda: tiff((RGB * 65535).round().astype("u2"), Form(is_planar=True)),
        levels=levels(RGB),
    ),
    OddPicture(
        "packed planes of 16 bits",
        lambda: tiff((RGB * 65535).round().astype("u2"), Form(is_planar=True, compression=5)),
        reason="16-bit integers compressed with LZW is not read",
    ),
    OddPicture(
        "signed bytes in a TIFF",
        lambda: tiff((NARROW * 200 - 100).round().astype("i1")[::-1]),
        (NARROW * 200 - 100).round(),
    ),
    *(
        OddPicture(
            f"{bits} bits whose 0 is white",
            lambda most=most, kind=kind: tiff(
                (most - (NARROW * most).round()).astype(kind), Form(is_negative=True)
            ),
            levels=levels(NARROW),
        )
        for bits, most, kind in ((8, 255, "u1"), (12, 4095, "u2"), (16, 65535, "u2"))
    ),
    OddPicture(
        "signed numbers whose 0 is white",
        lambda: tiff(-COUNTS[::-1], Form(is_negative=True)),
        levels=levels((COUNTS[::-1] - 1) / 4095),
    ),
    OddPicture("floats whose least is white", lambda: tiff(-UP, Form(is_negative=True)), SKY),
    OddPicture("an edge of -9999 in floats", lambda: tiff(edged(-9999, "f4")[::-1]), framed()),
    OddPicture(
        "LZW", lambda: tiff(UP, Form(compression=5)), reason="64-bit floats compressed with LZW"
    ),
    OddPicture(
        "a predictor",
        lambda: tiff(UP, Form(compression=DEFLATE, predictor=3)),
        reason="a predictor",
    ),
    OddPicture(
        "strips cut short",
        lambda: bytes(tiff(UP)).replace(UP[10:20].tobytes(), b"", 1),
        reason="damaged|cut short",
    ),
    OddPicture("complex numbers", lambda: tiff(UP.astype("c8")), reason="that is not read"),
    OddPicture("five channels", lambda: tiff(np.dstack([NARROW] * 5)), reason="5 channels"),
]
PICTURES = [*PLANES, *NUMBERS, *FILES, *TIFFS]
