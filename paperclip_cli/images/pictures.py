"""One road from any picture to what a model sees: fetch, training, index, query and describe all take it.

    file --read_picture--> picture --make_canvas--> canvas --store_image--> store --(crop)--> view

A picture is uint8 [H, W] (grey) or [H, W, 3]; a canvas is a square with the picture in its middle; a store is the canvas at the
resolution of a model, from which training crops at random and `centre_view` in the middle.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL.ImageFile import ImageFile

from paperclip_cli.errors import BadItem
from paperclip_cli.images.limits import FITS_MAGIC, GZIP_MAGIC, check_size
from paperclip_cli.images.stretch import PREVIEW, preview_stretch

# View lives in a module of its own because a cold text query reads it from the model folder and must not import PIL.
from paperclip_cli.images.view import View

__all__ = [
    "View",
    "centre_view",
    "decode_jpeg",
    "encode_jpeg",
    "fill_no_data",
    "make_canvas",
    "no_data",
    "quiet_decoders",
    "read_picture",
    "store_image",
]

NO_DATA = 235  # what is as bright as this and reaches the border holds no data: white, less what a JPEG makes of its edge
_RINGING = 2  # pixels beside the edge that a JPEG has changed

# Opened by signature and by class, not by `Image.open`: no other decoder is exposed to hostile files, and Pillow's own size limit,
# a warning for pictures that are ordinary here, does not apply.
_DECODERS: dict[bytes, type[ImageFile]] = {
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"II*\0": TiffImagePlugin.TiffImageFile,
    b"MM\0*": TiffImagePlugin.TiffImageFile,
}


def read_picture(path: Path, hdu: int | str | None = None, stretch: str = PREVIEW) -> np.ndarray:
    """Decodes a JPEG, PNG, TIFF or FITS file, told by its content, to uint8 [H, W] or [H, W, 3], the right way up.

    Three equal channels become one; transparent parts become white; 16-bit pictures are scaled (see `_to_8_bits`), FITS images (`hdu`, or
    the first one) and floating-point pictures stretched (`stretched`). BadItem with the reason for anything else, for a damaged or
    truncated file and for one of more than MAX_PIXELS pixels, which is known from the header alone.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(FITS_MAGIC)).startswith((FITS_MAGIC, GZIP_MAGIC)):
                from paperclip_cli.images.fits import read_fits

                return read_fits(path, hdu, stretch)
            file.seek(0)
            return _decode(file)
    except OSError as error:
        raise BadItem(f"cannot be read: {error.strerror or error}") from error


def make_canvas(picture: np.ndarray, size: int, pad: int = 255) -> np.ndarray:
    """uint8 [H, W(, 3)] -> uint8 [C, C(, 3)]: the picture in the middle of a square of grey level `pad`.

    It is made smaller (Lanczos) where its longest side exceeds `size` pixels, never larger; C is then its longest side.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, size / max(height, width))
    small = _resize(
        picture,
        max(1, round(width * scale)),
        max(1, round(height * scale)),
        Image.Resampling.LANCZOS,
    )
    height, width = small.shape[:2]
    side = max(height, width)
    canvas = np.full((side, side, *picture.shape[2:]), pad, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = small
    return canvas


def encode_jpeg(canvas: np.ndarray) -> bytes:
    """uint8 [C, C] or [C, C, 3] -> a JPEG of quality 95, colours not subsampled, grey in one channel."""
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def decode_jpeg(data: bytes) -> np.ndarray:
    """A JPEG's bytes -> uint8 [C, C] or [C, C, 3] as they were encoded. BadItem where they are damaged or no JPEG."""
    if not data.startswith(b"\xff\xd8\xff"):
        raise BadItem("not a JPEG")
    return _decode(io.BytesIO(data))


def store_image(canvas: np.ndarray, view: View) -> np.ndarray:
    """uint8 [C, C(, 3)] -> uint8 [C', C', 3] with C' = `view.store_side`: resampled once (bicubic, as CLIP does), grey repeated."""
    if view.fill == "sky":
        canvas = fill_no_data(canvas)
    store = _resize(canvas, view.store_side, view.store_side, Image.Resampling.BICUBIC)
    return store if store.ndim == 3 else np.repeat(store[..., None], 3, axis=2)


