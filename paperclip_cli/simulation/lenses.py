"""Strong gravitational lenses: a singular isothermal ellipsoid with shear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paperclip_cli.simulation.drawing import Grid, Image, Random, Scene, bell, sersic
from paperclip_cli.simulation.instruments import Band

FINE = 2  # sub-pixels per pixel, along each axis, for tracing the source
EINSTEIN = 0.5  # the Einstein radius, in radii of the object
REACH = 1.2  # in radii of the object: nothing lensed is bright farther out


@dataclass(frozen=True, kw_only=True)
class Mass:
    """A singular isothermal ellipsoid.

    `einstein` is its Einstein radius on the intermediate axis, `turn` the angle of its major axis.
    """

    einstein: float
    axis_ratio: float
    turn: float
    shear: float = 0.0
    shear_turn: float = 0.0

    def source(self, x: Image, y: Image) -> tuple[Image, Image]:
        """The origin in the source plane of the ray seen at (x, y)."""
        along, across = self.deflection(x, y)
        g1 = self.shear * float(np.cos(2 * self.shear_turn))
        g2 = self.shear * float(np.sin(2 * self.shear_turn))
        return x - along - g1 * x - g2 * y, y - across - g2 * x + g1 * y

    def deflection(self, x: Image, y: Image) -> tuple[Image, Image]:
        """Deflection without the shear.

        Kormann, Schneider & Bartelmann (1994), in the form of Keeton (2001), eqs 33-34.
        """
        q, c, s = self.axis_ratio, float(np.cos(self.turn)), float(np.sin(self.turn))
        u, v = c * x + s * y, c * y - s * x
        flat = (1 - q * q) ** 0.5
        psi = np.sqrt(q * q * u * u + v * v) + 1e-6

        strength = self.einstein * q**0.5 / flat
        du = strength * np.arctan(flat * u / psi)
        dv = strength * np.arctanh(np.clip(flat * v / psi, -0.999999, 0.999999))
        return c * du - s * dv, s * du + c * dv


@dataclass(frozen=True, kw_only=True)
class Source:
    """The source behind the lens: a disk galaxy with knots of stars, or (`point`) a quasar."""

    x: float
    y: float
    size: float
    flattening: float
    turn: float
    knots: tuple[tuple[float, float], ...]
    point: bool

    def brightness(self, x: Image, y: Image) -> Image:
        """Surface brightness at positions in the source plane."""
        dx, dy = x - self.x, y - self.y
        c, s = float(np.cos(self.turn)), float(np.sin(self.turn))
        r = np.hypot(c * dx + s * dy, (c * dy - s * dx) / self.flattening)
        disk = sersic(r / self.size + 0.05, 1.0)
        if self.point:
            return 7.0 * bell(r / 0.012) + 0.12 * disk
        return 0.6 * disk + 0.8 * sum(
            bell(np.hypot(dx - kx, dy - ky) / 0.02) for kx, ky in self.knots
        )


def lens(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A massive elliptical that lenses a galaxy (kind `ring` or `arc`) or a quasar (`quad`)."""
    mass = Mass(
        einstein=EINSTEIN,
        axis_ratio=random.uniform(0.62, 0.9),
        turn=random.uniform(0, np.pi),
        shear=random.uniform(0, 0.08),
        shear_turn=random.uniform(0, np.pi),
    )
    offset = EINSTEIN * _source_offset(random, kind, mass.axis_ratio)
    direction, size = random.uniform(0, 2 * np.pi), random.uniform(0.05, 0.11)
    source = Source(
        x=offset * float(np.cos(direction)),
        y=offset * float(np.sin(direction)),
        size=size,
        flattening=random.uniform(0.45, 1.0),
        turn=random.uniform(0, np.pi),
        knots=tuple(map(tuple, random.normal(0, 0.6 * size, (3, 2)).tolist())),
        point=kind == "quad",
    )
    brightness, lens_light = random.uniform(0.5, 1.3), random.uniform(0.06, 0.14)

    light = brightness * band.weight(0.6) * _traced(grid, mass, source)
    along, across = grid.turned(mass.turn)
    r = np.hypot(along * mass.axis_ratio**0.5, across / mass.axis_ratio**0.5) + 0.4 * grid.pixel
    return Scene(light + lens_light * band.weight(-0.7) * sersic(r / 0.28, 4.0))


def _source_offset(random: Random, kind: str, axis_ratio: float) -> float:
    """The distance of the source from the axis, in Einstein radii.

    It is inside the diamond caustic for rings and quads, farther out for arcs.
    """
    caustic = 0.7 * (1 - axis_ratio) / axis_ratio**0.5
    low, high = {
        "ring": (0.0, 0.3 * caustic),
        "quad": (0.25 * caustic, 0.75 * caustic),
        "arc": (0.25, 0.55),
    }[kind]
    return random.uniform(low, high)


def _traced(grid: Grid, mass: Mass, source: Source) -> Image:
    """The lensed source on the frame, float32 [H, W], by tracing sub-pixels to the source plane."""
    columns = _clipped(grid.columns(np.array([-REACH, REACH])), grid.shape[1])
    rows = _clipped(grid.rows(np.array([REACH, -REACH])), grid.shape[0])
    x = ((_sub_pixels(columns) - grid.centre[0]) / grid.radius).astype(np.float32)
    y = ((grid.centre[1] - _sub_pixels(rows)) / grid.radius).astype(np.float32)
    seen = source.brightness(*mass.source(x[None, :], y[:, None]))

    light = grid.zeros()
    height, width = rows.stop - rows.start, columns.stop - columns.start
    light[rows, columns] = seen.reshape(height, FINE, width, FINE).mean(axis=(1, 3))
    return light


def _sub_pixels(pixels: slice) -> np.ndarray:
    """Positions of the sub-pixels of a run of pixels, `FINE` in each."""
    steps = (np.arange(FINE) - (FINE - 1) / 2) / FINE
    return (np.arange(pixels.start, pixels.stop)[:, None] + steps).ravel()


def _clipped(ends: np.ndarray, size: int) -> slice:
    low, high = np.clip(np.rint(ends).astype(int), 0, size)
    return slice(int(low), int(high))
