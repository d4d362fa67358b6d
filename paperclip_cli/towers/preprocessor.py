"""How transformers' processor of images shows a picture to a model: its view, and its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.view import RESAMPLINGS, View

# What transformers takes where a file does not say it: as OpenAI's CLIP.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_SIDE, _BICUBIC = 224, RESAMPLINGS.index("bicubic")
_FACTOR = 1 / 255
# By Pillow or torchvision; the last one is in old files.
_TYPES = (
    *("CLIPImageProcessor", "CLIPImageProcessorPil", "CLIPImageProcessorFast"),
    "CLIPFeatureExtractor",
)
# Steps that CLIP's processor does not take by itself.
_FURTHER = ("do_pad", "use_square_size", "default_to_square")


class Processor(NamedTuple):
    """The settings of transformers' CLIPImageProcessor, and the file at `path` that they are from.

    They are empty where a model has no such file.
    """

    values: Mapping = {}
    path: Path = Path()

    def own_view(self, size: int) -> View:
        """The view of pictures whose shorter side is resampled and whose centre is cut out.

        What the file does not say is as in OpenAI's CLIP. `size` is the side of the model's input
        in pixels.

        Raises:
            PaperclipError: the file describes something else, such as squeezing pictures to a
                square.
        """
        values, usual = self.values, _SIDE if self.values else size
        short = _shorter_side(values.get("size", usual))
        cut = _square(values.get("crop_size", usual))
        resample = values.get("resample", _BICUBIC)
        steps = all(values.get(f"do_{step}", True) is True for step in ("resize", "center_crop"))
        steps = steps and not any(values.get(step) for step in _FURTHER)
        is_filter = type(resample) is int and resample in range(len(RESAMPLINGS))
        if not (steps and is_filter and cut == size and short is not None and short >= size):
            raise PaperclipError(
                f"{self.path} does not resample the shorter side of a picture and cut out its "
                f"central {size} x {size} pixels, as CLIP does",
                "write how pictures are seen into paperclip.json, such as "
                '{"view": {"kind": "whole"}}',
            )
        return View(kind="clip", crop=size / short, size=size, resample=RESAMPLINGS[resample])

    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of the three channels, of pixels between 0 and 1.

        They also hold what the file says about rescaling: without it, for example, the processor
        subtracts its mean from pixels up to 255.

        Raises:
            PaperclipError: the file has other values, or is of another kind of processor.
        """
        self._check_type()
        mean, std = self._mean_and_std()
        factor = self._factor() if self._switch("do_rescale") else 1.0
        if math.isclose(factor, _FACTOR, rel_tol=1e-6):
            return mean, std  # to the last digit
        share = 255 * factor
        return tuple(m / share for m in mean), tuple(s / share for s in std)

    def _mean_and_std(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if not self._switch("do_normalize"):
            return (0.0,) * 3, (1.0,) * 3
        mean, std = _channels(self.values, "image_mean"), _channels(self.values, "image_std")
        if mean is None or std is None or min(std) <= 0:
            raise self._bad("image_mean and image_std are not three numbers each")
        return mean, std

    def _factor(self) -> float:
        factor = self.values.get("rescale_factor", _FACTOR)
        if not _is_number(factor) or factor <= 0:
            raise self._bad(f"rescale_factor is {factor!r}, not a positive number")
        return float(factor)

    def _switch(self, name: str) -> bool:
        """The value of a switch. A null turns it off, in transformers 4 and 5."""
        value = self.values.get(name, True)
        if type(value) is not bool and value is not None:
            raise self._bad(f"{name} is {value!r}, neither true nor false")
        return value is True

    def _check_type(self) -> None:
        kind = self.values.get("image_processor_type") or self.values.get("feature_extractor_type")
        if kind is not None and kind not in _TYPES:
            raise PaperclipError(
                f"{self.path} is of a {str(kind)[:60]!r}, not of CLIP's processor",
                f"only {_TYPES[0]} is known here",
            )

    def _bad(self, what: str) -> PaperclipError:
        return PaperclipError(f"{self.path}: {what}", "download the file again")


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


def _channels(values: Mapping, name: str) -> tuple[float, ...] | None:
    """The three numbers of that name, or one for all channels; None for anything else."""
    found = values.get(name, CLIP_MEAN if name == "image_mean" else CLIP_STD)
    found = [found] * 3 if _is_number(found) else found
    if not isinstance(found, list | tuple) or len(found) != 3 or not all(map(_is_number, found)):
        return None
    return tuple(map(float, found))


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
