"""A writer of small TIFF files of any numbers, after the TIFF 6.0 and BigTIFF specifications."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

DEFLATE = 8
_SHORT, _LONG, _LONG8 = 3, 4, 16
_FORMATS = {"u": 1, "i": 2, "f": 3, "c": 6}


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a file is laid out. `tile` is a side in pixels, 0 for strips of `rows`."""

    order: str = "<"
    is_big: bool = False
    compression: int = 1
    predictor: int = 1
    tile: int = 0
    rows: int = 10
    is_planar: bool = False
    orientation: int = 1
    is_negative: bool = False


def tiff(values: np.ndarray, form: Form | None = None) -> bytes:
    """The file of numbers [H, W] or [H, W, C]."""
    form = form or Form()
    pixels = values[..., None] if values.ndim == 2 else values
    pixels = pixels.astype(pixels.dtype.newbyteorder(form.order))
    height, width, channels = pixels.shape
    blocks = [_packed(block, form) for block in _blocks(pixels, form)]

    head = 16 if form.is_big else 8
    offsets = [head + sum(map(len, blocks[:i])) for i in range(len(blocks))]
    tags = {
        256: [width],
        257: [height],
        258: [pixels.itemsize * 8] * channels,
        259: [form.compression],
        262: [2 if channels > 2 else 0 if form.is_negative else 1],
        274: [form.orientation],
        277: [channels],
        284: [2 if form.is_planar else 1],
        317: [form.predictor],
        339: [_FORMATS[pixels.dtype.kind]] * channels,
    }
    if form.tile:
        tags |= {322: [form.tile], 323: [form.tile], 324: offsets, 325: [*map(len, blocks)]}
    else:
        tags |= {273: offsets, 278: [form.rows], 279: [*map(len, blocks)]}
    data = b"".join(blocks)
    return _head(form, head + len(data)) + data + _directory(tags, form, head + len(data))


def _blocks(pixels: np.ndarray, form: Form) -> list[np.ndarray]:
    planes = np.split(pixels, pixels.shape[2], axis=2) if form.is_planar else [pixels]
    found = []
    for plane in planes:
        height, width, _ = plane.shape
        if not form.tile:
            found += [plane[top : top + form.rows] for top in range(0, height, form.rows)]
            continue
        margins = (0, -height % form.tile), (0, -width % form.tile), (0, 0)
        whole = np.pad(plane, margins)
        for top in range(0, height, form.tile):
            for left in range(0, width, form.tile):
                found.append(whole[top : top + form.tile, left : left + form.tile])
    return found


def _packed(block: np.ndarray, form: Form) -> bytes:
    data = block.tobytes()
    return zlib.compress(data) if form.compression == DEFLATE else data


def _head(form: Form, directory: int) -> bytes:
    order = b"II" if form.order == "<" else b"MM"
    if form.is_big:
        return order + struct.pack(form.order + "HHHQ", 43, 8, 0, directory)
    return order + struct.pack(form.order + "HI", 42, directory)


def _directory(tags: dict[int, list[int]], form: Form, place: int) -> bytes:
    count, entry, room = ("Q", "HHQ", 8) if form.is_big else ("H", "HHI", 4)
    kind, code = (_LONG8, "Q") if form.is_big else (_LONG, "I")
    size = struct.calcsize(f"{form.order}{entry}") + room
    rest = place + struct.calcsize(form.order + count) + size * len(tags) + room
    lines, extra = b"", b""
    for tag, values in sorted(tags.items()):
        is_short = tag in (258, 259, 262, 274, 277, 284, 317, 339)
        letter, what = ("H", _SHORT) if is_short else (code, kind)
        data = struct.pack(f"{form.order}{len(values)}{letter}", *values)
        if len(data) > room:
            extra, data = extra + data, struct.pack(form.order + code, rest + len(extra))
        lines += struct.pack(form.order + entry, tag, what, len(values)) + data.ljust(room, b"\0")
    return struct.pack(form.order + count, len(tags)) + lines + bytes(room) + extra
