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
_EXTREME = 1e30  # beyond it, and below its inverse, 32-bit floats overflow

# Numbers that stand for no value: well-known ones need not be as far from the others.
SENTINELS = frozenset(
    (-99.0, -999.0, -9999.0, -99999.0, -32768.0, -32767.0, -2147483648.0, 32767.0, 65535.0)
)
FEW = 1 - PERCENT / 100  # the share of pixels that a percentile does not ignore
NEAR, FAR = 0.5, 10.0  # times the extent of the others
HUGE = 1e20
_MOST_SENTINELS = 4
SAMPLE = 2**22  # at most this many pixels, evenly spaced, give the percentiles


def stretched(values: np.ndarray, stretch: str, zero_is_blank: bool | None = None) -> np.ndarray:
    """Stretch numbers [H, W] to uint8 [H, W] by one of STRETCHES.

    Pixels without a value become white: NaN, infinity, a number that stands for no value (see
    `blanks_of`) and, with `zero_is_blank`, exactly 0, which drizzling leaves outside the field.
    `zero_is_blank` defaults to true for floating-point images.

    Raises:
        BadItem: no pixel has a value, or all pixels have the same one.
    """
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        values = values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)
    blank = ~np.isfinite(values)
    if values.dtype.kind == "f" if zero_is_blank is None else zero_is_blank:
        blank |= values == 0
    blank |= blanks_of(values, blank)
    valued = values[~blank]
    if not valued.size:
        raise BadItem("no pixel has a value")

    if (peak := max(abs(float(valued.min())), abs(float(valued.max())))) > _EXTREME:
        values = np.where(blank, 0, values) / np.float64(peak)  # or else differences overflow
        valued = values[~blank]
    sample = valued[:: -(-valued.size // SAMPLE)]
    low, high = _preview_limits(sample) if stretch == PREVIEW else _zscale_limits(sample)
    if high == low:  # a few sources on a constant background
        high = float(valued.max())
    if not high > low:
        raise BadItem("all pixels have the same value")

    gain = NONLINEARITY if stretch == PREVIEW else 1
    with np.errstate(over="ignore"):  # hostile values may overflow to infinity, which is white
        above = np.where(blank, low, values) - low
        if high - low > 1 / _EXTREME:
            t = above.astype(np.float32)
            t *= gain / (high - low)
        else:
            t = (above.astype(np.float64) / (high - low) * gain).astype(np.float32)
        shown = np.arcsinh(t, out=t) if stretch == PREVIEW else t
        shown *= 255 / (WHITE * NONLINEARITY) if stretch == PREVIEW else 255
        levels = np.clip(shown, 0, 255, out=shown).astype(np.uint8)
    levels[blank] = BLANK
    return levels


def blanks_of(values: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """Which numbers [H, W] stand for pixels without a value, where no header says so: bool [H, W].

    Programs write -9999, 1e30, the least number of a type and many others, and one of them would
    take up the whole range of grey. It is known by what it does: it is the least or the largest
    number, at least FEW of the pixels have exactly this one, and it is far from all the others,
    measured by their noise or range. Numbers beyond HUGE are none if the others are ordinary.
    `blank` marks pixels that have no value anyway.
    """
    found = np.zeros(values.shape, bool)
    is_float = values.dtype.kind == "f"
    for _ in range(_MOST_SENTINELS):
        valued = values[~(blank | found)] if is_float or found.any() else values.reshape(-1)
        if not valued.size:
            break
        least, most = float(valued.min()), float(valued.max())
        if max(-least, most) >= HUGE and not found.any():
            found |= _huge(values, blank, valued)
            if found.any():
                continue
        sample = valued[:: -(-valued.size // SAMPLE)]
        sentinel = next((v for v in (least, most) if _is_sentinel(v, sample)), None)
        if sentinel is None:
            break
        found |= values == sentinel
    return found


def _huge(values: np.ndarray, blank: np.ndarray, valued: np.ndarray) -> np.ndarray:
    """The pixels bool [H, W] with numbers beyond HUGE, if there are ordinary ones beside them."""
    sizes = np.abs(valued)
    others = sizes[sizes < HUGE]
    if others.size and others.max() < HUGE / 1e6:
        return (np.abs(np.where(blank, 0, values)) >= HUGE).astype(bool)
    return np.zeros(values.shape, bool)


def _is_sentinel(number: float, sample: np.ndarray) -> bool:
    """Whether a sample's least or largest number is repeated, and far from the others."""
    others = sample[sample != number]
    if not others.size or sample.size - others.size < FEW * sample.size:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        low, median, high = np.percentile(others, (100 - PERCENT, 50, PERCENT)).tolist()
    # Below the sky there is nothing but its noise, while sources reach far above it. Counts of 0
    # may be the sky of an image without any.
    is_below = number < low and number != 0
    extent = median - low if is_below and median > low else high - low
    gap = min(abs(float(others.min()) - number), abs(float(others.max()) - number))
    far = NEAR if number in SENTINELS else FAR
    return high > low and gap > far * extent


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
