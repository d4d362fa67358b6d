"""Painting of a frame: the object, the chance objects in the field, the exposure, the stretch."""

from __future__ import annotations

import numpy as np

from paperclip_cli.simulation import exposure, field
from paperclip_cli.simulation.drawing import Grid, Image, Random, Stars, deposit, strokes
from paperclip_cli.simulation.plan import Frame, Plan, stream
from paperclip_cli.simulation.pointing import Pointing

SPIKES = np.pi / 4  # the vanes of the secondary mirror stand diagonally to the detectors


def paint(seed: int, plan: Plan, frame: Frame) -> np.ndarray:
    """The preview of a frame, uint8 [H, W].

    Its longest side has `CANVAS` pixels. It is white where no exposure covers it.
    """
    pointing, conditions = frame.pointing, frame.conditions
    grid = pointing.grid(frame.target.radius)
    u, v = pointing.detector()
    depth = pointing.depth(u, v)
    random = stream(seed, "pixels", plan.proposal_id, frame.number)

    closed = conditions.failure == "closed"
    image = grid.zeros() if closed else _seen(seed, random, plan, frame, grid)
    if conditions.failure == "stray":
        image += _stray_light(random, u, v)
    image = exposure.add_noise(random, image, depth, conditions.gradient, u, v)
    image = image + exposure.cosmic_rays(random, depth)
    if conditions.satellite:
        image += exposure.satellite_trail(random, grid.shape)
    return exposure.stretched(image, depth > 0, conditions.zero, conditions.bend)


def blank(frame: Frame) -> np.ndarray:
    """The footprint alone, filled with the grey of an empty sky; same shape as `paint`."""
    covered = frame.pointing.depth(*frame.pointing.detector()) > 0
    grey = exposure.sky_grey(frame.conditions.zero, frame.conditions.bend)
    return np.where(covered, grey, exposure.WHITE).astype(np.uint8)


def _seen(seed: int, random: Random, plan: Plan, frame: Frame, grid: Grid) -> Image:
    """The sky through the telescope, before noise; float32 [H, W] in units of the noise."""
    kind, conditions = plan.kind, frame.conditions
    object_stream = stream(seed, "object", plan.proposal_id, frame.target.number)
    scene = kind.paint(object_stream, grid, plan.subtype, frame.band)
    members, signal = scene.stars, np.float32(conditions.signal)
    foreground = field.field_stars(random, grid.shape, random.uniform(*kind.stars))
    background = field.field_galaxies(random, grid.shape, random.uniform(*kind.background))

    light = scene.light * signal + background
    columns, rows = grid.columns(members.x), grid.rows(members.y)
    points = deposit(grid.shape, columns, rows, members.flux * signal)
    if kind.where == "solar":
        points += _trailed(random, grid, foreground)
    else:
        points += deposit(grid.shape, foreground.x, foreground.y, foreground.flux)

    image = exposure.spread(light, points, _point_spread(random, frame))
    stars = _all_stars(grid, members, foreground, conditions.signal)
    return image + exposure.bleeding(grid, stars, 1.0, frame.pointing)


def _point_spread(random: Random, frame: Frame) -> Image:
    conditions = frame.conditions
    if conditions.failure == "trailed":
        return exposure.trail_function(random)
    angle = frame.pointing.roll + SPIKES
    return exposure.spread_function(conditions.seeing, conditions.spikes, angle)


def _trailed(random: Random, grid: Grid, stars: Stars) -> Image:
    """Field stars trailed while the telescope followed a moving target."""
    length, angle = random.uniform(5, 45), random.uniform(0, 2 * np.pi)
    count = len(stars.flux)
    lengths, angles = np.full(count, length), np.full(count, angle)
    return strokes(grid.shape, stars.x, stars.y, lengths, angles, stars.flux * 2 / length)


def _all_stars(grid: Grid, members: Stars, foreground: Stars, signal: float) -> Stars:
    """Members and foreground stars in the members' coordinates, flux in units of the noise."""
    x = (foreground.x - grid.centre[0]) / grid.radius
    y = (grid.centre[1] - foreground.y) / grid.radius
    return Stars(members.x, members.y, members.flux * signal) + Stars(x, y, foreground.flux)


def _stray_light(random: Random, u: Image, v: Image) -> Image:
    """Light of the bright Earth at one edge of the field."""
    angle, strength = random.uniform(0, 2 * np.pi), 10 ** random.uniform(1.8, 3.0)
    return (strength * np.exp((np.cos(angle) * u + np.sin(angle) * v) / 60)).astype(np.float32)


def footprint(frame: Frame) -> np.ndarray:
    """Corners [N, 2] of the area of the first exposure: arcsec from the target, x right, y up."""
    pointing: Pointing = frame.pointing
    return (np.array(pointing.camera.outline) - np.array(pointing.aim)) @ pointing.turn.T
