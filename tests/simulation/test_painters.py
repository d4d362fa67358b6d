"""Laws that hold for every painter, and the physics of some of them."""

from __future__ import annotations

import numpy as np
import pytest

from paperclip_cli.simulation import groups, shells, stars
from paperclip_cli.simulation.classes import CLASSES, Kind
from paperclip_cli.simulation.drawing import Grid, Scene
from paperclip_cli.simulation.instruments import Band
from paperclip_cli.simulation.lenses import Mass, Source

BAND = Band(("F606W",), 592.0, False)
EVERY = [
    pytest.param(kind, subtype, id=f"{kind.phrases}-{subtype}")
    for kind in CLASSES
    for subtype in sorted(set(kind.subtypes))
]


@pytest.mark.parametrize(("kind", "subtype"), EVERY)
def test_an_object_is_the_same_in_every_frame_that_sees_it(kind: Kind, subtype: str) -> None:
    here, there = Grid((160, 170), (80.0, 75.0), 60.0), Grid((230, 240), (121.0, 118.0), 60.0)
    one, other = (
        kind.paint(np.random.default_rng(4), grid, subtype, BAND) for grid in (here, there)
    )
    assert one.light.shape == here.shape and one.light.dtype == np.float32
    assert np.isfinite(one.light).all() and one.light.min() >= 0 and one.light.max() < 500
    # A blur may change a margin at the edge of a frame.
    inside = (slice(20, -20), slice(20, -20))
    assert np.allclose(one.light[inside], other.light[43:203, 41:211][inside], rtol=0.02, atol=0.01)
    for a, b in zip((one.stars.x, one.stars.y), (other.stars.x, other.stars.y), strict=True):
        assert np.allclose(a, b)
    assert np.isfinite(one.stars.flux).all() and (one.stars.flux >= 0).all()
    assert max(one.light.max(), one.stars.flux.max(initial=0)) > 0.2


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.phrases)
def test_two_objects_of_a_class_differ(kind: Kind) -> None:
    grid = Grid((120, 120), (60.0, 60.0), 50.0)
    one, other = (
        kind.paint(np.random.default_rng(seed), grid, kind.subtypes[0], BAND) for seed in (1, 2)
    )
    light_differs = np.abs(one.light - other.light).max() > 0.01
    assert light_differs or not np.allclose(one.stars.flux[:10], other.stars.flux[:10])


def test_a_spheroid_is_red_and_an_open_cluster_blue() -> None:
    grid = Grid((100, 100), (50.0, 50.0), 40.0)
    blue, red = Band(("F336W",), 335.0, False), Band(("F160W",), 1537.0, False)
    by_name = {kind.phrases: kind.paint for kind in CLASSES}

    def painted(name: str, subtype: str, band: Band) -> Scene:
        return by_name[name](np.random.default_rng(0), grid, subtype, band)

    spheroid = [painted("elliptical", "smooth", band).light.sum() for band in (blue, red)]
    young = [painted("open_cluster", "bare", band).stars.flux.sum() for band in (blue, red)]
    assert spheroid[1] > 2 * spheroid[0] and young[0] > 2 * young[1]


def test_the_deflection_of_an_ellipsoid_has_its_convergence_as_divergence() -> None:
    mass = Mass(einstein=0.7, axis_ratio=0.6, turn=0.4)
    x, y = np.meshgrid(np.linspace(0.4, 1.2, 40), np.linspace(0.3, 1.1, 40))
    h = 1e-4
    (xx1, _), (xx0, _) = mass.deflection(x + h, y), mass.deflection(x - h, y)
    (xy1, yy1), (xy0, yy0) = mass.deflection(x, y + h), mass.deflection(x, y - h)
    (_, yx1), (_, yx0) = mass.deflection(x + h, y), mass.deflection(x - h, y)
    kappa = ((xx1 - xx0) + (yy1 - yy0)) / (4 * h)
    u, v = np.cos(0.4) * x + np.sin(0.4) * y, np.cos(0.4) * y - np.sin(0.4) * x
    # Kormann, Schneider & Bartelmann (1994), eq. 21; the Einstein radius on the intermediate axis.
    assert np.allclose(kappa, 0.7 * np.sqrt(0.6) / (2 * np.sqrt(0.36 * u**2 + v**2)), rtol=1e-3)
    assert np.allclose((yx1 - yx0), (xy1 - xy0), atol=1e-7)  # a deflection is a gradient: no curl


