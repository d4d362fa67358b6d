"""The view that `preprocessor_config.json` describes: CLIP's own, of transformers' processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.view import RESAMPLINGS, View

_BICUBIC = RESAMPLINGS.index("bicubic")


def own_view(values: Mapping, path: Path, size: int) -> View:
    """The view of pictures whose shorter side is resampled and whose central square is cut out.

    `values` are those of the file at `path`; what it does not say is as in OpenAI's CLIP. `size` is
    the side of the model's input in pixels.

    Raises:
        PaperclipError: the file describes something else, such as squeezing pictures to a square.
    """
    short = _shorter_side(values.get("size", size))
    cut, resample = _square(values.get("crop_size", size)), values.get("resample", _BICUBIC)
    steps = all(values.get(f"do_{step}", True) is True for step in ("resize", "center_crop"))
    is_filter = type(resample) is int and resample in range(len(RESAMPLINGS))
    if not (steps and is_filter and cut == size and short is not None and short >= size):
        raise PaperclipError(
            f"{path} does not resample the shorter side of a picture and cut out its central "
            f"{size} x {size} pixels, as CLIP does",
            'write how pictures are seen into paperclip.json, such as {"view": {"kind": "whole"}}',
        )
    return View(kind="clip", crop=size / short, size=size, resample=RESAMPLINGS[resample])


def _shorter_side(size: object) -> int | None:
    """`{"shortest_edge": 224}`, or 224 in older files; None for anything else."""
    if isinstance(size, Mapping) and set(size) == {"shortest_edge"}:
        size = size["shortest_edge"]
    return size if type(size) is int else None


def _square(size: object) -> int | None:
    """`{"height": 224, "width": 224}`, or 224 in older files; None for anything else."""
    if isinstance(size, Mapping) and set(size) == {"height", "width"}:
        size = size["height"] if size["height"] == size["width"] else None
    return size if type(size) is int else None
