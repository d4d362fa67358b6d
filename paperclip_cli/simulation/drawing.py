"""Drawing tools of the painters: a grid centred on the target, profiles, turbulence, points, lines.

Lengths are in units of the object's radius and angles in radians, so that painters need no pixels.
Light is in units of a typical bright feature of the object. A star of flux 1 peaks at 1 once the
telescope has spread it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np

Image: TypeAlias = np.ndarray
Random: TypeAlias = np.random.Generator

# Turbulence is made on a periodic tile of fixed size, so that it does not depend on the frame's
# shape. A cell of the tile is two pixels wide; the telescope would smooth out finer detail anyway.
TILE, CELL = 256, 2


@dataclass(frozen=True)
class Grid:
    """The pixels of a frame in coordinates of its target.

    `shape` is (H, W), `centre` is (x, y) in pixels, `radius` is the object's, in pixels.
    """

    shape: tuple[int, int]
    centre: tuple[float, float]
    radius: float

    @cached_property
    def x(self) -> Image:
        """float32 [1, W], in radii; broadcasts against `y`."""
        columns = np.arange(self.shape[1], dtype=np.float32)
        return ((columns - self.centre[0]) / self.radius)[None, :].astype(np.float32)

    @cached_property
    def y(self) -> Image:
        """float32 [H, 1], in radii, upwards."""
        rows = np.arange(self.shape[0], dtype=np.float32)
        return ((self.centre[1] - rows) / self.radius)[:, None].astype(np.float32)

    @property
    def pixel(self) -> float:
        """The side of a pixel in radii."""
        return 1.0 / self.radius

    def turned(self, angle: float) -> tuple[Image, Image]:
        """Coordinates float32 [H, W] along and across an axis at `angle` from the x axis."""
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return c * self.x + s * self.y, c * self.y - s * self.x

    def zeros(self) -> Image:
        return np.zeros(self.shape, np.float32)

    def columns(self, x: np.ndarray) -> np.ndarray:
        """Pixel column of an x in radii."""
        return np.asarray(x) * self.radius + self.centre[0]

    def rows(self, y: np.ndarray) -> np.ndarray:
        """Pixel row of a y in radii."""
        return self.centre[1] - np.asarray(y) * self.radius


@dataclass(frozen=True)
class Stars:
    """Point sources: x, y in radii and flux, float [N] each."""

    x: np.ndarray = field(default_factory=lambda: np.zeros(0))
    y: np.ndarray = field(default_factory=lambda: np.zeros(0))
    flux: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def turned(self, angle: float) -> Stars:
        """The same stars with their x axis turned to `angle`."""
        c, s = np.cos(angle), np.sin(angle)
        return Stars(c * self.x - s * self.y, s * self.x + c * self.y, self.flux)

    def __add__(self, other: Stars) -> Stars:
        return Stars(
            np.concatenate([self.x, other.x]),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.flux, other.flux]),
        )


@dataclass(frozen=True)
class Scene:
    """A painter's result: diffuse light float32 [H, W] and the stars in it."""

    light: Image
    stars: Stars = field(default_factory=Stars)


def star(flux: float, x: float = 0.0, y: float = 0.0) -> Stars:
    """A single point source."""
    return Stars(np.array([x]), np.array([y]), np.array([flux]))


def bell(t: Image) -> Image:
    """A Gaussian of width 1 and height 1."""
    return np.exp(-0.5 * t * t)


def sersic(r: Image, n: float) -> Image:
    """Sersic (1963) profile of index `n`, 1 at r = 1, the effective radius.

    b_n after Ciotti & Bertin (1999), eq. 18.
    """
    b = 2 * n - 1 / 3 + 4 / (405 * n) + 46 / (25515 * n**2)
    return np.exp(-b * (np.power(r, 1 / n) - 1))


