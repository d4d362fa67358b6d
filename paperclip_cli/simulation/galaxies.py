"""Single galaxies: spirals, ellipticals, edge-on disks, dwarf irregulars.

A painter takes a random stream, a grid, the kind of object and the band, and returns a Scene. It
draws its parameters from the stream in an order that does not depend on the grid, so that the same
stream paints the same galaxy in another filter or orientation.
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
    power_law,
    sersic,
    turbulence,
)
from paperclip_cli.simulation.instruments import Band


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Logarithmic spiral arms that begin at the radius `inner`.

    `pitch` is the tangent of the pitch angle; `hand` is +1 or -1.
    """

    count: int
    pitch: float
    inner: float
    phase: float
    hand: float

    def wave(self, along: Image, across: Image, r: Image) -> Image:
        """Phase of the density wave, a multiple of 2 pi on a crest."""
        azimuth = np.arctan2(across, along) * self.hand
        return self.count * (azimuth - np.log(r / self.inner) / self.pitch) + self.phase

    def crests(self, r: np.ndarray, arm: np.ndarray) -> np.ndarray:
        """Azimuth of the crest of the given arm (0, 1, ...) at radius r."""
        winding = np.log(r / self.inner) / self.pitch
        return self.hand * (winding + (2 * np.pi * arm - self.phase) / self.count)


