"""What of a frame a model sees, without the picture libraries: a text query reads a model folder and no image."""

from __future__ import annotations

from dataclasses import dataclass

from paperclip_cli.config.choices import ViewKind, values_of
from paperclip_cli.errors import PaperclipError

VIEW_KINDS = values_of(ViewKind)
FILLS = ("none", "sky")


@dataclass(frozen=True, kw_only=True)
class View:
    """What of a frame a model sees.

    `centre` is the central square of `crop` times the canvas's side, `whole` the canvas itself; either is resampled to `size` pixels,
    the model's input side. `pad` is the grey level of what lies outside the picture. `fill` says what becomes of the pixels without data,
    which are white and reach the border: `none` leaves them, `sky` paints them with the median of the others, so that what a model sees
    is not the outline of the detectors.
    """

    kind: ViewKind = "centre"
    crop: float = 0.4375
    size: int = 224
    pad: int = 255
    fill: str = "none"

    def __post_init__(self) -> None:
        if self.kind not in VIEW_KINDS:
            raise PaperclipError(f"a view is {' or '.join(VIEW_KINDS)}, not {self.kind!r}")
        if self.fill not in FILLS:
            raise PaperclipError(f"a view's fill is {' or '.join(FILLS)}, not {self.fill!r}")
        if not 0 < self.crop <= 1:
            raise PaperclipError(f"a view's crop is {self.crop}, not a fraction between 0 and 1")

    @property
    def store_side(self) -> int:
        """Side in pixels of the resampled canvas from which a view is cut."""
        return round(self.size / self.crop) if self.kind == "centre" else self.size
