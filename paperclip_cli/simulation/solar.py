"""The solar system: planets with bands or rings, and comets.

The telescope follows them, so that the stars behind are trailed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paperclip_cli.simulation.drawing import (
    Grid,
    Image,
    Random,
    Scene,
    Stars,
    bell,
    star,
    step,
    turbulence,
)
from paperclip_cli.simulation.instruments import Band

DISK = 0.55  # a planet's radius in units of the grid's: its rings and moons need the rest
# Inner and outer edge in planetary radii, brightness.
RINGS = ((1.25, 1.52, 0.55), (1.53, 1.95, 1.2), (2.03, 2.27, 0.8))
FLATTENING = {"banded": 0.935, "ringed": 0.91}


def planet(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A planet's disk, darkened towards its limb.

    Kind `banded`, `ringed`, `icy` (smooth, with a few bright clouds), `rocky` or `crescent`.
    """
    pole, tilt = random.normal(0.5 * np.pi, 0.5), random.uniform(0.15, 0.45)
    radius = DISK * (0.75 if kind == "ringed" else 1.0)
    phase = random.uniform(1.5, 2.2) if kind == "crescent" else random.uniform(0.0, 0.35)
    lit = float(np.cos(phase))

    along, across = grid.turned(pole)  # along the axis of rotation, and across it
    latitude, longitude = along / (radius * FLATTENING.get(kind, 0.985)), across / radius
    edge = np.hypot(latitude, longitude)
    cosine = np.sqrt(np.clip(1 - edge * edge, 0, 1))
    disk = np.clip((1 - edge) * radius * grid.radius + 0.5, 0, 1)
    terminator = np.clip((lit * cosine + (1 - lit * lit) ** 0.5 * longitude) * 3.0, 0, 1)
    surface = _surface(random, grid, kind, latitude, longitude)
    light = 2.0 * disk * surface * (0.35 + 0.65 * cosine) * terminator
    if kind == "ringed":
        light = _with_rings(light, disk, along / radius, across / radius, tilt)

    count = int(random.integers(0, 5))
    sides, distance = random.choice((-1.0, 1.0), 8), random.uniform(1.3, 3.2, 8) * radius
    moons = Stars(
        random.normal(0, 0.04, 8)[:count],
        (distance * sides)[:count],
        random.uniform(1.0, 6.0, 8)[:count],
    )
    return Scene(light.astype(np.float32), moons.turned(pole))


@dataclass(frozen=True)
class Outgassing:
    """Gas and dust from a nucleus: the coma's `size`, the dust fan's `width`, `curve`, `length`."""

    size: float
    width: float
    curve: float
    length: float

    def light(self, along: Image, across: Image, pixel: float) -> Image:
        """Brightness about a nucleus at the origin, with the tail along the first axis.

        The coma falls off as 1/r.
        """
        r = np.hypot(along, across) + 0.5 * pixel
        coma = self.size / r * np.exp(-r / (6 * self.size))

        bent, behind = across - self.curve * along * np.abs(along), np.clip(along, 0, None)
        opening = 0.5 * self.size + self.width * behind
        fan = bell(bent / opening) * self.size / opening * np.exp(-behind / self.length)
        return 0.9 * coma + 1.3 * (fan * step(along / (0.3 * self.size)))


def comet(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A comet: a coma and a curved fan of dust.

    Kind `ion` adds a straight rayed tail; kind `fragments` is a broken comet.
    """
    turn, train = random.uniform(0, 2 * np.pi), random.uniform(0.9, 1.3)
    whole = Outgassing(
        size=random.uniform(0.05, 0.1),
        width=random.uniform(0.16, 0.35),
        curve=random.normal(0, 0.25),
        length=random.uniform(0.6, 1.1),
    )
    wisps = turbulence(random, grid, 3.2, 0.4)
    angles, strengths = random.normal(0.3, 0.07, 6), random.uniform(0.05, 0.2, 6)
    places, offsets = random.uniform(-0.7, 0.7, 9), random.normal(0, 0.015, 9)
    pieces = np.stack([places, offsets, random.uniform(0.25, 1.0, 9)], axis=1).tolist()

    along, across = grid.turned(turn)
    if kind == "fragments":
        part = Outgassing(0.35 * whole.size, 0.7 * whole.width, whole.curve, 0.35 * whole.length)
        light = grid.zeros()
        c, s = float(np.cos(train)), float(np.sin(train))
        for place, offset, strength in pieces:
            x, y = c * place - s * offset, s * place + c * offset
            light += strength * part.light(along - x, across - y, grid.pixel)
        return Scene(light)

    light = whole.light(along, across, grid.pixel) * np.exp(0.15 * wisps)
    if kind == "ion":
        azimuth, r = np.arctan2(across, along), np.hypot(along, across)
        for angle, strength in zip(angles.tolist(), strengths.tolist(), strict=True):
            light += strength * np.exp(-np.abs(azimuth - angle) / 0.02) * np.exp(-r / 1.3)
    return Scene(light, star(6.0))


def _surface(random: Random, grid: Grid, kind: str, latitude: Image, longitude: Image) -> Image:
    """Reflectivity of the disk, float32 [H, W] about 1."""
    swirls, spots = turbulence(random, grid, 2.8, 0.2), turbulence(random, grid, 3.8, 0.45)
    number, phase = random.uniform(6, 11), random.uniform(0, 2 * np.pi)
    contrast, x = random.uniform(0.15, 0.3), random.uniform(-0.5, 0.5)
    y = random.uniform(0.25, 0.45) * float(random.choice((-1.0, 1.0)))
    size = random.uniform(0.1, 0.18)
    clouds = random.uniform(-0.7, 0.7, (3, 2)).tolist()

    coarse = np.sin(number * latitude + phase + 0.25 * swirls)
    fine = np.sin(2.3 * number * latitude + 2 * phase + 0.3 * swirls)
    waves = coarse + 0.5 * fine
    if kind == "banded":
        distance = ((longitude - x) / (1.7 * size)) ** 2 + ((latitude - y) / size) ** 2
        return 1 + contrast * waves - 0.45 * np.exp(-(distance**2))
    if kind == "icy":
        bright = sum(
            np.exp(-(((longitude - a) / 0.2) ** 2 + ((latitude - b) / 0.06) ** 2))
            for a, b in clouds
        )
        return 0.8 + 0.08 * waves + 0.5 * bright
    if kind == "rocky":
        return 0.85 - 0.3 * step(3 * spots) + 0.7 * step((latitude - 0.82) / 0.02)
    return 1 + 0.4 * contrast * waves


def _with_rings(light: Image, disk: Image, along: Image, across: Image, tilt: float) -> Image:
    """Add rings about the equator, half in front of the disk, half behind; in planetary radii."""
    r = np.hypot(across, along / float(np.sin(tilt)))
    ring = sum(
        np.where((r > inner) & (r < outer), np.float32(brightness), 0)
        for inner, outer, brightness in RINGS
    )
    shadow = 1 - 0.6 * bell((along + 0.25) / 0.05) * disk
    before = np.where((ring > 0) & (along < 0), np.float32(0.35), 1)
    return light * shadow * before + ring * (1 + 0.08 * np.sin(60 * r)) * (1 - (along > 0) * disk)