def spiral(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A disk with logarithmic arms, dust on their inner edges, knots of young stars and a bulge.

    Kind `barred` adds a bar; `flocculent` has more and patchier arms.
    """
    flocculent = kind == "flocculent"
    tilt, turn = float(np.cos(np.radians(random.uniform(0, 62)))), random.uniform(0, np.pi)
    arms = _draw_arms(random, flocculent)
    scale, contrast = random.uniform(0.26, 0.36), random.uniform(1.5, 3.5)
    sharpness, bulge = random.uniform(1.5, 4.0), random.uniform(0.5, 4.0)
    size, index = random.uniform(0.05, 0.11), random.uniform(1.5, 4.0)
    bar_length, bar_width = random.uniform(0.2, 0.34), random.uniform(0.05, 0.08)
    clumps, waves = turbulence(random, grid, 2.2, 0.12), turbulence(random, grid, 3.5, 0.7)

    along, across = grid.turned(turn)
    across = across / tilt
    r = np.hypot(along, across) + 1e-4
    wave = arms.wave(along, across, r) + waves * (0.7 if flocculent else 0.35)
    begin = bar_length if kind == "barred" else arms.inner
    reach = _smooth_step((r - 0.8 * begin) / 0.12) * np.exp(-((r / 1.05) ** 6))
    crest = np.exp(sharpness * (np.cos(wave) - 1)) * reach
    lane = np.exp(2 * sharpness * (np.cos(wave + 0.9) - 1)) * reach  # dust leads the crest

    patchy = np.exp(0.55 * clumps - 0.15)
    disk = 1.3 * np.exp(-r / scale) * np.exp(-((r / 1.25) ** 8))
    young = disk * (0.15 + contrast * (0.5 if flocculent else 1.0) * crest * patchy)
    light = young * band.weight(0.8) + disk * 0.45 * band.weight(-0.4)
    light *= 1 - 0.55 * np.clip(lane * patchy, 0, 1) * band.extinction
    round_r = np.hypot(along, across * (0.5 + 0.5 * tilt)) / size
    light += 0.15 * bulge * band.weight(-0.7) * sersic(round_r + 0.02, index)
    if kind == "barred":
        bar = _bar(along, across, arms.phase / arms.count * arms.hand, bar_length, bar_width)
        light += bar * band.weight(-0.6)
    return Scene(light, _knots(random, arms, scale, tilt, band).turned(turn))


def elliptical(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A Sersic spheroid of high index with its system of globular clusters.

    Kind `shells` adds the sharp edges of an old merger.
    """
    index, flattening = random.uniform(3.2, 6.5), random.uniform(0.55, 1.0)
    turn, size = random.uniform(0, np.pi), random.uniform(0.35, 0.7)
    edges, sides = random.uniform(0.3, 1.3, 6).tolist(), random.choice((-1.0, 1.0), 6).tolist()
    widths = random.uniform(0.5, 0.9, 6).tolist()

    along, across = grid.turned(turn)
    r = np.hypot(along, across / flattening) + 1e-4
    light = 0.35 * band.weight(-0.5) * sersic(np.hypot(r, 0.01) / size, index)
    if kind == "shells":
        for edge, side, width in zip(edges, sides, widths, strict=True):
            cap = np.clip(along * side / r - width, 0, 1) / (1 - width)
            inward = np.exp(-np.clip(edge - r, 0, None) / 0.1)
            light += 0.35 / (0.4 + edge) * light * cap * inward * _smooth_step((edge - r) * 60)

    count = int(random.integers(40, 160))
    distance, angle = random.exponential(0.55, count), random.uniform(0, 2 * np.pi, count)
    flux = power_law(random, count, 1.9, 0.05, 0.7)
    return Scene(light, Stars(distance * np.cos(angle), distance * np.sin(angle), flux))


def edge_on(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A disk seen edge-on, cut by a lane of dust, with a round or boxy bulge.

    Its profile is exponential along the disk and sech^2 across it.
    """
    turn, thickness = random.uniform(0, np.pi), random.uniform(0.025, 0.05)
    scale, depth = random.uniform(0.26, 0.36), random.uniform(1.5, 4.0)
    bulge, size = random.uniform(0.15, 1.0), random.uniform(0.1, 0.2)
    boxy, warp, offset = random.uniform(2.0, 3.2), random.normal(0, 0.04), random.normal(0, 0.008)
    fuzz, ragged = turbulence(random, grid, 2.4, 0.15), turbulence(random, grid, 3.0, 0.3)

    along, across = grid.turned(turn)
    extent, height = np.abs(along), across - warp * along * np.abs(along)
    disk = 1.6 * np.exp(-extent / scale) * np.exp(-((extent / 1.05) ** 8))
    disk = disk / np.cosh(np.clip(height / thickness, -30, 30)) ** 2
    halo = 0.12 * np.exp(-np.hypot(along, height * 2.2) / 0.3)
    boxy_r = ((extent / size) ** boxy + (np.abs(height) / (0.75 * size)) ** boxy) ** (1 / boxy)
    core = 0.3 * bulge * sersic(boxy_r + 0.03, 1.8)

    lane = bell((height - offset + 0.25 * thickness * ragged) / (0.38 * thickness))
    lane = lane * np.exp(-((extent / 0.85) ** 4)) * np.exp(0.5 * fuzz)
    opacity = np.exp(-depth * lane * band.weight(0.5))
    light = disk * opacity * np.exp(0.25 * fuzz) * band.weight(0.2) + halo * band.weight(-0.5)
    # A quarter of the bulge lies in front of the dust.
    light += core * (0.25 + 0.75 * opacity) * band.weight(-0.6)

    count = int(random.integers(30, 80))
    knots = Stars(
        random.normal(0, 0.45, count),
        random.normal(0, 1.2 * thickness, count),
        power_law(random, count, 1.8, 0.05, 0.8) * band.weight(0.8),
    )
    return Scene(light, knots.turned(turn))


def dwarf(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A small ragged galaxy that resolves into stars.

    It has a faint body, patches of star formation away from its centre and bubbles of gas.
    """
    turn, flattening = random.uniform(0, np.pi), random.uniform(0.4, 0.8)
    count = int(random.integers(700, 2200))
    patches = turbulence(random, grid, 2.8, 0.35)
    centres = random.normal(0, 0.33, (7, 2)) * (1.0, flattening)
    sizes, strengths = random.uniform(0.05, 0.16, 7), random.exponential(0.6, 7).tolist()

    along, across = grid.turned(turn)
    r = np.hypot(along, across / flattening)
    gas = grid.zeros()
    for (x, y), size, strength in zip(centres.tolist(), sizes.tolist(), strengths, strict=True):
        d = np.hypot(along - x, across - y) / size
        is_bubble = kind == "starburst" or strength > 0.8
        gas += strength * (bell((d - 1) / 0.25) if is_bubble else bell(d))
    body = 0.35 * np.exp(-((r / 0.55) ** 1.6)) * band.weight(0.1)
    light = np.exp(0.6 * patches) * (body + 0.4 * gas * np.exp(-((r / 0.9) ** 4)) * band.line)

    old = Stars(
        random.normal(0, 0.42, count),
        random.normal(0, 0.42 * flattening, count),
        power_law(random, count, 2.0, 0.04, 0.8) * band.weight(-0.5),
    )
    group = random.integers(0, 7, count // 4)
    x, y = (centres[group] + random.normal(0, 0.7, (len(group), 2)) * sizes[group, None]).T
    young = Stars(x, y, power_law(random, len(group), 1.7, 0.08, 2.5) * band.weight(0.9))
    return Scene(light, (old + young).turned(turn))


def _draw_arms(random: Random, flocculent: bool) -> Arms:
    return Arms(
        count=int(random.integers(4, 7) if flocculent else random.choice((2, 2, 2, 3, 4))),
        pitch=float(np.tan(np.radians(random.uniform(12, 26)))),
        inner=random.uniform(0.16, 0.26),
        phase=random.uniform(0, 2 * np.pi),
        hand=float(random.choice((-1.0, 1.0))),
    )


def _bar(along: Image, across: Image, angle: float, length: float, width: float) -> Image:
    c, s = float(np.cos(angle)), float(np.sin(angle))
    x, y = c * along + s * across, c * across - s * along
    return 1.1 * np.exp(-(np.abs(x / length) ** 2.5 + (y / width) ** 2))


def _knots(random: Random, arms: Arms, scale: float, tilt: float, band: Band) -> Stars:
    """Clusters and HII regions strung along the arms' crests."""
    count = int(random.integers(60, 200))
    r = arms.inner + random.gamma(2.0, scale * 0.6, count)
    azimuth = arms.crests(r, random.integers(0, arms.count, count)) + random.normal(0, 0.12, count)
    flux = power_law(random, count, 1.8, 0.06, 1.0) * band.weight(0.9) * np.exp(-((r / 1.05) ** 6))
    return Stars(r * np.cos(azimuth), r * np.sin(azimuth) * tilt, flux)


def _smooth_step(t: Image) -> Image:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
