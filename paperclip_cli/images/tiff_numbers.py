"""TIFF files of numbers that Pillow has no mode for: 16 and 64-bit floats, colour floats, 64 bits.

So are those that it reads as something else: colours of 16 bits, of which it keeps 8, or mixes up
the planes; signed bytes; and numbers whose least is white (WhiteIsZero).

Their pixels lie in strips or tiles, plain or deflated (TIFF 6.0, and its technical note 2). Any
other compression of such numbers is named, not read. BigTIFF differs in its tags alone, which
Pillow reads.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from paperclip_cli.errors import BadItem
from paperclip_cli.images.limits import check_size

TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF's
_BIG_ENDIAN_BIG = TIFF_MAGICS[3]
_KINDS = {1: "u", 2: "i", 3: "f"}
_WORDS = {"u": "integers", "i": "integers", "f": "floats"}
_PLAIN, _DEFLATE = (1,), (8, 32946)
_COMPRESSIONS = {5: "LZW", 7: "JPEG", 32773: "PackBits", 34925: "LZMA", 50000: "Zstandard"}
_SEPARATE_PLANES = 2
_WHITE_IS_ZERO, _PLAIN_COLOURS = 0, (1, 2)  # photometric interpretations


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where the numbers [H, W, C] of a file lie: blocks of `rows` x `columns`, and their places."""

    height: int
    width: int
    channels: int
    dtype: np.dtype
    rows: int
    columns: int
    is_tiled: bool
    is_planar: bool
    is_deflated: bool
    is_negative: bool
    places: tuple[tuple[int, int], ...]


def read_numbers(file: BinaryIO) -> tuple[np.ndarray, int] | None:
    """The numbers [H, W] or [H, W, 3] of a TIFF, and its EXIF orientation.

    None if it is of a kind that Pillow reads. A fourth channel is left out.

    Raises:
        BadItem: it is cut short or damaged, or its numbers are packed in a way that is not read.
    """
    start = file.tell()
    try:
        tags = _tags(file)
        file.seek(start)
        kind = _kind(tags, is_known=not file.read(4).startswith(_BIG_ENDIAN_BIG))
        if kind is None:
            return None
        if _is_left_to_pillow(tags, kind):
            return None
        layout = _layout(tags, kind)
        return _pixels(file, layout), int(tags.get(274, 1))
    except BadItem:
        raise
    except Exception as error:
        # Pillow's reader of tags may raise anything on hostile bytes.
        raise BadItem("damaged: the tags of the TIFF file make no sense") from error
    finally:
        file.seek(start)


def _tags(file: BinaryIO) -> ImageFileDirectory_v2:
    head = file.read(8)
    if head.startswith(TIFF_MAGICS[2:]):
        head += file.read(8)
    if head.startswith(_BIG_ENDIAN_BIG):  # Pillow would take it for a plain TIFF
        tags = ImageFileDirectory_v2(TIFF_MAGICS[2] + head[4:], prefix=head[:2])
    else:
        tags = ImageFileDirectory_v2(head)
    file.seek(tags.next)
    tags.load(file)
    return tags


def _kind(tags: ImageFileDirectory_v2, is_known: bool) -> np.dtype | None:
    """The type of the numbers, in the machine's byte order; None for what Pillow reads.

    `is_known` tells whether Pillow reads files of that kind at all.
    """
    bits, formats = set(tags.get(258, (1,))), set(tags.get(339, (1,)))
    if len(bits) != 1 or len(formats) != 1:
        return None
    bit, form = bits.pop(), _KINDS.get(formats.pop())
    channels = int(tags.get(277, 1))
    if form is None or (is_known and _is_known(f"{form}{bit}", channels, int(tags.get(262, 1)))):
        return None
    if bit not in (8, 16, 32, 64) or (form, bit) == ("f", 8):
        raise BadItem(f"a TIFF of {bit}-bit {_WORDS[form]} is not read")
    return np.dtype(f"{form}{bit // 8}")


def _is_known(kind: str, channels: int, colours: int) -> bool:
    """Whether Pillow reads numbers of a kind (`u16`) as what they are."""
    bits = int(kind[1:])
    if channels == 1:
        is_plain = kind in ("f32", "i32", "i16") or (kind[0] == "u" and bits < 32)
        return (kind[0] == "u" and bits <= 8) or (is_plain and colours != _WHITE_IS_ZERO)
    return kind[0] == "u" and bits < 32 and not (bits == 16 and colours in _PLAIN_COLOURS)


