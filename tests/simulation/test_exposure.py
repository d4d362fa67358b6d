"""The telescope, the noise and the stretch."""

from __future__ import annotations

import numpy as np
import pytest

from paperclip_cli.simulation import exposure
from paperclip_cli.simulation.drawing import Grid, star
from paperclip_cli.simulation.instruments import CAMERAS
from paperclip_cli.simulation.pointing import Pointing


def test_a_point_peaks_at_its_flux_and_diffuse_light_keeps_its_brightness() -> None:
    function = exposure.spread_function(0.8, 1.0, 0.3)
    assert function.max() == 1 == function[exposure.REACH, exposure.REACH]
    stars = np.zeros((300, 320), np.float32)
    stars[150, 160] = 7
    seen = exposure.spread(np.full((300, 320), 2.0, np.float32), stars, function)
    assert seen.shape == (300, 320)
    assert seen[150, 160] == pytest.approx(9, rel=0.01)
    assert seen[80, 80] == pytest.approx(2, rel=0.01)


def test_spread_is_a_plain_convolution() -> None:
    random = np.random.default_rng(0)
    stars, function = np.zeros((512, 500), np.float32), exposure.spread_function(0.7, 1.0, 0.5)
    stars[200:203, 300:303] = random.random((3, 3))
    expected = np.zeros_like(stars)
    for row in range(200, 203):
        for column in range(300, 303):
            around = expected[row - 64 : row + 65, column - 64 : column + 65]
            around += stars[row, column] * function
    assert np.allclose(exposure.spread(np.zeros_like(stars), stars, function), expected, atol=2e-5)


def test_nothing_wraps_around_the_frame() -> None:
    stars = np.zeros((512, 512), np.float32)
    stars[1, 1] = 1e4
    seen = exposure.spread(np.zeros_like(stars), stars, exposure.spread_function(0.8, 1.5, 0.0))
    assert np.abs(seen[300:]).max() < 0.1 and np.abs(seen[:, 300:]).max() < 0.1 < seen[1, 40]


def test_spikes_lie_at_the_angle_asked_for() -> None:
    function = exposure.spread_function(0.8, 1.0, np.pi / 4)
    centre, step = exposure.REACH, 20
    on_the_spike = function[centre - step, centre + step]
    beside_it = function[centre, centre + round(step * 2**0.5)]  # as far from the centre
    assert on_the_spike > 3 * beside_it


def test_noise_falls_with_the_number_of_exposures() -> None:
    depth = np.ones((200, 200), np.uint8)
    depth[:, 100:] = 4
    image = u = v = np.zeros(depth.shape, np.float32)
    noisy = exposure.add_noise(np.random.default_rng(2), image, depth, 0.0, u, v)
    assert noisy.dtype == np.float32
    one, four = noisy[:, :100].std(), noisy[:, 100:].std()
    assert one / four == pytest.approx(2, rel=0.05) and four == pytest.approx(1, rel=0.05)


def test_cosmic_rays_survive_only_where_one_exposure_looked() -> None:
    depth = np.ones((400, 400), np.uint8)
    depth[:200] = 2
    hits = exposure.cosmic_rays(np.random.default_rng(1), depth)
    assert (hits[200:] > 5).any() and not hits[:200].any()


def test_only_saturated_stars_bleed_and_along_the_columns_of_the_detector() -> None:
    pointing = Pointing(CAMERAS[2], 0.0, ((0.0, 0.0),), (0.0, 0.0))
    grid = Grid((200, 200), (100.0, 100.0), 50.0)
    assert not exposure.bleeding(grid, star(10.0), 100.0, pointing).any()
    bled = exposure.bleeding(grid, star(1000.0), 100.0, pointing) > 0
    assert bled[88:112, 99:102].any(axis=1).all() and not bled[:, :90].any()


def test_the_stretch_is_the_asinh_of_astropy() -> None:
    visualization = pytest.importorskip("astropy.visualization")
    image = np.linspace(0, 400, 40_000, dtype=np.float32).reshape(200, 200)
    covered, zero, bend = np.ones(image.shape, bool), 0.02, 0.1
    top = np.percentile(image[covered][::7], 99.5)
    scaled = np.clip((image / top + zero) / (1 + zero), 0, 1)
    expected = visualization.AsinhStretch(bend)(scaled) * 254
    assert np.abs(exposure.stretched(image, covered, zero, bend) - expected).max() <= 0.51


def test_white_is_kept_for_what_no_exposure_saw() -> None:
    image = np.full((50, 50), 1e5, np.float32)
    covered = np.zeros(image.shape, bool)
    covered[10:40, 10:40] = True
    picture = exposure.stretched(image, covered, 0.01, 0.1)
    assert picture.dtype == np.uint8 and np.array_equal(picture == 255, ~covered)


@pytest.mark.parametrize(("zero", "bend"), [(0.03, 0.1), (0.05, 0.03)])
def test_empty_sky_has_the_grey_foretold(zero: float, bend: float) -> None:
    image = np.zeros((100, 100), np.float32)
    image[:5] = 1000.0  # something bright sets the scale
    picture = exposure.stretched(image, np.ones(image.shape, bool), zero, bend)
    assert picture[50, 50] == exposure.sky_grey(zero, bend)
