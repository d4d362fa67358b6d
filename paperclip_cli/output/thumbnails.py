"""Hits as pictures in the terminal: by kitty's graphics protocol, or else in half blocks."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from paperclip_cli.errors import BadItem
from paperclip_cli.images.pictures import make_canvas, read_picture
from paperclip_cli.output import console
from paperclip_cli.records import Hit

_CELLS, _LINES = 20, 10  # of one picture: a cell is about twice as high as it is wide
_SIDE = 240  # pixels of a picture that is sent by the graphics protocol
_CHUNK = 4096  # most bytes of base64 in one escape sequence (the protocol's limit)


def thumbnails(hits: Sequence[Hit], width: int, has_graphics: bool) -> str:
    """Rows of pictures that fill a terminal of `width` cells, each above its rank and target."""
    fit = max(1, width // (_CELLS + 1))
    return "".join(
        _row(hits[start : start + fit], has_graphics) for start in range(0, len(hits), fit)
    )


def _row(hits: Sequence[Hit], has_graphics: bool) -> str:
    captions = " ".join(
        console.fitted(f"{hit.rank}. {hit.target or Path(hit.image).name}", _CELLS) for hit in hits
    ).rstrip()
    pixels = _SIDE if has_graphics else 2 * _LINES
    pictures = [_square(Path(hit.image), pixels) for hit in hits]
    drawn = "".join(_graphics(pictures)) if has_graphics else console.half_blocks(pictures)
    return f"{drawn}{captions}\n"


def _square(path: Path, side: int) -> np.ndarray:
    """A file as uint8 [side, side, 3] on a white canvas; all grey where it cannot be read."""
    try:
        canvas = make_canvas(read_picture(path), side)
    except BadItem:
        return np.full((side, side, 3), 128, np.uint8)

    square = np.full((side, side, 3), 255, np.uint8)
    height, width = canvas.shape[:2]
    square[:height, :width] = canvas if canvas.ndim == 3 else canvas[..., None]
    return square


def _graphics(pictures: Sequence[np.ndarray]) -> Iterator[str]:
    """A row of pictures, with the cursor below it at the end.

    Room for the row is made first, so that the terminal does not scroll under the pictures.
    """
    yield "\n" * _LINES + f"\x1b[{_LINES}A"
    for number, picture in enumerate(pictures):
        yield f"\x1b[{number * (_CELLS + 1) + 1}G"
        yield from _transmit(picture)
    yield f"\r\x1b[{_LINES}B"


def _transmit(picture: np.ndarray) -> Iterator[str]:
    """One picture at the cursor, which does not move: raw RGB, deflated.

    q=2 tells the terminal not to answer.
    """
    height, width = picture.shape[:2]
    head = f"a=T,f=24,o=z,s={width},v={height},c={_CELLS},r={_LINES},C=1,q=2,"
    data = base64.b64encode(zlib.compress(picture.tobytes())).decode()
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]

    for number, chunk in enumerate(chunks):
        is_more = int(number < len(chunks) - 1)
        yield f"\x1b_G{'' if number else head}m={is_more};{chunk}\x1b\\"
