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

DIRECTIONS, STRIDE = (
    1200,
    2.5,
)  # rays that leave the ionising star, and the step along each in pixels


def emission_nebula(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A star eats into a turbulent cloud: gas shines where its light is absorbed, and pillars stand in the shadow of dense clumps.

    Kind `pillars` has the star outside the cloud's edge, `cavity` inside a bubble.
    """
    away, direction = (
        (random.uniform(1.2, 1.9) if kind == "pillars" else random.uniform(0.0, 0.3)),
        random.uniform(0, 2 * np.pi),
    )
    x, y = away * float(np.cos(direction)), away * float(np.sin(direction))
    roughness, opacity, clearing = (
        random.uniform(1.8, 2.4),
        random.uniform(1.5, 3.0),
        random.uniform(0.5, 0.9),
    )
    clumps, haze = (
        draw_turbulence(random, grid.radius, 4.0, 0.35),
        draw_turbulence(random, grid.radius, 3.6, 1.6),
    )
    wall, softness = (away - 0.1, 0.25) if kind == "pillars" else (clearing, 0.12)

    def density(clump: Image, mist: Image, distance: Image) -> Image:
        cloud = np.exp(roughness * (clump - 1) + 0.4 * mist) * step((distance - wall) / softness)
        return cloud + 1.5 * step((distance - wall - 0.8) / 0.2)

    def along_rays(ray_x: Image, ray_y: Image, distance: Image) -> Image:
        return density(clumps.at(grid, ray_x, ray_y), haze.at(grid, ray_x, ray_y), distance)

    distance, mist = np.hypot(grid.x - x, grid.y - y), haze.on(grid)
    lit = np.exp(-opacity * _column_to_star(grid, x, y, along_rays))
    dilution = 1 / (0.4 + (distance / max(away, 0.8)) ** 2)
    fronts, veil = (
        np.tanh(density(clumps.on(grid), mist, distance) * lit),
        0.35 * np.exp(0.45 * mist),
    )
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

    Kind `edge-on`: a dark disk between two lobes of scattered light, and a jet; `outflow`: a long jet that ends in bow shocks;
    `proplyds`: disks that evaporate in the light of a massive star.
    """
    return {"edge-on": _edge_on_disk, "outflow": _outflow, "proplyds": _proplyds}[kind](
        random, grid, band
    )


def _edge_on_disk(random: Random, grid: Grid, band: Band) -> Scene:
    turn, flare, opening = (
        random.uniform(0, np.pi),
        random.uniform(0.25, 0.5),
        random.uniform(0.4, 0.6),
    )
    lane, tilt = random.uniform(0.05, 0.09), random.uniform(0.35, 0.9)
    wisps = turbulence(random, grid, 3.0, 0.3)
    along, across = grid.turned(turn)
    surface = lane + flare * np.abs(across) ** 1.4
    lobes = (
        np.exp(-np.hypot(along, 0.8 * across) / (0.5 * opening))
        * step((np.abs(along) - surface) / 0.02)
        * np.exp(0.3 * wisps)
    )
    light = 4.0 * band.weight(-0.4) * lobes * np.where(along > 0, np.float32(1), np.float32(tilt))
    return Scene(light + _jet(random, grid, turn, 1.6, 0.012) * band.line)


def _outflow(random: Random, grid: Grid, band: Band) -> Scene:
    turn, cloud, clumps = (
        random.uniform(0, np.pi),
        turbulence(random, grid, 3.4, 0.8),
        turbulence(random, grid, 2.6, 0.15),
    )
    reach, size = random.uniform(0.85, 1.15, 2).tolist(), random.uniform(0.1, 0.2, 2).tolist()
    along, across = grid.turned(turn)
    light = 0.8 * _jet(random, grid, turn, 1.0, 0.014)
    for side, end, width in zip((1, -1), reach, size, strict=True):
        tip = end - along * side
        # A bow shock is close to a paraboloid: bright at its apex, fading down its wings.
        light += (
            1.1
            * bell((tip - across**2 / width) / 0.025)
            * np.exp(-np.clip(tip, 0, None) / 0.08)
            * np.exp(0.6 * clumps)
        )
    r = np.hypot(along, across)
    cavity = np.exp(-r / 0.22) * np.exp(-((np.arctan2(np.abs(across), np.abs(along)) / 0.5) ** 2))
    light += 0.9 * cavity + 0.05 * np.exp(0.6 * cloud) * np.exp(-((r / 1.2) ** 2))
    return Scene(light * band.line, star(3.0))


def _proplyds(random: Random, grid: Grid, band: Band) -> Scene:
    away, direction, count = (
        random.uniform(0.9, 1.4),
        random.uniform(0, 2 * np.pi),
        int(random.integers(3, 7)),
    )
    x0, y0 = away * float(np.cos(direction)), away * float(np.sin(direction))
    light = (
        0.1
        * np.exp(0.35 * turbulence(random, grid, 3.6, 1.2))
        * np.exp(-((grid.x - x0) ** 2 + (grid.y - y0) ** 2) / 4)
    )
    places, sizes = random.uniform(-0.75, 0.75, (count, 2)), random.uniform(0.05, 0.1, count)
    dark = (random.random(count) < 0.35).tolist()
    places[0], sizes[0] = random.normal(0, 0.08, 2), random.uniform(0.12, 0.17)
    for (x, y), size, silhouette in zip(places.tolist(), sizes.tolist(), dark, strict=True):
        outward = float(np.arctan2(y - y0, x - x0))
        c, s = float(np.cos(outward)), float(np.sin(outward))
        along, across = (
            (c * (grid.x - x) + s * (grid.y - y)) / size,
            (c * (grid.y - y) - s * (grid.x - x)) / size,
        )
        if silhouette:
            light = light * (
                1 - 0.85 * np.exp(-(((along / 0.55) ** 2 + (across / 0.22) ** 2) ** 2))
            )
        # The side that faces the star is a bright arc; behind it the evaporated gas trails off in a tail.
        head = bell((np.hypot(along, across) - 0.5) / 0.14) * step(-6 * along)
        width = 0.12 + 0.1 * np.clip(1.8 - along, 0, 2)
        tail = (
            np.exp(-np.abs(across) / width)
            * np.exp(-np.clip(along, 0, None) / 1.3)
            * step(8 * along)
        )
        light = light + (1.3 * head + 0.9 * tail) * band.line
    return Scene(
        light,
        Stars(places[:, 0], places[:, 1], random.uniform(0.5, 3.0, count)) + star(40.0, x0, y0),
    )


def _jet(random: Random, grid: Grid, turn: float, length: float, width: float) -> Image:
    """A knotty jet and its fainter counter-jet along the axis at `turn`."""
    count = int(random.integers(9, 18))
    places, strengths = (
        random.uniform(0.08, length, count).tolist(),
        random.uniform(0.3, 1.2, count).tolist(),
    )
    counter, wiggle, phase = (
        random.uniform(0.2, 0.9),
        random.uniform(0.005, 0.03),
        random.uniform(0, 2 * np.pi),
    )
    along, across = grid.turned(turn)
    extent = np.abs(along)
    profile = bell((across - wiggle * np.sin(7 * along + phase) * extent) / (width + 0.02 * extent))
    beam = 0.25 * np.exp(-extent / (0.6 * length))
    for place, strength in zip(places, strengths, strict=True):
        beam += strength * float(np.exp(-place / length)) * bell((extent - place) / 0.018)
    return (
        np.where(along > 0, np.float32(1), np.float32(counter))
        * profile
        * beam
        * (extent < length * 1.05)
    )


def _column_to_star(
    grid: Grid, x: float, y: float, density: Callable[[Image, Image, Image], Image]
) -> Image:
    """Column density between each pixel and the star at (x, y), float32 [H, W]: summed along rays on a polar grid and read back.

    `density` is a function of place and of distance from the star; the cloud does not end where the frame does.
    """
    dx, dy = grid.x - x, grid.y - y
    distance = np.hypot(dx, dy)
    shell = STRIDE * grid.pixel
    angles = np.linspace(-np.pi, np.pi, DIRECTIONS, endpoint=False, dtype=np.float32)[:, None]
    radii = ((np.arange(int(distance.max() / shell) + 1, dtype=np.float32) + 0.5) * shell)[None, :]
    along = density(x + radii * np.cos(angles), y + radii * np.sin(angles), radii)
    summed = np.cumsum(along, axis=1, dtype=np.float32) * shell
    ring = (distance / shell).astype(np.int32)
    ray = (
        np.rint((np.arctan2(dy, dx) + np.pi) * (DIRECTIONS / (2 * np.pi))).astype(np.int32)
        % DIRECTIONS
    )
    return summed[ray, ring]
