"""The science image of a FITS file: its picture and its headers."""

from __future__ import annotations

import bz2
import gzip
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from paperclip_cli.errors import BadItem
from paperclip_cli.images.fits_cards import Cards
from paperclip_cli.images.fits_hdus import Hdu, cut_short, read_hdus
from paperclip_cli.images.fits_pixels import read_pixels
from paperclip_cli.images.limits import BZIP2_MAGIC, FITS_MAGIC, GZIP_MAGIC, MIN_SIDE, check_size
from paperclip_cli.images.stretch import PREVIEW, stretched

if TYPE_CHECKING:
    from astropy.io.fits import HDUList

# Bytes of an unpacked file: enough for three planes of a mosaic of 12,000 pixels a side.
MAX_UNPACKED = 2 * 2**30
_IN_MEMORY = 2**26  # bytes up to which an unpacked file stays in memory instead of on disk
_BLOCK = 2**20
_PACKERS = {GZIP_MAGIC: "gzip", BZIP2_MAGIC: "bzip2"}


@dataclass(frozen=True)
class ScienceImage:
    """An image of an open FITS file, and its headers, the more general one first.

    `pixels` reads its numbers, once.
    """

    file: BinaryIO
    hdu: Hdu
    headers: tuple[Cards, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.hdu.shape[-2:]
        return height, width

    @cached_property
    def pixels(self) -> np.ndarray:
        """The numbers [H, W], the first row at the bottom; blank integers are NaN.

        Raises:
            BadItem: they are not all there.
        """
        return read_pixels(self.file, self.hdu)

    @property
    def zero_is_blank(self) -> bool:
        # Integer counts are scaled to floats on reading, and may well be 0.
        return (self.hdu.bitpix or 0) < 0

    @contextmanager
    def tables(self) -> Iterator[HDUList]:
        """The file in astropy, for the tables that some coordinates refer to.

        Its errors are many, and those of the caller.
        """
        from astropy.io import fits

        self.file.seek(0)
        hdus = fits.open(self.file, memmap=False, lazy_load_hdus=True)
        try:
            yield hdus
        finally:
            hdus.close(closed=False)

    def picture(self, stretch: str = PREVIEW) -> np.ndarray:
        """The picture uint8 [H, W], with the first row of the array at the bottom.

        Raises:
            BadItem: no pixel has a value, or they are not all there.
        """
        return np.ascontiguousarray(stretched(self.pixels, stretch, self.zero_is_blank)[::-1])


@contextmanager
def open_science(path: Path, hdu: int | str | None = None) -> Iterator[ScienceImage]:
    """Open image `hdu` (a number or a name) of a FITS file, or the one that is its science array.

    That is the one named SCI, else the first that shows something and is no mask, weights or
    errors. The file may be compressed, by tiles, with gzip or with bzip2. The image's size is
    checked before any pixel is read. Cards that cannot be read count as absent.

    Raises:
        BadItem: there is no such image (only tables, spectra or cubes), or the file is damaged.
    """
    with path.open("rb") as packed, _unpacked(packed) as file:
        hdus = read_hdus(file)
        if hdu is None:
            yield _science(file, hdus)
        else:
            yield _image(file, hdus, _named(hdus, hdu))


def read_fits(path: Path, hdu: int | str | None = None, stretch: str = PREVIEW) -> np.ndarray:
    """The picture uint8 [H, W] of the science image; raises BadItem as `open_science` does."""
    with open_science(path, hdu) as image:
        return image.picture(stretch)


@contextmanager
def _unpacked(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file itself, or what is compressed in it, up to MAX_UNPACKED bytes."""
    head = file.read(len(FITS_MAGIC))
    file.seek(0)
    name = next((name for magic, name in _PACKERS.items() if head.startswith(magic)), None)
    if name is None:
        yield file
        return

    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as plain:
        with gzip.open(file) if name == "gzip" else bz2.open(file) as packed:
            while block := _next_block(packed, name):
                if not plain.tell() and not block.startswith(FITS_MAGIC):
                    raise BadItem(f"a {name} file with no FITS file inside")
                if plain.write(block) and plain.tell() > MAX_UNPACKED:
                    raise BadItem(f"unpacks to more than {MAX_UNPACKED / 2**30:.0f} GB")
        plain.seek(0)
        yield cast(BinaryIO, plain)


def _next_block(packed: gzip.GzipFile | bz2.BZ2File, name: str) -> bytes:
    try:
        return packed.read(_BLOCK)
    except EOFError as error:
        raise BadItem(cut_short(f"the {name} file has no end")) from error
    except (zlib.error, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, and not the file's
        raise BadItem(f"damaged FITS file: the {name} file cannot be unpacked") from error


def _science(file: BinaryIO, hdus: Sequence[Hdu]) -> ScienceImage:
    pictures = [hdu for hdu in hdus if hdu.is_picture]
    main = [hdu for hdu in pictures if not hdu.is_companion]
    is_accompanied = any(hdu.is_image and hdu.content and not hdu.is_companion for hdu in hdus)
    if not main and (not pictures or is_accompanied):
        held = ", ".join(dict.fromkeys(hdu.content for hdu in hdus if hdu.content)) or "nothing"
        wanted = f"two-dimensional image of at least {MIN_SIDE} x {MIN_SIDE} pixels"
        raise BadItem(f"no {wanted} in the FITS file: it holds {held}")

    science = [hdu for hdu in pictures if hdu.name.startswith("SCI")]
    images = [_image(file, hdus, hdu) for hdu in science or main or pictures]
    if len(images) == 1:
        return images[0]
    return next(filter(_shows_something, images), images[0])


def _shows_something(image: ScienceImage) -> bool:
    """Whether an image has two levels, and a third if its numbers are those of a mask."""
    values = image.pixels
    valued = np.isfinite(values)
    if image.zero_is_blank:
        valued &= values != 0
    low = values.min(where=valued, initial=np.inf) if values.dtype.kind == "f" else values.min()
    high = values.max(where=valued, initial=-np.inf) if values.dtype.kind == "f" else values.max()
    if values.dtype.kind != "f":
        return bool(((values != low) & (values != high)).any())
    return bool(low < high)


def _image(file: BinaryIO, hdus: Sequence[Hdu], hdu: Hdu) -> ScienceImage:
    height, width = hdu.shape[-2:]
    check_size(width, height)
    headers = (hdu.cards,) if hdu is hdus[0] else (hdus[0].cards, hdu.cards)
    return ScienceImage(file, hdu, headers)


def _named(hdus: Sequence[Hdu], hdu: int | str) -> Hdu:
    if isinstance(hdu, int):
        found = hdus[hdu] if -len(hdus) <= hdu < len(hdus) else None
    else:
        found = next((item for item in hdus if item.name == hdu.strip().upper()), None)
    if found is None:
        names = ", ".join(f"{item.number} {item.name}".strip() for item in hdus)
        raise BadItem(f"no HDU {hdu} in the FITS file (it has: {names[:200]})")
    if not found.is_picture:
        wanted = f"an image of at least {MIN_SIDE} x {MIN_SIDE} pixels"
        raise BadItem(f"HDU {hdu} of the FITS file is {found.content or 'empty'}, not {wanted}")
    return found