@dataclass(frozen=True)
class Turbulence:
    """A periodic Gaussian random field of mean 0 and variance 1, fixed to the target.

    `cells` is float32 [TILE, TILE].
    """

    cells: Image

    def on(self, grid: Grid) -> Image:
        """The field on a frame, float32 [H, W], linear between cells."""
        values = self.cells
        for axis, centre in enumerate(reversed(grid.centre)):  # rows, then columns
            cell, odd = np.divmod(np.arange(grid.shape[axis]) - round(centre), CELL)
            near = np.take(values, cell % TILE, axis)
            following = np.take(values, (cell + odd) % TILE, axis)
            values = np.float32(0.5) * (near + following)
        return values

    def at(self, grid: Grid, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The nearest cell's value at places given in radii, on the frame or off it."""
        scale = grid.radius / CELL
        columns, rows = np.rint(x * scale).astype(np.int32), np.rint(-y * scale).astype(np.int32)
        return self.cells[rows % TILE, columns % TILE]


def turbulence(random: Random, grid: Grid, slope: float = 3.0, largest: float = 1.0) -> Image:
    """Turbulence on a frame, float32 [H, W].

    Its power falls as k^-slope below the scale `largest` (in radii) and is flat above it.
    """
    return draw_turbulence(random, grid.radius, slope, largest).on(grid)


def draw_turbulence(random: Random, radius: float, slope: float, largest: float) -> Turbulence:
    """Turbulence that is not yet laid on a frame; `radius` is the object's, in pixels."""
    k = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :]).astype(np.float32)
    floor = CELL / max(largest * radius, 8.0)
    amplitude = (k * k + floor * floor) ** (-slope / 4)
    amplitude[0, 0] = 0
    white = random.standard_normal((2, *k.shape), dtype=np.float32)
    cells = np.fft.irfft2((white[0] + 1j * white[1]) * amplitude, s=(TILE, TILE)).astype(np.float32)
    return Turbulence(cells / cells.std())


def deposit(
    shape: tuple[int, int], columns: np.ndarray, rows: np.ndarray, weights: np.ndarray
) -> Image:
    """Add weights at fractional pixel positions; float32 [H, W].

    Each weight is shared among the four nearest pixels. Positions outside the frame are dropped.
    """
    left, top = np.floor(columns).astype(np.int64), np.floor(rows).astype(np.int64)
    inside = (left >= 0) & (top >= 0) & (left < shape[1] - 1) & (top < shape[0] - 1)
    left, top = left[inside], top[inside]
    right, down, weights = columns[inside] - left, rows[inside] - top, weights[inside]

    start = top * shape[1] + left
    index = np.concatenate([start, start + 1, start + shape[1], start + shape[1] + 1])
    share = np.concatenate(
        [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down]
    )
    total = np.bincount(index, np.tile(weights, 4) * share, shape[0] * shape[1])
    return total.reshape(shape).astype(np.float32)


def strokes(
    shape: tuple[int, int],
    columns: np.ndarray,
    rows: np.ndarray,
    length: np.ndarray,
    angle: np.ndarray,
    weights: np.ndarray,
) -> Image:
    """Draw straight lines of `length` pixels from the given pixels; float32 [H, W].

    `weights` is the light per pixel of length.
    """
    counts = np.maximum(np.ceil(length / 0.7), 1).astype(np.int64)  # points at most 0.7 pixel apart
    line = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    along = (np.arange(len(line)) - first[line]) / counts[line] * length[line]
    return deposit(
        shape,
        columns[line] + along * np.cos(angle)[line],
        rows[line] - along * np.sin(angle)[line],
        (weights * np.maximum(length, 1) / counts)[line],
    )


def blurred(image: Image, sigma: float) -> Image:
    """Gaussian blur of `sigma` pixels; the picture is dark beyond its edges."""
    reach = max(int(np.ceil(3 * sigma)), 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    kernel /= kernel.sum()

    for _ in range(2):
        # Down the columns, then the same on the transposed picture.
        padded, size = np.pad(image, ((reach, reach), (0, 0))), image.shape[0]
        total = np.zeros_like(image)
        for i, weight in enumerate(kernel):
            total += weight * padded[i : i + size]
        image = np.ascontiguousarray(total.T)
    return image


def step(t: Image) -> Image:
    """The logistic function: a soft step from 0 to 1 about t = 0."""
    return 1 / (1 + np.exp(-np.clip(t, -40, 40)))


def power_law(random: Random, count: int, slope: float, least: float, most: float) -> np.ndarray:
    """Draw from dN/df ~ f^-slope between two limits: the bright end of a luminosity function."""
    a, b, p = least ** (1 - slope), most ** (1 - slope), random.random(count)
    return (a + p * (b - a)) ** (1 / (1 - slope))


def disc(random: Random, count: int, radius: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Positions drawn uniformly over a disc."""
    r, angle = radius * np.sqrt(random.random(count)), random.uniform(0, 2 * np.pi, count)
    return r * np.cos(angle), r * np.sin(angle)