@pytest.mark.parametrize(("offset", "images"), [(0.02, 4), (0.25, 2)])
def test_a_lens_makes_as_many_images_as_the_theory_says(offset: float, images: int) -> None:
    mass = Mass(einstein=0.5, axis_ratio=0.7, turn=0.0)
    axis = np.linspace(-1.2, 1.2, 1201)
    sx, sy = mass.source(axis[None, :], axis[:, None])
    distance = np.hypot(sx - offset, sy - 0.4 * offset)

    # An image is a place that is nearer to the source than its eight neighbours.
    least = distance[1:-1, 1:-1]
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    neighbours = [np.roll(distance, shift, (0, 1))[1:-1, 1:-1] for shift in shifts]
    seen = (least < np.minimum.reduce(neighbours)) & (least < 0.01)
    assert seen.sum() == images


def test_a_point_on_the_axis_of_a_round_lens_is_a_ring() -> None:
    mass, source = (
        Mass(einstein=0.5, axis_ratio=0.999, turn=0.0),
        Source(x=0.0, y=0.0, size=0.05, flattening=1.0, turn=0.0, knots=(), point=True),
    )
    angle = np.linspace(0, 2 * np.pi, 60)
    x, y = np.cos(angle), np.sin(angle)
    ring, inside = (source.brightness(*mass.source(r * x, r * y)) for r in (0.5, 0.3))
    assert ring.min() > 20 * inside.max()


def test_stars_of_a_globular_cluster_follow_its_king_profile() -> None:
    core, tidal = 0.1, 2.0
    r = np.sort(stars.king_radii(np.random.default_rng(0), 20_000, core, tidal))
    grid = np.linspace(0, tidal, 4000)
    expected = np.cumsum(stars.king_profile(grid, core, tidal) * grid)
    centre, edge = stars.king_profile(np.array([0.0, tidal]), core, tidal)
    assert r[-1] <= tidal and centre == pytest.approx(1) and edge == 0
    enclosed = np.interp(r, grid, expected / expected[-1])
    assert np.abs(enclosed - np.linspace(0, 1, len(r))).max() < 0.02


def test_a_round_shell_seen_through_is_bright_at_its_rim() -> None:
    image = shells.seen_through(lambda mu: np.ones_like(mu), 0.06, 0.7)
    middle, row = image.shape[0] // 2, image[image.shape[0] // 2]
    x = np.abs(np.linspace(-shells.HALF, shells.HALF, shells.COARSE))
    assert x[np.argmax(row)] == pytest.approx(0.96, abs=0.06)
    # The path through a thin shell grows as 1 / sqrt(1 - r^2).
    at = np.argmin(np.abs(x - 0.7))
    assert row[at] / row[middle] == pytest.approx(1 / np.sqrt(1 - x[at] ** 2), rel=0.1)


@pytest.mark.parametrize("age", [1.5, 4.0])
def test_an_encounter_throws_out_tails_and_leaves_the_inner_disks(age: float) -> None:
    encounter = groups.passage(np.random.default_rng(11), ratio=0.9, pericentre=1.1, age=age)
    assert encounter.disks.shape == (2, 3, groups.PARTICLES)
    far = np.sqrt(((encounter.disks - encounter.nuclei.T[:, :, None]) ** 2).sum(axis=1))
    inner, outer = far[:, encounter.start < 0.3], far[:, encounter.start > 0.8]
    assert (inner < 1).mean() > 0.95 and (outer > 1.5).mean() > 0.3


def test_an_undisturbed_disk_stays_a_disk() -> None:
    encounter = groups.passage(np.random.default_rng(0), ratio=0.5, pericentre=40.0, age=1.0)
    r = np.sqrt(((encounter.disks[0] - encounter.nuclei[:, :1]) ** 2).sum(axis=0))
    assert np.abs(r - encounter.start).max() < 0.1
