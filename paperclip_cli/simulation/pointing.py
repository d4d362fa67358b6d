"""The pointing of a frame: roll, dithers, place of the target on the detector, and coverage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from paperclip_cli.simulation.drawing import Grid, Image, Random
from paperclip_cli.simulation.instruments import Camera

CANVAS = 512  # the longest side of a frame in pixels
BLIND_SPOT = (-47.0, -34.0, 3.0)  # u, v and radius in arcsec of the infrared channel's dead pixels
OFF_CENTRE = 0.15  # a target this far from the middle is off-centre, as a share of the longest side


@dataclass(frozen=True)
class Pointing:
    """The pointing of a camera.

    `roll` is in radians, anticlockwise. `dithers` (arcsec) holds one offset per exposure. `aim` is
    the target's place on the detector (arcsec).
    """

    camera: Camera
    roll: float
    dithers: tuple[tuple[float, float], ...]
    aim: tuple[float, float]

    @cached_property
    def turn(self) -> np.ndarray:
        """Matrix [2, 2] from detector u, v to the picture's x (right) and y (up), arcsec."""
        c, s = np.cos(self.roll), np.sin(self.roll)
        return np.array([[c, -s], [s, c]]) @ np.array([[1.0, self.camera.shear], [0.0, 1.0]])

    @cached_property
    def extent(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower left and upper right corner (arcsec from the aperture) of the area covered."""
        outline, steps = np.array(self.camera.outline), np.array(self.dithers)
        corners = (outline[:, None, :] + steps[None]).reshape(-1, 2) @ self.turn.T
        return corners.min(axis=0), corners.max(axis=0)

    @property
    def scale(self) -> float:
        """Pixels per arcsec."""
        low, high = self.extent
        return float(CANVAS / (high - low).max())

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W); the longer side is `CANVAS`."""
        low, high = self.extent
        width, height = np.rint((high - low) * self.scale).astype(int)
        return int(height), int(width)

    def place(self, u: float, v: float) -> tuple[float, float]:
        """Column and row of a place on the detector."""
        low, high = self.extent
        x, y = self.turn @ np.array([u, v])
        return float((x - low[0]) * self.scale), float((high[1] - y) * self.scale)

    def grid(self, radius: float) -> Grid:
        """The pixels in coordinates of the target, for an object of `radius` pixels."""
        return Grid(self.shape, self.place(*self.aim), radius)

    @property
    def off_centre(self) -> bool:
        (column, row), (height, width) = self.place(*self.aim), self.shape
        return float(np.hypot(column - width / 2, row - height / 2)) > OFF_CENTRE * CANVAS

    def detector(self) -> tuple[Image, Image]:
        """Detector coordinates u and v (arcsec) of every pixel, float32 [H, W]."""
        height, width = self.shape
        low, high = self.extent
        back = np.linalg.inv(self.turn).astype(np.float32)
        x = ((np.arange(width) + 0.5) / self.scale + low[0]).astype(np.float32)[None, :]
        y = (high[1] - (np.arange(height) + 0.5) / self.scale).astype(np.float32)[:, None]
        return back[0, 0] * x + back[0, 1] * y, back[1, 0] * x + back[1, 1] * y

    def depth(self, u: Image, v: Image) -> np.ndarray:
        """Exposures of each pixel, uint8 [H, W]; 0 outside the footprint and in the gaps."""
        depth = np.zeros(self.shape, np.uint8)
        for du, dv in self.dithers:
            for chip in self.camera.chips:
                in_columns = (u > chip.left + du) & (u < chip.right + du)
                in_rows = (v > chip.bottom + dv) & (v < chip.top + dv)
                depth += in_columns & in_rows
            if self.camera.blind_spot:
                u0, v0, radius = BLIND_SPOT
                depth[(u - du - u0) ** 2 + (v - dv - v0) ** 2 < radius**2] = 0
        return depth


def draw_pointing(random: Random, camera: Camera) -> Pointing:
    """A random pointing of one to four exposures.

    Small dithers leave the gap between the chips, large ones fill it.
    """
    count = int(random.choice(4, p=(0.25, 0.3, 0.15, 0.3))) + 1
    step = float(random.choice([0.4, 3.0, 7.0], p=(0.5, 0.35, 0.15)))
    dithers = random.normal(0, step, (count, 2))
    return Pointing(
        camera,
        float(random.uniform(0, 2 * np.pi)),
        tuple((float(a), float(b)) for a, b in dithers),
        _draw_aim(random, camera),
    )


def _draw_aim(random: Random, camera: Camera) -> tuple[float, float]:
    """A place near one of the camera's aims, mostly the first; one in five anywhere on a chip."""
    others = len(camera.aims) - 1
    aim = camera.aims[int(random.choice(others + 1, p=[0.75] + [0.25 / others] * others))]
    jitter, stray = random.normal(0, 2, 2), random.random() < 0.2
    across, up = random.uniform(0.22, 0.78, 2)
    chip = camera.chips[int(random.integers(min(len(camera.chips), 3)))]
    if not stray:
        return float(aim[0] + jitter[0]), float(aim[1] + jitter[1])

    u = chip.left + across * (chip.right - chip.left)
    v = chip.bottom + up * (chip.top - chip.bottom)
    return float(u), float(v)
