"""Stretches from counts to grey levels: the one of the archive's own previews, and zscale."""

from __future__ import annotations

import numpy as np

from paperclip_cli.config.choices import Stretch, values_of
from paperclip_cli.errors import BadItem

PREVIEW, ZSCALE = STRETCHES = values_of(Stretch)
PERCENT = 99.5
NONLINEARITY = 3.0
WHITE = 0.7  # the stretched value that is shown white
BLANK = 255
SAMPLE = 2**22  # at most this many pixels, evenly spaced, give the percentiles


def stretched(values: np.ndarray, stretch: str, zero_is_blank: bool | None = None) -> np.ndarray:
    """Stretch numbers [H, W] to uint8 [H, W] by one of STRETCHES.

    Pixels without a value become white: NaN, infinity and, with `zero_is_blank`, exactly 0, which
    drizzling leaves outside the field. `zero_is_blank` defaults to true for floating-point images.

    Raises:
        BadItem: no pixel has a value, or all pixels have the same one.
    """
    blank = ~np.isfinite(values)
    if values.dtype.kind == "f" if zero_is_blank is None else zero_is_blank:
        blank |= values == 0
    valued = values[~blank]
    if not valued.size:
        raise BadItem("no pixel has a value")

    sample = valued[:: -(-valued.size // SAMPLE)]
    low, high = _preview_limits(sample) if stretch == PREVIEW else _zscale_limits(sample)
    if high == low:  # a few sources on a constant background
        high = float(valued.max())
    if not high > low:
        raise BadItem("all pixels have the same value")

    with np.errstate(over="ignore"):  # hostile values may overflow to infinity, which is white
        t = (np.where(blank, low, values) - low).astype(np.float32)
        t *= (NONLINEARITY if stretch == PREVIEW else 1) / (high - low)
        shown = np.arcsinh(t, out=t) if stretch == PREVIEW else t
        shown *= 255 / (WHITE * NONLINEARITY) if stretch == PREVIEW else 255
        levels = np.clip(shown, 0, 255, out=shown).astype(np.uint8)
    levels[blank] = BLANK
    return levels


def preview_stretch(values: np.ndarray) -> np.ndarray:
    """Stretch numbers [H, W] to uint8 [H, W] as HST's archive does for its previews.

    The recipe is `fitscut --autoscale=99.5 --asinh-scale` (fitscut 1.4). Low and high are the 0.5
    and 99.5 percentiles of the pixels that have a value; high is at least median + 5 (median -
    low), so that pure noise stays dark. A value v becomes 255 / 0.7 * asinh(3 t) / 3 with t = (v -
    low) / (high - low), clipped to 0 and 255. If low and high coincide, high is the maximum. Pixels
    without a value are white (see `stretched`).
    """
    return stretched(values, PREVIEW)


def _preview_limits(sample: np.ndarray) -> tuple[float, float]:
    low, median, high = np.percentile(sample, (100 - PERCENT, 50, PERCENT)).tolist()
    return low, max(high, median + 5 * (median - low))


def _zscale_limits(sample: np.ndarray) -> tuple[float, float]:
    """IRAF's zscale, DS9's limits too: a line fitted to the sorted values, outliers rejected."""
    from astropy.visualization import ZScaleInterval

    low, high = ZScaleInterval().get_limits(sample.astype(np.float64))
    return float(low), float(high)
