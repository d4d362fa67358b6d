"""Profiles, turbulence, points and strokes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.simulation.drawing import (
    Grid,
    Stars,
    blurred,
    deposit,
    draw_turbulence,
    power_law,
    sersic,
    strokes,
    turbulence,
)

POINTS = st.tuples(st.floats(1, 17), st.floats(1, 12), st.floats(0, 10))  # column, row, weight


@pytest.mark.parametrize("n", [1.0, 2.5, 4.0, 6.0])
def test_sersic_is_the_profile_of_astropy(n: float) -> None:
    models = pytest.importorskip("astropy.modeling.functional_models")
    r = np.linspace(0.05, 6, 50)
    assert np.allclose(sersic(r, n), models.Sersic1D(1.0, 1.0, n)(r), rtol=2e-3)


def test_a_grid_counts_from_the_target_in_radii_and_upwards() -> None:
    grid = Grid((40, 60), (25.0, 10.0), 5.0)
    assert grid.x[0, 30] == pytest.approx(1.0) and grid.y[5, 0] == pytest.approx(1.0)
    assert grid.columns(np.array(1.0)) == 30 and grid.rows(np.array(1.0)) == 5
    along, across = grid.turned(np.pi / 2)
    assert along[5, 25] == pytest.approx(1.0) and across[5, 25] == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(POINTS, min_size=1, max_size=8))
def test_deposited_light_is_neither_lost_nor_moved(
    points: list[tuple[float, float, float]],
) -> None:
    columns, rows, weights = np.array(points).T
    image = deposit((15, 20), columns, rows, weights)
    assert image.sum() == pytest.approx(weights.sum(), rel=1e-5, abs=1e-6)
    moment = (image * np.arange(20)).sum(), (image * np.arange(15)[:, None]).sum()
    expected = (weights * columns).sum(), (weights * rows).sum()
    assert moment == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_points_outside_a_frame_are_dropped() -> None:
    columns, rows = np.array([-3.0, 30.0, 4.0]), np.array([4.0, 4.0, -0.5])
    assert deposit((8, 8), columns, rows, np.ones(3)).sum() == 0


def test_a_stroke_has_the_light_of_its_length_and_its_direction() -> None:
    column, row, length, angle, weight = np.array([[10.0], [25.0], [20.0], [0.0], [3.0]])
    image = strokes((50, 50), column, row, length, angle, weight)
    assert image.sum() == pytest.approx(60.0, rel=1e-4)
    assert image[25, 10:29].min() > 0 and image[:20].sum() == image[30:].sum() == 0


@pytest.mark.parametrize("slope", [2.5, 4.0])
def test_turbulence_has_the_power_spectrum_asked_for(slope: float) -> None:
    grid = Grid((512, 512), (0.0, 0.0), 512.0)
    cells = draw_turbulence(np.random.default_rng(3), grid.radius, slope, 1.0).cells
    assert abs(cells.mean()) < 1e-4 and cells.std() == pytest.approx(1, rel=1e-4)
    power = np.abs(np.fft.rfft2(cells)) ** 2
    k = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None, :])
    low, high = (power[(k > a) & (k < 1.2 * a)].mean() for a in (0.03, 0.24))
    assert np.log(low / high) / np.log(8) == pytest.approx(slope, abs=0.25)


def test_turbulence_stays_with_the_target_when_the_frame_moves() -> None:
    here = turbulence(np.random.default_rng(5), Grid((100, 120), (60.0, 50.0), 40.0))
    there = turbulence(np.random.default_rng(5), Grid((140, 150), (81.0, 77.0), 40.0))
    assert np.array_equal(here, there[27:127, 21:141])


def test_turbulence_at_places_is_that_of_the_frame() -> None:
    grid = Grid((60, 60), (30.0, 30.0), 20.0)
    field = draw_turbulence(np.random.default_rng(1), grid.radius, 4.0, 1.0)
    x, y = np.broadcast_arrays(grid.x, grid.y)
    # Equal on the cells; between them `on` is linear.
    assert np.array_equal(field.at(grid, x, y)[::2, ::2], field.on(grid)[::2, ::2])


@given(st.floats(0.5, 4.0))
@settings(max_examples=20, deadline=None)
def test_a_blur_keeps_the_light_and_widens_it(sigma: float) -> None:
    image = np.zeros((41, 45), np.float32)
    image[20, 22] = 1
    smooth = blurred(image, sigma)
    assert smooth.sum() == pytest.approx(1, abs=1e-4) and np.allclose(smooth, smooth[::-1])
    spread = (smooth * (np.arange(45) - 22) ** 2).sum() ** 0.5
    assert spread == pytest.approx(sigma, rel=0.15)


def test_turned_stars_keep_their_distance_and_flux() -> None:
    stars = Stars(np.array([1.0, 0.0]), np.array([0.0, 2.0]), np.array([3.0, 4.0]))
    turned = stars.turned(np.pi / 2)
    assert np.allclose(turned.x, [0, -2]) and np.allclose(turned.y, [1, 0])
    assert turned.flux.tolist() == [3, 4]


@given(st.floats(1.2, 2.8))
@settings(max_examples=20, deadline=None)
def test_a_power_law_has_its_slope(slope: float) -> None:
    flux = power_law(np.random.default_rng(0), 40_000, slope, 0.1, 10.0)
    assert flux.min() >= 0.1 and flux.max() <= 10.0
    counts = np.histogram(flux, [0.1, 0.2, 0.4])[0]
    assert np.log2(counts[0] / counts[1]) == pytest.approx(slope - 1, abs=0.08)
