"""The science image of a FITS file: its picture and its headers."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from paperclip_cli.errors import BadItem
from paperclip_cli.images.limits import FITS_MAGIC, GZIP_MAGIC, MIN_SIDE, check_size
from paperclip_cli.images.stretch import PREVIEW, stretched

if TYPE_CHECKING:
    from astropy.io.fits import HDUList, Header, ImageHDU

# Bytes of an unpacked gzip file: enough for three planes of a mosaic of 12,000 pixels a side.
MAX_UNPACKED = 2 * 2**30
_IN_MEMORY = 2**26  # bytes up to which an unpacked file stays in memory instead of on disk
_BLOCK = 2**20


@dataclass(frozen=True)
class ScienceImage:
    """An open image of a FITS file, and its headers, the more general one first.

    `picture` reads its pixels.
    """

    hdu: ImageHDU
    headers: tuple[Header, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.hdu.shape[-2:]
        return height, width

    def picture(self, stretch: str = PREVIEW) -> np.ndarray:
        """The picture uint8 [H, W], with the first row of the array at the bottom.

        Raises:
            BadItem: no pixel has a value.
        """
        # Integer counts are scaled to floats on reading, and may well be 0.
        zero_is_blank = int(self.hdu.header["BITPIX"]) < 0
        values = np.asarray(self.hdu.data).reshape(self.shape)
        return np.ascontiguousarray(stretched(values, stretch, zero_is_blank)[::-1])


@contextmanager
def open_science(path: Path, hdu: int | str | None = None) -> Iterator[ScienceImage]:
    """Open image `hdu` (a number or a name) of a FITS file, or its first two-dimensional image.

    In the archive's products the first one is the science array. The file may be compressed, by
    tiles or with gzip. The image's size is checked before any pixel is read.

    Raises:
        BadItem: there is no such image (only tables, spectra or cubes), or the file is damaged. An
            error inside the `with` block counts as damage too.
    """
    from astropy.io import fits

    try:
        with _unpacked(path) as file, fits.open(file, memmap=False) as hdus:
            image = _first_image(hdus) if hdu is None else _named_image(hdus, hdu)
            check_size(*image.shape[:-3:-1])
            yield ScienceImage(image, (hdus[0].header, image.header))
    except BadItem:
        raise
    except Exception as error:
        # astropy raises many kinds on hostile headers, and none may stop the other pictures.
        reason = str(error).partition("\n")[0][:100] or type(error).__name__
        raise BadItem(f"damaged FITS file: {reason}") from error


def read_fits(path: Path, hdu: int | str | None = None, stretch: str = PREVIEW) -> np.ndarray:
    """The picture uint8 [H, W] of the science image; raises BadItem as `open_science` does."""
    with open_science(path, hdu) as image:
        return image.picture(stretch)


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    """The opened file; a gzip file is unpacked, up to MAX_UNPACKED bytes."""
    with path.open("rb") as file:
        is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        if not is_packed:
            yield file
            return

        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as plain:
            with gzip.open(file) as packed:
                while block := packed.read(_BLOCK):
                    if not plain.tell() and not block.startswith(FITS_MAGIC):
                        raise BadItem("a gzip file with no FITS file inside")
                    if plain.write(block) and plain.tell() > MAX_UNPACKED:
                        raise BadItem(f"unpacks to more than {MAX_UNPACKED / 2**30:.0f} GB")
            plain.seek(0)
            yield plain  # type: ignore[misc]


def _first_image(hdus: HDUList) -> ImageHDU:
    for hdu in hdus:
        if _is_picture(hdu):
            return hdu
    held = ", ".join(dict.fromkeys(text for text in map(_kind, hdus) if text)) or "nothing"
    wanted = f"two-dimensional image of at least {MIN_SIDE} x {MIN_SIDE} pixels"
    raise BadItem(f"no {wanted} in the FITS file: it holds {held}")


def _named_image(hdus: HDUList, hdu: int | str) -> ImageHDU:
    try:
        found = hdus[hdu]
    except (IndexError, KeyError) as error:
        names = ", ".join(f"{number} {item.name}".strip() for number, item in enumerate(hdus))
        raise BadItem(f"no HDU {hdu} in the FITS file (it has: {names[:200]})") from error
    if not _is_picture(found):
        wanted = f"an image of at least {MIN_SIDE} x {MIN_SIDE} pixels"
        raise BadItem(f"HDU {hdu} of the FITS file is {_kind(found) or 'empty'}, not {wanted}")
    return found


def _is_picture(hdu: ImageHDU) -> bool:
    shape = _without_leading_ones(hdu.shape) if hdu.is_image else ()
    return len(shape) == 2 and min(shape) >= MIN_SIDE


def _kind(hdu: ImageHDU) -> str:
    """The content of an HDU that is not a picture, in words; blank for a bare header."""
    if not hdu.is_image:
        return "a table"
    shape = _without_leading_ones(hdu.shape)
    if not shape:
        return ""
    size = " x ".join(map(str, reversed(shape)))
    is_line = len(shape) == 1 or (len(shape) == 2 and min(shape) < MIN_SIDE)
    return f"a spectrum of {size}" if is_line else f"an array of {size}"


def _without_leading_ones(shape: Sequence[int]) -> Sequence[int]:
    """A shape without its leading axes of length 1.

    Radio images, and those of some pipelines, have such axes for frequency or polarisation.
    """
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape
