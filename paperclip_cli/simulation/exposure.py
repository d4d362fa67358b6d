"""The exposure that turns a scene into a picture.

Point spread function, noise, artefacts, failures and the archive's stretch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paperclip_cli.simulation.drawing import Grid, Image, Random, Stars, deposit, strokes
from paperclip_cli.simulation.pointing import Pointing

WHITE = 255
REACH = 64  # radius of the point spread function in pixels
PADDED = 576  # side of the Fourier transforms: canvas and reach, so that no wing wraps around


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The conditions of an exposure.

    Brightness is in units of the noise of a pixel that every exposure covers.
    `signal`: brightness of a typical bright feature of the object.
    `seeing`: width (sigma, pixels) of the core.
    `zero`, `bend`: the stretch's range below the sky (a fraction), and where asinh turns from
    linear to logarithmic.
    `failure`: "", "trailed" (guide star lost), "closed" (shutter) or "stray" (light of the bright
    Earth).
    """

    signal: float
    seeing: float
    spikes: float
    zero: float
    bend: float
    gradient: float
    satellite: bool
    failure: str


def draw_conditions(random: Random, signal: float) -> Conditions:
    """Random conditions that depend on the target's brightness alone."""
    grey = random.random() < 0.4
    failure = str(random.choice(["", "trailed", "closed", "stray"], p=(0.975, 0.012, 0.005, 0.008)))
    return Conditions(
        signal=signal,
        seeing=float(random.uniform(0.6, 0.9)),
        spikes=float(random.uniform(0.5, 1.5)),
        zero=float(random.uniform(0.02, 0.05) if grey else random.uniform(0.0, 0.012)),
        bend=float(10 ** random.uniform(-1.4, -0.8)),
        gradient=float(random.exponential(0.4)),
        satellite=bool(random.random() < 0.03),
        failure=failure,
    )


def spread_function(seeing: float, spikes: float, angle: float, reach: int = REACH) -> Image:
    """Point spread function float32 [2 reach + 1, 2 reach + 1], 1 at its peak.

    A Gaussian core, a halo after Moffat (1969), and four diffraction spikes, the first at `angle`.
    """
    axis = np.arange(-reach, reach + 1, dtype=np.float32)
    x, y = axis[None, :], -axis[:, None]
    r = np.hypot(x, y)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x

    spread = np.exp(-0.5 * (r / seeing) ** 2) + 0.03 * (1 + (r / 1.5) ** 2) ** -1.5
    for a, b in ((along, across), (across, along)):
        spread += 0.02 * spikes * np.exp(-0.5 * (b / 0.6) ** 2) * (1 + np.abs(a) / 8) ** -2.0

    taper = np.clip((reach - r) / (0.3 * reach), 0, 1)
    return (spread * taper / spread.max()).astype(np.float32)


def trail_function(random: Random, reach: int = REACH) -> Image:
    """The image of a point when the guide star is lost: a wavering streak, 1 at its peak."""
    angle, steps = random.uniform(0, np.pi), 400
    along = np.linspace(-0.95, 0.95, steps) * reach * random.uniform(0.4, 1.0)
    across = np.cumsum(random.normal(0, 0.08, steps))
    across -= across.mean()
    streak = deposit(
        (2 * reach + 1, 2 * reach + 1),
        reach + along * np.cos(angle) - across * np.sin(angle),
        reach - along * np.sin(angle) - across * np.cos(angle),
        random.uniform(0.5, 1.5, steps),
    )
    return streak / streak.max()


def spread(light: Image, stars: Image, function: Image) -> Image:
    """Convolve diffuse light and points (flux per pixel) with the point spread function.

    A point of flux f peaks at f; diffuse light keeps its surface brightness.
    """
    height, width = light.shape
    reach = function.shape[0] // 2
    scene = np.zeros((PADDED, PADDED), np.float32)
    scene[:height, :width] = light / function.sum() + stars
    kernel = np.zeros((PADDED, PADDED), np.float32)
    kernel[: 2 * reach + 1, : 2 * reach + 1] = function
    kernel = np.roll(kernel, (-reach, -reach), (0, 1))

    # NumPy keeps float32 in single precision, eight times as fast, only where it has to scale the
    # result: hence "ortho".
    spectrum = np.fft.rfft2(scene, norm="ortho") * np.fft.rfft2(kernel, norm="ortho")
    spread = np.fft.irfft2(spectrum, s=scene.shape, norm="ortho")
    return spread[:height, :width] * np.float32(PADDED)


def add_noise(
    random: Random, image: Image, depth: np.ndarray, gradient: float, u: Image, v: Image
) -> Image:
    """Add sky and photon noise, the offsets of the four amplifiers and a background gradient.

    Noise is lower where more exposures overlap.
    """
    times = np.float32(depth.max()) / np.maximum(depth, 1).astype(np.float32)
    sigma = np.sqrt(times * (1 + np.float32(0.03) * np.maximum(image, 0)))
    noise = sigma * random.standard_normal(image.shape, dtype=np.float32)

    low_left, right, up, both = random.normal(0, 0.15, 4).tolist()
    low_right, high_left = low_left + right, low_left + up
    four = np.asarray([low_left, low_right, high_left, low_left + right + up + both], np.float32)
    is_right = u > 0
    lower, upper = np.where(is_right, four[1], four[0]), np.where(is_right, four[3], four[2])
    offsets = np.where(v > 0, upper, lower)

    angle = random.uniform(0, 2 * np.pi)
    slope = gradient / 80 * (float(np.cos(angle)) * u + float(np.sin(angle)) * v)
    return image + noise + offsets + slope


def cosmic_rays(random: Random, depth: np.ndarray) -> Image:
    """Cosmic rays, only where a single exposure covers a pixel and no other can reject them."""
    height, width = depth.shape
    count = int(random.poisson(random.uniform(0.3, 1.5) * 6e-4 * height * width))
    columns, rows = random.uniform(0, width - 1, count), random.uniform(0, height - 1, count)
    hits = strokes(
        depth.shape,
        columns,
        rows,
        0.5 + random.exponential(2.0, count),
        random.uniform(0, 2 * np.pi, count),
        10 ** random.uniform(1.2, 2.6, count),
    )
    return np.where(depth == 1, hits, 0)


def bleeding(
    grid: Grid, stars: Stars, signal: float, pointing: Pointing, full_well: float = 6000.0
) -> Image:
    """Charge that bleeds along the detector's columns from the six brightest saturated stars."""
    flux = stars.flux * signal
    bright = np.argsort(flux)[-6:]
    bright = bright[flux[bright] > full_well]
    length = np.minimum(6 * (flux[bright] / full_well) ** 0.6, 110)

    across, up = pointing.turn @ np.array([0.0, 1.0])
    angle = np.full(len(bright), np.arctan2(up, across))
    start_column = grid.columns(stars.x[bright]) - 0.5 * length * np.cos(angle)
    start_row = grid.rows(stars.y[bright]) + 0.5 * length * np.sin(angle)
    return strokes(
        grid.shape, start_column, start_row, length, angle, np.full(len(bright), full_well)
    )


def satellite_trail(random: Random, shape: tuple[int, int]) -> Image:
    """The trail of a satellite that crossed the field: a straight band two or three pixels wide."""
    angle = random.uniform(0, 2 * np.pi)
    column, row = random.uniform(0.2, 0.8, 2) * (shape[1], shape[0])
    shifts = np.arange(-1.0, 1.1, 0.7) * random.uniform(0.6, 1.6)
    reach = 1.5 * max(shape)
    start = (
        column - 0.5 * reach * np.cos(angle) - shifts * np.sin(angle),
        row + 0.5 * reach * np.sin(angle) - shifts * np.cos(angle),
    )
    count = len(shifts)
    return strokes(
        shape,
        *start,
        np.full(count, reach),
        np.full(count, angle),
        np.full(count, random.uniform(3, 12)),
    )


def stretched(image: Image, covered: np.ndarray, zero: float, bend: float) -> np.ndarray:
    """Stretch an exposure to a grey picture, uint8 [H, W].

    An asinh from a little below the sky to the 99.5th percentile; white where nothing is covered.
    """
    top = max(float(np.percentile(image[covered][::7], 99.5)), 40.0)
    zero = max(zero, 2.5 / top)
    value = np.clip((image / top + zero) / (1 + zero), 0, 1)
    grey = np.arcsinh(value / bend) / np.arcsinh(1 / bend)
    # Pure white is reserved for pixels that no exposure covers.
    return np.where(covered, np.rint(grey * (WHITE - 1)), WHITE).astype(np.uint8)


def sky_grey(zero: float, bend: float) -> int:
    """The grey that `stretched` gives to an empty sky without noise."""
    value = zero / (1 + zero)
    return int(np.rint(np.arcsinh(value / bend) / np.arcsinh(1 / bend) * (WHITE - 1)))
