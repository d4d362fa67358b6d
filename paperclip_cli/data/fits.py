"""The science image of a FITS file as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paperclip_cli.data.images import MIN_SIDE, check_size
from paperclip_cli.data.stretch import preview_stretch
from paperclip_cli.errors import BadItem

if TYPE_CHECKING:
    from astropy.io.fits import HDUList, ImageHDU


def read_fits(path: Path) -> np.ndarray:
    """The first two-dimensional image of a FITS file, stretched (`preview_stretch`), its first row at the bottom: uint8 [H, W].

    In the archive's products that is the science array. BadItem where there is none (only tables, spectra or cubes), where
    no pixel has a value, or where the file is damaged. Its size is checked before any pixel is read.
    """
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            hdu = _science_image(hdus)
            values = np.asarray(hdu.data)
            return np.ascontiguousarray(preview_stretch(values.reshape(values.shape[-2:]))[::-1])
    except BadItem:
        raise
    except Exception as error:  # astropy raises many kinds on hostile headers; none of them may stop the other pictures
        reason = str(error).partition("\n")[0][:100] or type(error).__name__
        raise BadItem(f"damaged FITS file: {reason}") from error


def _science_image(hdus: HDUList) -> ImageHDU:
    for hdu in hdus:
        shape = _without_leading_ones(hdu.shape) if hdu.is_image else ()
        if len(shape) == 2 and min(shape) >= MIN_SIDE:
            check_size(shape[1], shape[0])
            return hdu
    raise BadItem(f"no two-dimensional image of at least {MIN_SIDE} x {MIN_SIDE} pixels in the FITS file")


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Radio and some pipelines' images have axes of length 1 for frequency or polarisation."""
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape
