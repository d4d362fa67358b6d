"""The one path from a picture to a model's view, for fetch, train, index, query and describe.

    file --read_picture--> picture --make_canvas--> canvas --store_image--> store --(crop)--> view

A picture is uint8 [H, W] (grey) or [H, W, 3]. A canvas is a square with the picture in its middle.
A store is the canvas at a model's resolution: training crops it at random, `centre_view` in the
middle.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL.ImageFile import ImageFile

from paperclip_cli.errors import BadItem
from paperclip_cli.images.limits import FITS_MAGIC, FITS_MAGICS, check_size
from paperclip_cli.images.stretch import PREVIEW, preview_stretch
from paperclip_cli.images.tiff_numbers import TIFF_MAGICS, read_numbers

# View has its own module: a cold text query reads it from the model folder and must not import PIL.
from paperclip_cli.images.view import View

__all__ = [
    "View",
    "centre_view",
    "clip_view",
    "decode_jpeg",
    "encode_jpeg",
    "fill_no_data",
    "make_canvas",
    "no_data",
    "picture_of",
    "quiet_decoders",
    "read_picture",
    "read_picture_bytes",
    "store_image",
]

# Pixels at least this bright and connected to the border hold no data. They are white; JPEG
# compression darkens them a little at the edge.
NO_DATA = 235
RINGING = 2  # pixels next to the edge that JPEG compression changes

# Opened by signature and class, not with `Image.open`: hostile files reach no other decoder, and
# Pillow's own size limit, a warning for pictures that are ordinary here, does not apply.
_DECODERS: dict[bytes, type[ImageFile]] = {
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    **dict.fromkeys(TIFF_MAGICS, TiffImagePlugin.TiffImageFile),
}
# How files begin that hold a compressed one, and the program's name.
_PACKED = {
    b"\x1f\x9d": "compress (.Z)",
    b"\xfd7zXZ\0": "xz",
    b"PK\3\4": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def read_picture(path: Path, hdu: int | str | None = None, stretch: str = PREVIEW) -> np.ndarray:
    """Decode a JPEG, PNG, TIFF or FITS file to uint8 [H, W] or [H, W, 3], the right way up.

    The content decides the format, not the name. Three equal channels become one, and transparent
    parts become white. 16-bit pictures are scaled (see `_to_8_bits`). FITS images (`hdu`, or the
    science array) and floating-point pictures are stretched (see `stretched`).

    Raises:
        BadItem: with the reason, for any other, damaged or truncated file, and for more than
            MAX_PIXELS pixels, which the header alone tells.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(FITS_MAGIC)).startswith(FITS_MAGICS):
                from paperclip_cli.images.fits import read_fits

                return read_fits(path, hdu, stretch)
            file.seek(0)
            return _decode(file)
    except OSError as error:
        raise BadItem(f"cannot be read: {error.strerror or error}") from error


def picture_of(image: np.ndarray | Image.Image) -> np.ndarray:
    """An image in memory as a picture uint8 [H, W] or [H, W, 3], treated as one from a file.

    An array is [H, W], [H, W, 1], [H, W, 3] or [H, W, 4] (RGBA, uint8), its first row at the top.
    Numbers [H, W] other than uint8 are scaled as 16-bit and floating-point pictures are.

    Raises:
        BadItem: it has another shape or kind of numbers, is damaged, or has too many pixels.
    """
    if isinstance(image, Image.Image):
        check_size(*image.size)  # before its pixels are read
        return _upright(image.copy)
    values = _checked(np.asarray(image))
    return _to_8_bits(values) if values.dtype != np.uint8 else _pixels(Image.fromarray(values))


def _checked(values: np.ndarray) -> np.ndarray:
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    is_picture = values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))
    if not is_picture or not values.size or values.dtype.kind not in "uif":
        raise BadItem(f"an array {list(values.shape)} of {values.dtype} is not an image")
    check_size(values.shape[1], values.shape[0])
    if values.dtype != np.uint8 and values.ndim == 3:
        raise BadItem(f"a colour image is an array of uint8, not of {values.dtype}")
    return values


def read_picture_bytes(data: bytes) -> np.ndarray:
    """`read_picture` of a file's content. FITS goes through a temporary file.

    Raises:
        BadItem: as for a file.
    """
    if not data.startswith(FITS_MAGICS):
        return _decode(io.BytesIO(data))
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return read_picture(Path(file.name))


def make_canvas(picture: np.ndarray, size: int, pad: int = 255) -> np.ndarray:
    """Put a picture uint8 [H, W(, 3)] in the middle of a square [C, C(, 3)] of grey level `pad`.

    The picture is shrunk (Lanczos) if its longest side exceeds `size` pixels, and never enlarged. C
    is its longest side after that.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, size / max(height, width))
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    small = _resize(picture, width, height, Image.Resampling.LANCZOS)

    side = max(height, width)
    canvas = np.full((side, side, *picture.shape[2:]), pad, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = small
    return canvas


def encode_jpeg(canvas: np.ndarray) -> bytes:
    """Encode uint8 [C, C] or [C, C, 3] as JPEG: quality 95, no subsampling, grey in one channel."""
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def decode_jpeg(data: bytes) -> np.ndarray:
    """Decode a JPEG to uint8 [C, C] or [C, C, 3], as it was encoded.

    Raises:
        BadItem: the bytes are damaged or not a JPEG.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        raise BadItem("not a JPEG")
    return _decode(io.BytesIO(data))


def store_image(canvas: np.ndarray, view: View) -> np.ndarray:
    """Resample a canvas uint8 [C, C(, 3)] to a store [C', C', 3] with C' = `view.store_side`.

    It is resampled once, bicubically as CLIP does. Grey is repeated over the three channels.
    """
    if view.fill == "sky":
        canvas = fill_no_data(canvas)
    store = _resize(canvas, view.store_side, view.store_side, Image.Resampling.BICUBIC)
    return store if store.ndim == 3 else np.repeat(store[..., None], 3, axis=2)


def no_data(canvas: np.ndarray) -> np.ndarray:
    """Mask [C, C] of the pixels without data in uint8 [C, C(, 3)]: bright, connected to the border.

    They are the padding, sky that the detectors did not cover, and gaps that reach the edge. A
    saturated star is data.
    """
    from scipy import ndimage

    darkest = canvas if canvas.ndim == 2 else canvas.min(axis=2)
    parts, _ = ndimage.label(darkest >= NO_DATA)
    at_border = np.zeros(parts.max() + 1, bool)
    at_border[np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])] = True
    at_border[0] = False  # the dark background
    return at_border[parts]


def fill_no_data(canvas: np.ndarray) -> np.ndarray:
    """Paint the pixels of uint8 [C, C(, 3)] without data in the median of the others.

    A canvas without any data is returned unchanged.
    """
    empty = _grown(no_data(canvas), RINGING)
    if not empty.any() or empty.all():
        return canvas
    filled = canvas.copy()
    filled[empty] = _median(canvas[~empty])
    return filled


def _grown(mask: np.ndarray, steps: int) -> np.ndarray:
    """A mask bool [H, W], grown by `steps` pixels up, down, left and right."""
    for _ in range(steps):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        grown[:, 1:] |= mask[:, :-1]
        grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask


def _median(levels: np.ndarray) -> np.ndarray:
    """The median of grey levels uint8 [N(, 3)], rounded down: uint8 [(3)].

    Counting the levels is faster than sorting the pixels.
    """
    if levels.ndim == 2:
        return np.stack([_median(channel) for channel in levels.T])
    middle = np.asarray([(len(levels) + 1) // 2, len(levels) // 2 + 1])
    up_to = np.bincount(levels, minlength=256).cumsum()
    return (np.searchsorted(up_to, middle).sum() // 2).astype(np.uint8)


def centre_view(canvas: np.ndarray, view: View) -> np.ndarray:
    """The deterministic view uint8 [S, S, 3] of a canvas uint8 [C, C(, 3)], with S = `view.size`.

    Evaluation, index, query and describe all use it.
    """
    store = store_image(canvas, view)
    first = (view.store_side - view.size) // 2
    return store[first : first + view.size, first : first + view.size]


def clip_view(picture: np.ndarray, view: View) -> np.ndarray:
    """The view uint8 [S, S, 3] of a picture uint8 [H, W(, 3)] that CLIP's own processor makes.

    The shorter side is resampled to `view.store_side` pixels, the longer one in proportion, rounded
    down, and the central square with S = `view.size` is cut out. Only that square is computed: a
    strip of 8 x 100,000 pixels would fill gigabytes.
    """
    short, size = min(picture.shape[:2]), view.size
    edges = []  # of the square, in pixels of the picture
    for side in picture.shape[:2]:
        resized = int(view.store_side * side / short)
        first = (resized - size) // 2
        edges.append((first * side / resized, (first + size) * side / resized))
    (top, bottom), (left, right) = edges
    cut = Image.fromarray(picture).resize(
        (size, size), Image.Resampling[view.resample.upper()], box=(left, top, right, bottom)
    )
    seen = np.asarray(cut)
    return seen if seen.ndim == 3 else np.repeat(seen[..., None], 3, axis=2)


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silence the decoders' own warnings about odd headers.

    Not thread-safe: enter it before starting any threads.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL|astropy|erfa")
        yield


def _decode(file: BinaryIO) -> np.ndarray:
    head = file.read(8)
    file.seek(0)
    decoder = next((found for magic, found in _DECODERS.items() if head.startswith(magic)), None)
    if decoder is None:
        packed = next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)
        if packed:
            raise BadItem(f"compressed with {packed}: unpack it first")
        raise BadItem("not a JPEG, PNG, TIFF or FITS file" if head else "an empty file")

    if head.startswith(TIFF_MAGICS) and (found := read_numbers(file)) is not None:
        return _turned(_to_8_bits(found[0]), found[1])
    return _upright(lambda: decoder(file))


def _turned(picture: np.ndarray, orientation: int) -> np.ndarray:
    """A picture uint8 [H, W(, 3)], turned as an EXIF orientation says."""
    image = Image.fromarray(picture)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    ImageOps.exif_transpose(image, in_place=True)
    return _pixels(image)


def _upright(opened: Callable[[], Image.Image]) -> np.ndarray:
    """The pixels of an image, turned as its EXIF says."""
    try:
        image = opened()
        check_size(*image.size)
        ImageOps.exif_transpose(image, in_place=True)
        return _pixels(image)
    except BadItem:
        raise
    except Exception as error:
        # Decoders may raise anything on hostile bytes, and none of it may stop the other pictures.
        words = str(error).lower()
        if "unknown pixel mode" in words:
            raise BadItem("a TIFF of a kind of numbers that is not read") from error
        is_short = isinstance(error, EOFError) or "truncated" in words
        reason = "the file is truncated" if is_short else "it cannot be decoded"
        raise BadItem(f"damaged: {reason}") from error


def _pixels(image: Image.Image) -> np.ndarray:
    """The pixels uint8 [H, W] or [H, W, 3] of an image of any mode."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _to_8_bits(np.asarray(image))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))

    pixels = np.asarray(image.convert("RGB"))
    red, green, blue = (pixels[..., channel] for channel in range(3))
    is_grey = np.array_equal(red, green) and np.array_equal(red, blue)
    return np.ascontiguousarray(red) if is_grey else pixels


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    """Scale integers or floats [H, W(, 3)] to uint8 [H, W(, 3)], all channels alike.

    White is 1 for floats between 0 and 1. For integers it is the largest value of 8, 12 or 16 bits,
    whichever is the smallest that holds them all. Any other range has no white of its own and is
    stretched like a FITS image.
    """
    low, high = values.min(), values.max()
    is_float = values.dtype.kind == "f"
    white = 1 if is_float else 255 if high <= 255 else 4095 if high <= 4095 else 65535
    if not (low >= 0 and high <= white):  # also where a float is NaN
        return preview_stretch(values.reshape(len(values), -1)).reshape(values.shape)
    return np.rint(values.astype(np.float32) * (255 / white)).astype(np.uint8)


def _resize(picture: np.ndarray, width: int, height: int, method: Image.Resampling) -> np.ndarray:
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), method))
