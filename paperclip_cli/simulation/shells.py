"""Transparent shells of gas: planetary nebulae and supernova remnants."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paperclip_cli.simulation.drawing import (
    Grid,
    Image,
    Random,
    Scene,
    Stars,
    bell,
    disc,
    power_law,
    star,
    step,
    turbulence,
)
from paperclip_cli.simulation.instruments import Band

COARSE = 104  # columns and rows of the coarse picture
RAYS = 64  # samples along each line of sight
HALF = 1.2  # half the side of the box, in radii


def planetary(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A planetary nebula: nested shells about a hot star.

    Kind `round`, `elliptical` or `bipolar` (two lobes and a waist).
    """
    tilt, turn = random.uniform(0.1, 1.0), random.uniform(0, np.pi)
    waist, pinch = random.uniform(0.18, 0.34), random.uniform(1.2, 2.4)
    oval = 1.0 if kind == "round" else random.uniform(0.55, 0.85)
    width, inner = random.uniform(0.03, 0.07), random.uniform(0.45, 0.65)
    rim, halo = random.uniform(0.2, 1.0), random.uniform(0.0, 0.25)
    clumps, wisps = turbulence(random, grid, 3.0, 0.15), turbulence(random, grid, 4.0, 0.5)

    def surface(mu: Image) -> Image:
        if kind == "bipolar":
            return waist + (1 - waist) * mu**pinch
        return 1 / np.sqrt(mu * mu + (1 - mu * mu) / (oval * oval))

    light = _placed(grid, seen_through(surface, width, tilt), turn)
    if kind != "bipolar":
        inside = seen_through(lambda mu: inner * surface(mu), 0.6 * width, tilt)
        light = 0.6 * light + rim * _placed(grid, inside, turn)
    r = np.hypot(grid.x, grid.y)
    light *= np.exp(0.12 * clumps + 0.3 * wisps)
    outer = 0.3 * halo * bell((r - 1.25) / 0.12) * np.exp(0.5 * wisps)
    light += outer + 0.06 * np.exp(-((r / 1.1) ** 4))

    # Knots at both ends of the axis, thrown out by fast jets.
    ends = np.repeat([1.05 * np.cos(tilt), -1.05 * np.cos(tilt)], 4)
    ansae = Stars(
        random.normal(0, 0.05, 8), ends + random.normal(0, 0.05, 8), random.uniform(0.2, 1.0, 8)
    ).turned(turn)
    return Scene(light * band.line, ansae + star(10 ** random.uniform(0.5, 1.5) * band.weight(0.8)))


def remnant(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A supernova remnant: a ragged shell of filaments where the blast wave runs into clouds.

    Kind `young` is full of knots of ejecta.
    """
    warps = [turbulence(random, grid, 5.5, 0.7) for _ in range(3)]
    strength = turbulence(random, grid, 3.4, 0.6)
    sheets = [turbulence(random, grid, 5.0, 0.4) for _ in range(2)]
    thin, opening = random.uniform(0.05, 0.09), random.uniform(0.2, 1.0)
    gap_turn = random.uniform(0, 2 * np.pi)

    along, across = grid.turned(random.uniform(0, np.pi))
    r = np.hypot(along, across / random.uniform(0.75, 1.0))
    light = grid.zeros()
    for warp, size in zip(warps, random.uniform(0.82, 1.0, 3).tolist(), strict=True):
        # A thin transparent shell is a sharp line where the line of sight grazes it, and fades
        # inwards.
        depth = size - r * (1 + 0.055 * warp)
        rim = np.exp(-np.clip(depth, 0, None) / 0.07) * step(depth / 0.008)
        light += rim + 0.08 * step(depth / 0.02)

    filaments = sum(np.exp(-np.abs(sheet) / thin) for sheet in sheets)
    sides = 1 + opening * np.cos(np.arctan2(across, along) - gap_turn)
    sides = sides * np.exp(0.45 * strength) * band.line
    light = (0.55 * light + 0.45 * filaments * step((0.95 - r) / 0.05)) * sides
    if kind == "old":
        return Scene(light)

    light += 0.5 * np.exp(-((r / 0.6) ** 4)) * filaments * np.exp(0.3 * strength) * band.line
    x, y = disc(random, 60, 0.6)
    return Scene(light, Stars(x, y, power_law(random, 60, 1.6, 0.1, 1.5) * band.line))


def seen_through(surface: Callable[[Image], Image], width: float, tilt: float) -> Image:
    """Light summed along lines of sight through a shell of revolution, 1 at its brightest.

    float32 [COARSE, COARSE]; rows are y upwards. `surface` gives the shell's radius as a function
    of mu = |cos(polar angle)|. `tilt` turns its axis out of the plane of the sky.
    """
    across = np.linspace(-HALF, HALF, COARSE, dtype=np.float32)
    depth = np.linspace(-HALF, HALF, RAYS, dtype=np.float32)
    y, x, z = across[:, None, None], across[None, :, None], depth[None, None, :]
    axis = float(np.cos(tilt)) * y + float(np.sin(tilt)) * z
    r = np.sqrt(x * x + y * y + z * z) + 1e-3
    radius = surface(np.abs(axis) / r)
    light = (bell((r - radius) / width) / (0.2 + radius)).sum(axis=2)
    return light / light.max()


def _placed(grid: Grid, image: Image, turn: float) -> Image:
    """Resample a coarse picture, turned by `turn`, onto the frame; bilinear. float32 [H, W]."""
    x, y = grid.turned(turn)
    scale = (COARSE - 1) / (2 * HALF)
    column = np.clip((x + HALF) * scale, 0, COARSE - 1.001)
    row = np.clip((y + HALF) * scale, 0, COARSE - 1.001)
    left, top = column.astype(np.int32), row.astype(np.int32)
    right, down = column - left, row - top

    flat, start = image.ravel(), top * COARSE + left
    upper = flat[start] * (1 - right) + flat[start + 1] * right
    lower = flat[start + COARSE] * (1 - right) + flat[start + COARSE + 1] * right
    return (upper * (1 - down) + lower * down).astype(np.float32)
