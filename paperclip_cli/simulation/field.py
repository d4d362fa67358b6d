"""Chance objects in every field: stars of our Galaxy in front and faint galaxies behind."""

from __future__ import annotations

import numpy as np

from paperclip_cli.simulation.drawing import Image, Random, Stars, power_law, sersic


def field_stars(random: Random, shape: tuple[int, int], density: float) -> Stars:
    """Foreground stars, `density` on average over a full canvas.

    Positions are in pixels, not radii; flux is in units of the noise.
    """
    count = int(random.poisson(density * shape[0] * shape[1] / 512**2))
    flux = power_law(random, count, 1.6, 12.0, 12000.0)
    columns = random.uniform(0, shape[1] - 1, count)
    rows = random.uniform(0, shape[0] - 1, count)
    return Stars(columns, rows, flux)


def field_galaxies(random: Random, shape: tuple[int, int], density: float) -> Image:
    """Faint background galaxies, float32 [H, W] in units of the noise."""
    count = int(random.poisson(density * shape[0] * shape[1] / 512**2))
    return galaxy_stamps(
        shape,
        random.uniform(0, shape[1], count),
        random.uniform(0, shape[0], count),
        flux=power_law(random, count, 2.0, 4.0, 120.0),
        size=random.gamma(2.5, 0.6, count) + 0.6,
        index=random.choice((1.0, 1.0, 1.0, 4.0), count),
        flattening=random.uniform(0.3, 1.0, count),
        angle=random.uniform(0, np.pi, count),
    )


def galaxy_stamps(
    shape: tuple[int, int],
    columns: np.ndarray,
    rows: np.ndarray,
    *,
    flux: np.ndarray,
    size: np.ndarray,
    index: np.ndarray,
    flattening: np.ndarray,
    angle: np.ndarray,
) -> Image:
    """Many small Sersic galaxies, float32 [H, W].

    `flux` is the surface brightness at the effective radius `size` (pixels).
    """
    image = np.zeros(shape, np.float32)
    for column, row, brightness, radius, n, q, turn in zip(
        columns, rows, flux, size, index, flattening, angle, strict=True
    ):
        reach = int(min(4.5 * radius * (1.6 if n > 2 else 1.0) + 2, 160))
        left, right = max(int(column) - reach, 0), min(int(column) + reach + 1, shape[1])
        top, bottom = max(int(row) - reach, 0), min(int(row) + reach + 1, shape[0])
        if left >= right or top >= bottom:
            continue

        x = (np.arange(left, right, dtype=np.float32) - np.float32(column))[None, :]
        y = (np.arange(top, bottom, dtype=np.float32) - np.float32(row))[:, None]
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        along, across = c * x - s * y, (s * x + c * y) / np.float32(q)
        # A pixel cannot show the cusp of a profile: the radius is softened by half a pixel.
        r = np.sqrt(along * along + across * across + 0.25) / np.float32(radius)
        image[top:bottom, left:right] += np.float32(brightness) * sersic(r, float(n))
    return image
