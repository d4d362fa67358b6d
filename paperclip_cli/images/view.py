"""The part of a frame that a model sees.

This module imports no picture library: a text query reads a model folder and no image.
"""

from __future__ import annotations

from dataclasses import dataclass

from paperclip_cli.config.choices import SeenKind, values_of
from paperclip_cli.errors import PaperclipError

VIEW_KINDS = values_of(SeenKind)
FILLS = ("none", "sky")
RESAMPLINGS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # Pillow's numbers


@dataclass(frozen=True, kw_only=True)
class View:
    """The part of a frame that a model sees.

    `kind` `centre` is the central square with `crop` times the canvas's side, `whole` the canvas
    itself. Either is resampled to `size` pixels, the side of the model's input. `clip` knows no
    canvas: it is the picture's central square with `crop` times its shorter side, as CLIP's own
    processor makes it, and `resample` is the filter for that. `pad` is the grey level outside the
    picture. `fill` treats the pixels without data, which are white and connected to the border:
    `none` leaves them, and `sky` paints them with the median of the others, so that a model does
    not see the outline of the detectors.
    """

    kind: SeenKind = "centre"
    crop: float = 0.4375
    size: int = 224
    pad: int = 255
    fill: str = "none"
    resample: str = "bicubic"

    def __post_init__(self) -> None:
        if self.kind not in VIEW_KINDS:
            raise PaperclipError(f"a view is {' or '.join(VIEW_KINDS)}, not {self.kind!r}")
        if self.fill not in FILLS:
            raise PaperclipError(f"a view's fill is {' or '.join(FILLS)}, not {self.fill!r}")
        if self.resample not in RESAMPLINGS:
            raise PaperclipError(
                f"a view's resample is {' or '.join(RESAMPLINGS)}, not {self.resample!r}"
            )
        if not 0 < self.crop <= 1:
            raise PaperclipError(f"a view's crop is {self.crop}, not a fraction between 0 and 1")

    @property
    def store_side(self) -> int:
        """The side in pixels of the resampled canvas from which a view is cut.

        For the kind `clip` it is the shorter side of the resampled picture.
        """
        return self.size if self.kind == "whole" else round(self.size / self.crop)

    def __str__(self) -> str:
        """The part in words: `the central 0.438 of the padded frame's side`."""
        if self.kind == "clip":
            share = "" if self.crop == 1 else f"{self.crop:.3g} of the "
            return f"the central square of {share}the picture's shorter side"
        if self.kind == "whole":
            return "the whole padded frame"
        return f"the central {self.crop:.3g} of the padded frame's side"