def no_data(canvas: np.ndarray) -> np.ndarray:
    """Which pixels of uint8 [C, C(, 3)] hold no data, bool [C, C]: bright ones that are connected with the border.

    They are the padding, what the detectors did not cover, gaps that reach the edge; a saturated star is data.
    """
    from scipy import ndimage

    parts, _ = ndimage.label((canvas if canvas.ndim == 2 else canvas.min(axis=2)) >= NO_DATA)
    at_border = np.zeros(parts.max() + 1, bool)
    at_border[np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])] = True
    at_border[0] = False  # the dark background
    return at_border[parts]


def fill_no_data(canvas: np.ndarray) -> np.ndarray:
    """uint8 [C, C(, 3)] -> the same, with what holds no data painted in the median of what does. Where nothing does, it stays as it is."""
    empty = _grown(no_data(canvas), _RINGING)
    if not empty.any() or empty.all():
        return canvas
    filled = canvas.copy()
    filled[empty] = _median(canvas[~empty])
    return filled


def _grown(mask: np.ndarray, steps: int) -> np.ndarray:
    """A mask bool [H, W] and what is within so many steps up, down, left or right of it."""
    for _ in range(steps):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        grown[:, 1:] |= mask[:, :-1]
        grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask


def _median(levels: np.ndarray) -> np.ndarray:
    """The median of grey levels, rounded down: uint8 [N(, 3)] -> [(3)]. They are counted, which is quicker than to sort them."""
    if levels.ndim == 2:
        return np.stack([_median(channel) for channel in levels.T])
    middle = np.asarray([(len(levels) + 1) // 2, len(levels) // 2 + 1])
    return (np.searchsorted(np.bincount(levels, minlength=256).cumsum(), middle).sum() // 2).astype(
        np.uint8
    )


def centre_view(canvas: np.ndarray, view: View) -> np.ndarray:
    """uint8 [C, C(, 3)] -> uint8 [S, S, 3] with S = `view.size`: the deterministic view of evaluation, index, query and describe."""
    store = store_image(canvas, view)
    first = (view.store_side - view.size) // 2
    return store[first : first + view.size, first : first + view.size]


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silences the decoders' own warnings about odd headers. Not thread-safe: enter it before any threads are started."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL|astropy")
        yield


def _decode(file: BinaryIO) -> np.ndarray:
    head = file.read(8)
    file.seek(0)
    decoder = next(
        (decoder for magic, decoder in _DECODERS.items() if head.startswith(magic)), None
    )
    if decoder is None:
        raise BadItem("not a JPEG, PNG, TIFF or FITS file" if head else "an empty file")
    try:
        image = decoder(file)
        check_size(*image.size)
        ImageOps.exif_transpose(image, in_place=True)
        return _pixels(image)
    except BadItem:
        raise
    except Exception as error:  # a decoder may raise anything on hostile bytes; none of it may stop the other pictures
        reason = str(error).partition("\n")[0][:100] or type(error).__name__
        raise BadItem(f"damaged: {reason}") from error


def _pixels(image: Image.Image) -> np.ndarray:
    """uint8 [H, W] or [H, W, 3], whatever the mode."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _to_8_bits(np.asarray(image))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    pixels = np.asarray(image.convert("RGB"))
    is_grey = np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(
        pixels[..., 0], pixels[..., 2]
    )
    return np.ascontiguousarray(pixels[..., 0]) if is_grey else pixels


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    """Integers or floats [H, W] -> uint8 [H, W].

    White is 1 for floats within 0 to 1, and for integers the top of the smallest of 8, 12 and 16 bits that holds them. What lies outside
    of these has no white of its own and is stretched as a FITS image is.
    """
    low, high = values.min(), values.max()
    is_float = values.dtype.kind == "f"
    white = 1 if is_float else 255 if high <= 255 else 4095 if high <= 4095 else 65535
    if not (low >= 0 and high <= white):  # also where a float is NaN
        return preview_stretch(values)
    return np.rint(values.astype(np.float32) * (255 / white)).astype(np.uint8)


def _resize(picture: np.ndarray, width: int, height: int, method: Image.Resampling) -> np.ndarray:
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), method))
