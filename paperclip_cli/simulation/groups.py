"""More than one galaxy: interacting pairs and clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paperclip_cli.simulation.drawing import (
    Grid,
    Image,
    Random,
    Scene,
    Stars,
    bell,
    blurred,
    deposit,
    power_law,
    sersic,
    turbulence,
)
from paperclip_cli.simulation.field import galaxy_stamps
from paperclip_cli.simulation.instruments import Band

# Lengths and times in the units of `passage`.
SOFTENING = 0.15
PARTICLES = 3000  # in each disk
STEP = 0.07
BEFORE = 2.0  # the encounter is followed from this time before pericentre


@dataclass(frozen=True)
class Encounter:
    """Two galaxies after their passage.

    `nuclei` is [3, 2], `disks` [2, 3, PARTICLES]; `start` [PARTICLES] holds the particles' initial
    radii.
    """

    nuclei: np.ndarray
    disks: np.ndarray
    start: np.ndarray


def merger(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """An interacting pair with bridges and tidal tails; kind `late` is close to coalescence."""
    encounter = passage(
        random,
        ratio=random.uniform(0.4, 1.0),
        pericentre=random.uniform(0.8, 1.4),
        age=random.uniform(1.4, 2.6) if kind == "early" else random.uniform(3.0, 6.0),
    )
    nuclei, disks = _on_the_sky(random, encounter, kind)
    dust, clumps = turbulence(random, grid, 2.6, 0.25), turbulence(random, grid, 2.4, 0.12)

    weights = np.exp(-encounter.start / 0.45) * (grid.radius / 100) ** 2
    dots = grid.zeros()
    for disk, strength in zip(disks, (1.0, random.uniform(0.5, 1.0)), strict=True):
        dots += deposit(grid.shape, grid.columns(disk[0]), grid.rows(disk[1]), weights * strength)
    narrow, wide = blurred(dots, 0.016 * grid.radius + 0.8), blurred(dots, 0.05 * grid.radius + 1)
    smooth = 2.2 * narrow + 1.6 * wide
    light = np.sqrt(smooth * (0.15 + smooth)) * np.exp(0.35 * clumps) * band.weight(0.3)

    strengths = random.uniform(0.3, 1.0, 2).tolist()
    for (x, y), strength in zip(nuclei.T.tolist(), strengths, strict=True):
        r = np.hypot(grid.x - x, grid.y - y) + 0.3 * grid.pixel
        light += strength * band.weight(-0.5) * 0.25 * sersic(r / 0.09, 2.5)
        light *= 1 - 1.5 * band.extinction * np.exp(-r / 0.3) * np.clip(dust - 0.3, 0, 0.6)

    bursts = random.integers(0, PARTICLES, (2, 45))
    x, y = np.hstack([disk[:, burst] for disk, burst in zip(disks, bursts, strict=True)])
    return Scene(light, Stars(x, y, power_law(random, len(x), 1.8, 0.15, 2.5) * band.weight(0.9)))


def passage(random: Random, ratio: float, pericentre: float, age: float) -> Encounter:
    """The restricted three-body problem of Toomre & Toomre (1972).

    Two masses move on a near-parabolic orbit, each with a disk of particles. The first mass, the
    radius of its disk and G are 1; `ratio` is the second mass, `age` the time since pericentre.
    """
    total, eccentricity = 1 + ratio, random.uniform(0.75, 1.0)
    speed = (total * (1 + eccentricity) / pericentre) ** 0.5
    place, motion = np.array([[pericentre], [0.0], [0.0]]), np.array([[0.0], [speed], [0.0]])
    gap, relative = _backwards(place, motion, total)
    masses, shares = (1.0, ratio), np.array([-ratio, 1.0]) / total
    nuclei, velocities = gap * shares, relative * shares

    start = 0.05 + 0.95 * random.random(PARTICLES) ** 0.7
    places, swirls = zip(*(_disk(random, start, mass) for mass in masses), strict=True)
    particles = _carried(places, nuclei)
    motion = _carried(swirls, velocities)

    # Leapfrog: half a step of drift, a full kick, half a step of drift.
    for _ in range(int((BEFORE + age) / STEP)):
        nuclei = nuclei + 0.5 * STEP * velocities
        particles += 0.5 * STEP * motion
        offset = nuclei[:, :1] - nuclei[:, 1:]
        pulls = np.hstack([_pull(offset, masses[1]), _pull(-offset, masses[0])])
        velocities = velocities + STEP * pulls
        for i, mass in enumerate(masses):
            motion += _pull(particles - nuclei[:, i : i + 1].astype(np.float32), mass * STEP)
        nuclei = nuclei + 0.5 * STEP * velocities
        particles += 0.5 * STEP * motion
    return Encounter(nuclei, np.stack(np.split(particles, 2, axis=1)), start)


def _carried(disks: Sequence[np.ndarray], nuclei: np.ndarray) -> np.ndarray:
    """Shift both disks' places (or velocities) to those of their nuclei; float32 [3, 2 N]."""
    both = [disk + nuclei[:, i : i + 1] for i, disk in enumerate(disks)]
    return np.hstack(both).astype(np.float32)


