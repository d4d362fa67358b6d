"""A user's picture file: its pixels, and the observation that the file itself describes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from paperclip_cli.config import PREVIEW_SIZE
from paperclip_cli.images.limits import FITS_MAGICS, check_size
from paperclip_cli.images.pictures import make_canvas, read_picture
from paperclip_cli.images.reading import Reading
from paperclip_cli.records import Key, Observation, Wcs
from paperclip_cli.sky.wcs import (
    frame_region,
    jpeg_comment,
    on_canvas,
    pixel_to_sky,
    read_comment,
    unit_square,
)

_HEAD = 2**18  # bytes at the start of a JPEG that are searched for a comment


@dataclass(frozen=True, kw_only=True)
class PictureFile:
    """A picture and its observation.

    `picture` is uint8 [H, W(, 3)], or None if it was not requested. `wcs`, where known, holds the
    coordinates of its canvas as a unit square, and `key` its proposal. `unplaced` is the reason
    why it has no position although its header has celestial axes.
    """

    picture: np.ndarray | None
    observation: Observation
    wcs: Wcs | None = None
    key: Key | None = None
    unplaced: str = ""


def read_file(path: Path, reading: Reading, with_picture: bool = True) -> PictureFile:
    """Read a JPEG, PNG, TIFF or FITS file.

    The observation comes from a FITS file's headers. A JPEG of the archive's preview maker has its
    position on the sky in its comment.

    Raises:
        BadItem: `read_picture` refuses the file.
        OSError: the file cannot be read at all.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(FITS_MAGICS):
        return _read_fits(path, reading, with_picture)
    picture = read_picture(path) if with_picture else None
    wcs = read_comment(jpeg_comment(head)) if head.startswith(b"\xff\xd8\xff") else None
    if wcs is None:
        return PictureFile(picture=picture, observation=Observation())

    width, height = _jpeg_size(path) if picture is None else picture.shape[1::-1]
    ra, dec = pixel_to_sky(wcs, (width + 1) / 2, (height + 1) / 2)
    observation = Observation(s_ra=ra, s_dec=dec, s_region=frame_region(wcs, width, height))
    square = _square(wcs, (height, width))
    return PictureFile(picture=picture, observation=observation, wcs=square)


def thumbnail(picture: np.ndarray, side: int) -> bytes:
    """A picture uint8 [H, W(, 3)] as a small JPEG, padded to a square of at most `side` pixels."""
    file = io.BytesIO()
    Image.fromarray(make_canvas(picture, side)).save(file, "JPEG", quality=80)
    return file.getvalue()


def _read_fits(path: Path, reading: Reading, with_picture: bool) -> PictureFile:
    from paperclip_cli.images.fits import open_science
    from paperclip_cli.images.fits_header import header_observation

    with open_science(path, reading.hdu) as image:
        said = header_observation(image.headers, image.shape, image.tables)
        picture = image.picture(reading.stretch) if with_picture else None
        square = None if said.wcs is None else _square(said.wcs, image.shape)
        return PictureFile(
            picture=picture,
            observation=said.observation,
            wcs=square,
            key=said.key,
            unplaced=said.unplaced,
        )


def _square(wcs: Wcs, shape: tuple[int, int]) -> Wcs:
    height, width = shape
    side = min(max(shape), PREVIEW_SIZE)
    return unit_square(on_canvas(wcs, width, height, side, PREVIEW_SIZE), side)


def _jpeg_size(path: Path) -> tuple[int, int]:
    with JpegImageFile(path) as image:
        check_size(*image.size)
        return image.size