def _is_left_to_pillow(tags: ImageFileDirectory_v2, kind: np.dtype) -> bool:
    """Whether these are colours of 16 bits, side by side, that only Pillow unpacks or blends.

    It keeps eight bits of each.
    """
    is_packed = int(tags.get(259, 1)) not in (*_PLAIN, *_DEFLATE) or int(tags.get(317, 1)) != 1
    is_planar, channels = int(tags.get(284, 1)) == _SEPARATE_PLANES, int(tags.get(277, 1))
    return kind == np.uint16 and not is_planar and channels > 1 and (is_packed or channels != 3)


def _layout(tags: ImageFileDirectory_v2, kind: np.dtype) -> _Layout:
    width, height = int(tags[256]), int(tags[257])
    check_size(width, height)
    name = f"a TIFF of {kind.itemsize * 8}-bit {_WORDS[kind.kind]}"
    compression, channels = int(tags.get(259, 1)), int(tags.get(277, 1))
    if compression not in (*_PLAIN, *_DEFLATE):
        how = _COMPRESSIONS.get(compression, f"method {compression}")
        raise BadItem(f"{name} compressed with {how} is not read")
    if int(tags.get(317, 1)) != 1:
        raise BadItem(f"{name} compressed with a predictor is not read")
    colours = int(tags.get(262, 1))
    is_negative = channels == 1 and colours == _WHITE_IS_ZERO
    if channels not in (1, 3, 4) or not (is_negative or colours in _PLAIN_COLOURS):
        raise BadItem(f"{name} in {channels} channels of another colour model is not read")

    is_tiled = 322 in tags
    places = zip(
        _numbers(tags, 324 if is_tiled else 273),
        _numbers(tags, 325 if is_tiled else 279),
        strict=True,
    )
    return _Layout(
        height=height,
        width=width,
        channels=channels,
        dtype=kind.newbyteorder("<" if tags.prefix[:2] == b"II" else ">"),
        rows=int(tags[323]) if is_tiled else min(height, int(tags.get(278, height))),
        columns=int(tags[322]) if is_tiled else width,
        is_tiled=is_tiled,
        is_planar=int(tags.get(284, 1)) == _SEPARATE_PLANES and channels > 1,
        is_deflated=compression in _DEFLATE,
        is_negative=is_negative,
        places=tuple(places),
    )


def _numbers(tags: ImageFileDirectory_v2, tag: int) -> tuple[int, ...]:
    found = tags[tag]
    return tuple(map(int, found)) if isinstance(found, tuple) else (int(found),)


def _pixels(file: BinaryIO, layout: _Layout) -> np.ndarray:
    check_size(layout.columns, max(layout.rows, 8))
    pixels = np.zeros((layout.height, layout.width, layout.channels), layout.dtype)
    blocks = list(_blocks(pixels, layout))
    if len(blocks) != len(layout.places):
        raise BadItem("damaged: the tags of the TIFF file make no sense")
    for block, place in zip(blocks, layout.places, strict=True):
        rows = layout.rows if layout.is_tiled else block.shape[0]
        shape = rows, layout.columns, block.shape[2]
        data = _data(file, place, int(np.prod(shape)) * layout.dtype.itemsize, layout.is_deflated)
        whole = np.frombuffer(data, layout.dtype).reshape(shape)
        block[:] = whole[: block.shape[0], : block.shape[1]]
    pixels = _positive(pixels) if layout.is_negative else pixels
    return pixels[..., 0] if layout.channels == 1 else pixels[..., :3]


def _positive(pixels: np.ndarray) -> np.ndarray:
    """Numbers of which 0 is white, so that the largest is: of 8, 12 or 16 bits, or of them all."""
    if pixels.dtype.kind != "u":
        return ~pixels if pixels.dtype.kind == "i" else -pixels
    most = int(pixels.max())
    return next((white for white in (255, 4095, 65535) if most <= white), most) - pixels


def _blocks(pixels: np.ndarray, layout: _Layout) -> Iterator[np.ndarray]:
    """The parts [h, w, c] of the image that its strips or tiles fill, in their order."""
    channels = range(layout.channels)
    planes = [slice(c, c + 1) for c in channels] if layout.is_planar else [slice(None)]
    for plane in planes:
        for top in range(0, layout.height, layout.rows):
            for left in range(0, layout.width, layout.columns):
                yield pixels[top : top + layout.rows, left : left + layout.columns, plane]


def _data(file: BinaryIO, place: tuple[int, int], size: int, is_deflated: bool) -> bytes:
    """The `size` bytes of one strip or tile."""
    offset, length = place
    end = file.seek(0, io.SEEK_END)
    file.seek(offset)
    data = file.read(max(0, min(length, end - offset)))
    if is_deflated:
        try:
            data = zlib.decompressobj().decompress(data, size)
        except zlib.error as error:
            raise BadItem("damaged: a part of the TIFF file cannot be unpacked") from error
    if len(data) < size:
        raise BadItem(f"cut short: {len(data):,} of {size:,} bytes of a part of the TIFF file")
    return data[:size]
