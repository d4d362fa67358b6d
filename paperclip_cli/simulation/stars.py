"""Resolved stars: globular clusters, open clusters, crowded fields.

And the quasar, a point source that outshines its galaxy.
"""

from __future__ import annotations

import numpy as np

from paperclip_cli.simulation.drawing import (
    Grid,
    Random,
    Scene,
    Stars,
    bell,
    disc,
    power_law,
    sersic,
    star,
    turbulence,
)
from paperclip_cli.simulation.instruments import Band


def globular(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A globular cluster: stars with a King (1962) profile over the glow of unresolved ones."""
    dense = kind == "dense"
    core = random.uniform(0.03, 0.08) if dense else random.uniform(0.12, 0.3)
    tidal = random.uniform(1.7, 2.6)
    count = int(random.integers(3500, 9000) if dense else random.integers(1200, 4500))
    flattening, turn = random.uniform(0.88, 1.0), random.uniform(0, np.pi)

    distance, angle = king_radii(random, count, core, tidal), random.uniform(0, 2 * np.pi, count)
    x, y = distance * np.cos(angle), distance * np.sin(angle) * flattening
    members = Stars(x, y, power_law(random, count, 1.75, 0.03, 5.0))
    profile = king_profile(np.hypot(grid.x, grid.y), core, tidal)
    glow = (0.5 if dense else 0.18) * band.weight(-0.3) * profile
    return Scene(glow, members.turned(turn))


def king_profile(r: np.ndarray, core: float, tidal: float) -> np.ndarray:
    """Surface density of King (1962), eq. 14, 1 at the centre."""
    edge = 1 / (1 + (tidal / core) ** 2) ** 0.5
    inner = 1 / np.sqrt(1 + (np.minimum(r, tidal) / core) ** 2) - edge
    return (inner / (1 - edge)) ** 2


def king_radii(random: Random, count: int, core: float, tidal: float) -> np.ndarray:
    """Draw `count` distances from the centre that follow `king_profile`."""
    r = np.linspace(0, tidal, 800)
    enclosed = np.cumsum(king_profile(r, core, tidal) * r)
    return np.interp(random.random(count), enclosed / enclosed[-1], r)


def open_cluster(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A loose group of bright young stars with a sprinkling of fainter ones.

    Kind `embedded` still has some of its gas.
    """
    bright, faint = int(random.integers(12, 36)), int(random.integers(60, 220))
    spread = random.uniform(0.3, 0.5)
    gas = turbulence(random, grid, 3.8, 0.8)

    groups = random.normal(0, 0.25, (3, 2))
    centres = groups[random.integers(0, 3, bright + faint)].T
    x, y = centres + random.normal(0, spread, (2, bright + faint))
    bright_flux = power_law(random, bright, 1.4, 3.0, 40.0)
    faint_flux = power_law(random, faint, 1.6, 0.1, 3.0)
    flux = np.concatenate([bright_flux, faint_flux]) * band.weight(0.7)

    light = grid.zeros()
    if kind == "embedded":
        light += 0.12 * band.line * np.exp(-((np.hypot(grid.x, grid.y) / 0.9) ** 2) + 0.6 * gas)
    return Scene(light, Stars(x, y, flux))


def crowded_field(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A dense field of stars without a centre, as in the bulge or in a nearby galaxy.

    Kind `dusty` has dark clouds in front.
    """
    count, slope = int(random.integers(9000, 24000)), random.uniform(1.7, 2.0)
    clouds, mottle = turbulence(random, grid, 3.8, 1.2), turbulence(random, grid, 3.0, 2.0)

    x, y = random.uniform(-5.2, 5.2, (2, count))
    flux = power_law(random, count, slope, 0.05, 12.0)
    light = 0.04 * np.exp(0.15 * mottle)
    if kind == "dusty":
        opacity = np.exp(-1.8 * np.clip(clouds - 0.4, 0, None) * band.weight(0.4))
        light *= opacity
        columns, rows = np.rint(grid.columns(x)).astype(int), np.rint(grid.rows(y)).astype(int)
        columns, rows = np.clip(columns, 0, grid.shape[1] - 1), np.clip(rows, 0, grid.shape[0] - 1)
        flux = flux * opacity[rows, columns]
    return Scene(light, Stars(x, y, flux))


def quasar(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A saturated nucleus with diffraction spikes in a faint host.

    Kind `jet` adds a knotty jet, `companions` close neighbours.
    """
    nucleus, host = 10 ** random.uniform(2.6, 3.2), random.uniform(0.3, 0.9)
    size, flattening = random.uniform(0.15, 0.3), random.uniform(0.6, 1.0)
    turn, jet_turn = random.uniform(0, np.pi), random.uniform(0, 2 * np.pi)
    wisps = turbulence(random, grid, 2.8, 0.4)

    along, across = grid.turned(turn)
    profile = sersic(np.hypot(along, across / flattening) / size + 0.05, 2.0)
    light = 0.3 * host * profile * np.exp(0.25 * wisps)
    places = disc(random, 4, 0.8)
    widths, fluxes = random.uniform(0.03, 0.06, 4), random.uniform(0.1, 0.6, 4)
    if kind == "companions":
        for x, y, width, flux in np.stack([*places, widths, fluxes], axis=1).tolist():
            light += flux * sersic(np.hypot(grid.x - x, grid.y - y) / width + 0.1, 2.0)
    if kind != "jet":
        return Scene(light, star(nucleus))

    beam, offset = grid.turned(jet_turn)
    light += 0.4 * bell(offset / 0.012) * ((beam > 0.2) & (beam < 1.0))
    knots = Stars(random.uniform(0.25, 1.0, 9), np.zeros(9), power_law(random, 9, 1.5, 0.5, 6.0))
    return Scene(light, star(nucleus) + knots.turned(jet_turn))
