"""Gas lit by young stars: emission nebulae with pillars, protoplanetary disks and jets."""

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
    draw_turbulence,
    power_law,
    star,
    step,
    turbulence,
)
from paperclip_cli.simulation.instruments import Band

DIRECTIONS = 1200  # rays from the ionising star
STRIDE = 2.5  # the step along a ray in pixels


def emission_nebula(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A turbulent cloud eroded by a star.

    Gas shines where the star's light is absorbed, and pillars stand in the shadow of dense clumps.
    In the kind `pillars` the star is outside the cloud's edge, in `cavity` inside a bubble.
    """
    away = random.uniform(1.2, 1.9) if kind == "pillars" else random.uniform(0.0, 0.3)
    direction, roughness = random.uniform(0, 2 * np.pi), random.uniform(1.8, 2.4)
    x, y = away * float(np.cos(direction)), away * float(np.sin(direction))
    opacity, clearing = random.uniform(1.5, 3.0), random.uniform(0.5, 0.9)
    clumps = draw_turbulence(random, grid.radius, 4.0, 0.35)
    haze = draw_turbulence(random, grid.radius, 3.6, 1.6)
    wall, softness = (away - 0.1, 0.25) if kind == "pillars" else (clearing, 0.12)

    def density(clump: Image, mist: Image, distance: Image) -> Image:
        cloud = np.exp(roughness * (clump - 1) + 0.4 * mist) * step((distance - wall) / softness)
        return cloud + 1.5 * step((distance - wall - 0.8) / 0.2)

    def along_rays(ray_x: Image, ray_y: Image, distance: Image) -> Image:
        return density(clumps.at(grid, ray_x, ray_y), haze.at(grid, ray_x, ray_y), distance)

    distance, mist = np.hypot(grid.x - x, grid.y - y), haze.on(grid)
    lit = np.exp(-opacity * _column_to_star(grid, x, y, along_rays))
    dilution = 1 / (0.4 + (distance / max(away, 0.8)) ** 2)
    fronts = np.tanh(density(clumps.on(grid), mist, distance) * lit)
    veil = 0.35 * np.exp(0.45 * mist)
    light = band.line * dilution * (1.1 * fronts + veil * (0.18 + 0.82 * lit))

    count = int(random.integers(10, 50))
    young = Stars(
        random.normal(x, 0.35, count),
        random.normal(y, 0.35, count),
        power_law(random, count, 1.5, 0.5, 30.0) * band.weight(0.8),
    )
    return Scene(light, young + star(40.0, x, y))


def young_star(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A star that is still forming.

    Kind `edge-on` is a dark disk between two lobes of scattered light, with a jet. `outflow` is a
    long jet that ends in bow shocks. `proplyds` are disks that evaporate in the light of a massive
    star.
    """
    painters = {"edge-on": _edge_on_disk, "outflow": _outflow, "proplyds": _proplyds}
    return painters[kind](random, grid, band)


def _edge_on_disk(random: Random, grid: Grid, band: Band) -> Scene:
    turn, flare = random.uniform(0, np.pi), random.uniform(0.25, 0.5)
    opening, lane = random.uniform(0.4, 0.6), random.uniform(0.05, 0.09)
    tilt = random.uniform(0.35, 0.9)
    wisps = turbulence(random, grid, 3.0, 0.3)

    along, across = grid.turned(turn)
    surface = lane + flare * np.abs(across) ** 1.4
    fading = np.exp(-np.hypot(along, 0.8 * across) / (0.5 * opening))
    lobes = fading * step((np.abs(along) - surface) / 0.02) * np.exp(0.3 * wisps)
    light = 4.0 * band.weight(-0.4) * lobes * np.where(along > 0, np.float32(1), np.float32(tilt))
    return Scene(light + _jet(random, grid, turn, 1.6, 0.012) * band.line)


def _outflow(random: Random, grid: Grid, band: Band) -> Scene:
    turn = random.uniform(0, np.pi)
    cloud, clumps = turbulence(random, grid, 3.4, 0.8), turbulence(random, grid, 2.6, 0.15)
    reach, size = random.uniform(0.85, 1.15, 2).tolist(), random.uniform(0.1, 0.2, 2).tolist()

    along, across = grid.turned(turn)
    light = 0.8 * _jet(random, grid, turn, 1.0, 0.014)
    for side, end, width in zip((1, -1), reach, size, strict=True):
        tip = end - along * side
        # A bow shock is close to a paraboloid: bright at its apex, fading down its wings.
        bow = bell((tip - across**2 / width) / 0.025)
        light += 1.1 * bow * np.exp(-np.clip(tip, 0, None) / 0.08) * np.exp(0.6 * clumps)

    r = np.hypot(along, across)
    cavity = np.exp(-r / 0.22) * np.exp(-((np.arctan2(np.abs(across), np.abs(along)) / 0.5) ** 2))
    light += 0.9 * cavity + 0.05 * np.exp(0.6 * cloud) * np.exp(-((r / 1.2) ** 2))
    return Scene(light * band.line, star(3.0))


def _proplyds(random: Random, grid: Grid, band: Band) -> Scene:
    away, direction = random.uniform(0.9, 1.4), random.uniform(0, 2 * np.pi)
    count = int(random.integers(3, 7))
    x0, y0 = away * float(np.cos(direction)), away * float(np.sin(direction))
    haze = 0.1 * np.exp(0.35 * turbulence(random, grid, 3.6, 1.2))
    light = haze * np.exp(-((grid.x - x0) ** 2 + (grid.y - y0) ** 2) / 4)

    places, sizes = random.uniform(-0.75, 0.75, (count, 2)), random.uniform(0.05, 0.1, count)
    dark = (random.random(count) < 0.35).tolist()
    places[0], sizes[0] = random.normal(0, 0.08, 2), random.uniform(0.12, 0.17)
    for (x, y), size, silhouette in zip(places.tolist(), sizes.tolist(), dark, strict=True):
        outward = float(np.arctan2(y - y0, x - x0))
        c, s = float(np.cos(outward)), float(np.sin(outward))
        along = (c * (grid.x - x) + s * (grid.y - y)) / size
        across = (c * (grid.y - y) - s * (grid.x - x)) / size
        if silhouette:
            disk = np.exp(-(((along / 0.55) ** 2 + (across / 0.22) ** 2) ** 2))
            light = light * (1 - 0.85 * disk)
        light = light + _evaporating(along, across) * band.line

    disk_stars = Stars(places[:, 0], places[:, 1], random.uniform(0.5, 3.0, count))
    return Scene(light, disk_stars + star(40.0, x0, y0))


def _evaporating(along: Image, across: Image) -> Image:
    """A bright arc on the side that faces the massive star, and a tail of evaporated gas behind."""
    head = bell((np.hypot(along, across) - 0.5) / 0.14) * step(-6 * along)
    width = 0.12 + 0.1 * np.clip(1.8 - along, 0, 2)
    tail = np.exp(-np.abs(across) / width) * np.exp(-np.clip(along, 0, None) / 1.3)
    return 1.3 * head + 0.9 * (tail * step(8 * along))


def _jet(random: Random, grid: Grid, turn: float, length: float, width: float) -> Image:
    """A knotty jet and its fainter counter-jet along the axis at `turn`."""
    count = int(random.integers(9, 18))
    places = random.uniform(0.08, length, count).tolist()
    strengths = random.uniform(0.3, 1.2, count).tolist()
    counter, wiggle = random.uniform(0.2, 0.9), random.uniform(0.005, 0.03)
    phase = random.uniform(0, 2 * np.pi)

    along, across = grid.turned(turn)
    extent = np.abs(along)
    profile = bell((across - wiggle * np.sin(7 * along + phase) * extent) / (width + 0.02 * extent))
    beam = 0.25 * np.exp(-extent / (0.6 * length))
    for place, strength in zip(places, strengths, strict=True):
        beam += strength * float(np.exp(-place / length)) * bell((extent - place) / 0.018)

    sides = np.where(along > 0, np.float32(1), np.float32(counter))
    return sides * profile * beam * (extent < length * 1.05)


def _column_to_star(
    grid: Grid, x: float, y: float, density: Callable[[Image, Image, Image], Image]
) -> Image:
    """Column density between each pixel and the star at (x, y), float32 [H, W].

    It is summed along rays on a polar grid and read back at the pixels. `density` is a function of
    x, y and the distance from the star; the cloud extends beyond the frame.
    """
    dx, dy = grid.x - x, grid.y - y
    distance = np.hypot(dx, dy)

    shell = STRIDE * grid.pixel
    angles = np.linspace(-np.pi, np.pi, DIRECTIONS, endpoint=False, dtype=np.float32)[:, None]
    radii = ((np.arange(int(distance.max() / shell) + 1, dtype=np.float32) + 0.5) * shell)[None, :]
    along = density(x + radii * np.cos(angles), y + radii * np.sin(angles), radii)
    summed = np.cumsum(along, axis=1, dtype=np.float32) * shell

    ring = (distance / shell).astype(np.int32)
    turns = (np.arctan2(dy, dx) + np.pi) * (DIRECTIONS / (2 * np.pi))
    ray = np.rint(turns).astype(np.int32) % DIRECTIONS
    return summed[ray, ring]