def cluster(random: Random, grid: Grid, kind: str, band: Band) -> Scene:
    """A cluster of galaxies.

    It has a giant elliptical with a halo, a concentrated red sequence and a few blue members; kind
    `arcs` adds lensed background galaxies.
    """
    members, core = int(random.integers(110, 260)), random.uniform(0.1, 0.3)
    turn, flattening = random.uniform(0, np.pi), random.uniform(0.55, 0.95)
    halo = turbulence(random, grid, 3.5, 1.0)

    along, across = grid.turned(turn)
    r = np.hypot(along, across / flattening) + 0.3 * grid.pixel
    envelope = 0.04 * np.exp(-r / 0.5) * np.exp(0.3 * halo)
    light = band.weight(-0.8) * (0.08 * sersic(r / 0.3, 3.5) + envelope)

    # Projected density of a cored isothermal distribution, cut where the field takes over.
    distance = core * np.sqrt(np.exp(random.random(members) * np.log1p((1.6 / core) ** 2)) - 1)
    angle = random.uniform(0, 2 * np.pi, members)
    red, flux = random.random(members) < 0.8, power_law(random, members, 1.7, 0.08, 2.0)
    place = Stars(
        distance * np.cos(angle),
        distance * np.sin(angle) * flattening,
        flux * np.where(red, band.weight(-0.8), 0.6 * band.weight(0.8)),
    ).turned(turn)
    size = 0.02 * flux**0.35 * random.lognormal(0, 0.25, members) * np.where(red, 1.0, 1.6)
    light += galaxy_stamps(
        grid.shape,
        grid.columns(place.x),
        grid.rows(place.y),
        flux=place.flux,
        size=size * grid.radius + 0.7,
        index=np.where(red, 2.5, 1.0),
        flattening=random.uniform(np.where(red, 0.5, 0.3), 1.0),
        angle=random.uniform(0, np.pi, members),
    )
    return Scene(light + _arcs(random, along, across, r) if kind == "arcs" else light)


def _arcs(random: Random, along: Image, across: Image, r: Image) -> Image:
    """Background galaxies that the cluster has stretched along circles about its centre."""
    azimuth, light = np.arctan2(across, along), np.zeros_like(r)
    for _ in range(5):
        offset = (azimuth - random.uniform(-np.pi, np.pi) + np.pi) % (2 * np.pi) - np.pi
        ridge = bell((r - random.uniform(0.2, 0.6)) / 0.009)
        strength, length = random.uniform(0.3, 0.9), random.uniform(0.08, 0.35)
        light += strength * ridge * np.exp(-((offset / length) ** 4))
    return light


def _on_the_sky(random: Random, encounter: Encounter, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Nuclei [2, 2] and disks [2, 2, PARTICLES] projected and scaled to the object's radius."""
    turn, mirror = random.uniform(0, 2 * np.pi), random.choice((-1.0, 1.0))
    c, s = np.cos(turn), np.sin(turn)
    spin = np.array([[c, -s * mirror, 0], [s, c * mirror, 0], [0, 0, 1]])
    view = spin @ _tilted(random.uniform(0, 0.8), random.uniform(0, 2 * np.pi))

    nuclei, disks = view @ encounter.nuclei, view @ encounter.disks
    if kind == "late":
        # The restricted problem lacks dynamical friction, which brings the nuclei together; the
        # tails keep their shape.
        nuclei, disks = _sunk(nuclei, disks)

    middle = nuclei[:2].mean(axis=1, keepdims=True)
    nuclei, disks = nuclei[:2] - middle, disks[:, :2] - middle
    size = np.percentile(np.hypot(*disks.swapaxes(0, 1)), 93) / random.uniform(0.9, 1.15)
    return nuclei / size, disks / size


def _sunk(
    nuclei: np.ndarray, disks: np.ndarray, share: float = 0.75
) -> tuple[np.ndarray, np.ndarray]:
    """Move each galaxy's inner part towards the common centre, its outskirts less and less."""
    shift = share * (nuclei.mean(axis=1, keepdims=True) - nuclei)
    moved = []
    for i, disk in enumerate(disks):
        near = np.exp(-((disk - nuclei[:, i : i + 1]) ** 2).sum(axis=0) / 0.8)
        moved.append(disk + shift[:, i : i + 1] * near)
    return nuclei + shift, np.stack(moved)


def _disk(random: Random, start: np.ndarray, mass: float) -> tuple[np.ndarray, np.ndarray]:
    """Places and velocities [3, PARTICLES] of a cold disk about a point mass.

    It turns roughly in the sense of the orbit, so that tails form.
    """
    turn = _tilted(random.uniform(0, 1.1), random.uniform(0, 2 * np.pi))
    radius, angle = start * mass**0.5, random.uniform(0, 2 * np.pi, PARTICLES)
    circular = np.sqrt(mass * radius**2 / (radius**2 + SOFTENING**2) ** 1.5)
    flat = np.stack(
        [radius * np.cos(angle), radius * np.sin(angle), 0.02 * random.standard_normal(PARTICLES)]
    )
    swirl = np.stack([-circular * np.sin(angle), circular * np.cos(angle), np.zeros(PARTICLES)])
    return turn @ flat, turn @ swirl


def _pull(offset: np.ndarray, mass: float) -> np.ndarray:
    """Acceleration towards a softened point mass at the origin of `offset` [3, N]."""
    square = (offset * offset).sum(axis=0) + SOFTENING**2
    return offset * (-mass / (square * np.sqrt(square)))


def _backwards(
    gap: np.ndarray, relative: np.ndarray, total: float
) -> tuple[np.ndarray, np.ndarray]:
    """Position and velocity on the relative orbit, the time `BEFORE` ahead of the given state."""
    relative = -relative
    for _ in range(int(BEFORE / STEP)):
        gap = gap + 0.5 * STEP * relative
        relative = relative + STEP * _pull(gap, total)
        gap = gap + 0.5 * STEP * relative
    return gap, -relative


def _tilted(inclination: float, node: float) -> np.ndarray:
    """Rotation [3, 3] by `inclination` about an axis in the plane at `node`."""
    axis = np.array([np.cos(node), np.sin(node), 0.0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(inclination) * cross + (1 - np.cos(inclination)) * cross @ cross
