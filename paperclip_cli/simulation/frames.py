"""Paints a frame: the object, what lies in the field by chance, the exposure, the stretch."""

from __future__ import annotations

import numpy as np

from paperclip_cli.simulation import exposure, field
from paperclip_cli.simulation.drawing import Grid, Image, Random, Stars, deposit, strokes
from paperclip_cli.simulation.plan import Frame, Plan, stream
from paperclip_cli.simulation.pointing import Pointing

SPIKES = np.pi / 4  # the vanes of the secondary mirror stand diagonally to the detectors


def paint(seed: int, plan: Plan, frame: Frame) -> np.ndarray:
    """The preview of a frame: uint8 [H, W], the longest side `CANVAS` pixels, white where no exposure looked."""
    pointing, conditions = frame.pointing, frame.conditions
    grid = pointing.grid(frame.target.radius)
    u, v = pointing.detector()
    depth = pointing.depth(u, v)
    random = stream(seed, "pixels", plan.proposal_id, frame.number)
    image = (
        _seen(seed, random, plan, frame, grid) if conditions.failure != "closed" else grid.zeros()
    )
    if conditions.failure == "stray":
        image += _stray_light(random, u, v)
    image = exposure.add_noise(
        random, image, depth, conditions.gradient, u, v
    ) + exposure.cosmic_rays(random, depth)
    if conditions.satellite:
        image += exposure.satellite_trail(random, grid.shape)
    return exposure.stretched(image, depth > 0, conditions.zero, conditions.bend)


def blank(frame: Frame) -> np.ndarray:
    """The footprint alone: the picture of a frame whose interior is the grey of an empty sky. Same shape as `paint`."""
    covered = frame.pointing.depth(*frame.pointing.detector()) > 0
    grey = exposure.sky_grey(frame.conditions.zero, frame.conditions.bend)
    return np.where(covered, grey, exposure.WHITE).astype(np.uint8)


def _seen(seed: int, random: Random, plan: Plan, frame: Frame, grid: Grid) -> Image:
    """The sky through the telescope, before noise; float32 [H, W] in units of the noise."""
    kind, conditions = plan.kind, frame.conditions
    scene = kind.paint(
        stream(seed, "object", plan.proposal_id, frame.target.number),
        grid,
        plan.subtype,
        frame.band,
    )
    signal = np.float32(conditions.signal)
    foreground = field.field_stars(random, grid.shape, random.uniform(*kind.stars))
    light = scene.light * signal + field.field_galaxies(
        random, grid.shape, random.uniform(*kind.background)
    )
    points = deposit(
        grid.shape, grid.columns(scene.stars.x), grid.rows(scene.stars.y), scene.stars.flux * signal
    )
    if kind.where == "solar":
        points += _trailed(random, grid, foreground)
    else:
        points += deposit(grid.shape, foreground.x, foreground.y, foreground.flux)
    if conditions.failure == "trailed":
        function = exposure.trail_function(random)
    else:
        function = exposure.spread_function(
            conditions.seeing, conditions.spikes, frame.pointing.roll + SPIKES
        )
    image = exposure.spread(light, points, function)
    return image + exposure.bleeding(
        grid, _all_stars(grid, scene.stars, foreground, conditions.signal), 1.0, frame.pointing
    )


def _trailed(random: Random, grid: Grid, stars: Stars) -> Image:
    """Field stars drawn out while the telescope followed a moving target."""
    length, angle = random.uniform(5, 45), random.uniform(0, 2 * np.pi)
    count = len(stars.flux)
    return strokes(
        grid.shape,
        stars.x,
        stars.y,
        np.full(count, length),
        np.full(count, angle),
        stars.flux * 2 / length,
    )


def _all_stars(grid: Grid, members: Stars, foreground: Stars, signal: float) -> Stars:
    """Members and foreground stars in the members' coordinates, flux in units of the noise."""
    x, y = (
        (foreground.x - grid.centre[0]) / grid.radius,
        (grid.centre[1] - foreground.y) / grid.radius,
    )
    return Stars(members.x, members.y, members.flux * signal) + Stars(x, y, foreground.flux)


def _stray_light(random: Random, u: Image, v: Image) -> Image:
    """The bright Earth at the edge of the field."""
    angle, strength = random.uniform(0, 2 * np.pi), 10 ** random.uniform(1.8, 3.0)
    return (strength * np.exp((np.cos(angle) * u + np.sin(angle) * v) / 60)).astype(np.float32)


def footprint(frame: Frame) -> np.ndarray:
    """Corners [N, 2] of what the frame's first exposure covers: arcsec from the target, x right and y up."""
    pointing: Pointing = frame.pointing
    return (np.array(pointing.camera.outline) - np.array(pointing.aim)) @ pointing.turn.T
