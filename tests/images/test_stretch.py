"""The archive's stretch, checked against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.errors import BadItem
from paperclip_cli.images.stretch import preview_stretch


def sky(seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    """A noisy background with a bright source: what a telescope sees."""
    values = np.random.default_rng(seed).normal(0.02, 0.004, (80, 90))
    y, x = np.mgrid[:80, :90]
    return (values + 3 * np.exp(-((y - 30) ** 2 + (x - 40) ** 2) / 30)).astype(dtype)


def test_the_formula() -> None:
    values = sky(dtype=np.float64)
    low, median, high = np.percentile(values, (0.5, 50, 99.5))
    assert high > median + 5 * (median - low)  # or else the floor of `high` would be tested
    expected = np.clip(255 / 0.7 * np.arcsinh(3 * (values - low) / (high - low)) / 3, 0, 255)
    assert np.abs(preview_stretch(values) - np.floor(expected)).max() <= 1


def test_pure_noise_stays_dark() -> None:
    noise = np.random.default_rng(1).normal(5, 1, (100, 100))
    assert 30 < np.median(preview_stretch(noise)) < 90


def test_what_has_no_value_is_white_and_does_not_count() -> None:
    values = sky()
    expected = preview_stretch(values)
    framed = np.pad(values, 7, constant_values=np.nan)
    framed[0], framed[-1], framed[:, 0] = 0, np.inf, -np.inf
    stretched = preview_stretch(framed)
    assert np.array_equal(stretched[7:-7, 7:-7], expected)
    assert (stretched[:7] == 255).all() and (stretched[:, -7:] == 255).all()


def test_zero_is_a_value_in_integers() -> None:
    counts = np.random.default_rng(2).poisson(3, (60, 60)).astype(np.uint16)
    counts[20:22, 20:22] = 400
    stretched = preview_stretch(counts)
    assert (stretched[counts == 0] < 30).all() and (stretched[20:22, 20:22] == 255).all()


def test_a_few_sources_on_nothing_are_shown() -> None:
    counts = np.zeros((100, 100), np.int32)
    counts[50, 50] = 9
    assert preview_stretch(counts)[50, 50] > 200 and preview_stretch(counts)[0, 0] == 0


@given(st.floats(1e-3, 1e6), st.floats(-100, 100))
def test_units_and_background_do_not_matter(scale: float, offset: float) -> None:
    values = sky(dtype=np.float64)
    moved = preview_stretch((values + offset) * scale).astype(int)
    assert np.abs(moved - preview_stretch(values)).max() <= 1


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", "u1"])
def test_every_number_type_is_taken(dtype: str) -> None:
    assert preview_stretch((sky() * 80).astype(dtype)).dtype == np.uint8


@pytest.mark.parametrize(
    "values, reason",
    [
        (np.full((9, 9), np.nan), "no pixel has a value"),
        (np.zeros((9, 9)), "no pixel has a value"),
        (np.full((9, 9), np.inf), "no pixel has a value"),
        (np.ones((9, 9)), "the same value"),
        (np.zeros((9, 9), np.uint8), "the same value"),
    ],
)
def test_images_without_content_are_refused(values: np.ndarray, reason: str) -> None:
    with pytest.raises(BadItem, match=reason):
        preview_stretch(values)


@pytest.mark.filterwarnings("error")
def test_hostile_values_are_no_error() -> None:
    values = sky(dtype=np.float64)
    values[0, 0], values[0, 1] = 1e308, -1e308
    assert preview_stretch(values).shape == values.shape
