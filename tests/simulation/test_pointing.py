"""Footprints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.simulation.instruments import CAMERAS, draw_band, draw_camera
from paperclip_cli.simulation.pointing import CANVAS, Pointing, draw_pointing

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(CAMERAS))
def test_a_frame_is_the_bounding_box_of_what_was_seen(seed: int, camera) -> None:
    pointing = draw_pointing(np.random.default_rng(seed), camera)
    depth = pointing.depth(*pointing.detector())
    assert depth.shape == pointing.shape and max(depth.shape) == CANVAS
    assert depth.max() <= len(pointing.dithers)
    rows, columns = np.flatnonzero(depth.any(axis=1)), np.flatnonzero(depth.any(axis=0))
    assert rows[0] <= 4 and rows[-1] >= depth.shape[0] - 5
    assert columns[0] <= 4 and columns[-1] >= depth.shape[1] - 5


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(CAMERAS))
def test_the_target_lies_where_it_was_aimed(seed: int, camera) -> None:
    pointing = draw_pointing(np.random.default_rng(seed), camera)
    column, row = pointing.place(*pointing.aim)
    u, v = pointing.detector()
    assert 0 < column < pointing.shape[1] and 0 < row < pointing.shape[0]
    seen = u[int(row), int(column)], v[int(row), int(column)]
    assert np.allclose(seen, pointing.aim, atol=1.5 / pointing.scale)


def test_a_chip_gap_stays_without_dithers_and_is_filled_by_wide_ones() -> None:
    still, wide = ((0.0, 0.0),), ((0.0, -6.0), (0.0, 6.0))
    gaps = []
    for dithers in (still, wide):
        pointing = Pointing(CAMERAS[0], 0.3, dithers, (0.0, 0.0))
        u, v = pointing.detector()
        gaps.append((pointing.depth(u, v)[(np.abs(v) < 0.8) & (np.abs(u) < 80)] == 0).mean())
    assert gaps == [1.0, 0.0]


def test_the_infrared_channel_has_its_blind_spot() -> None:
    pointing = Pointing(CAMERAS[2], 1.0, ((0.0, 0.0),), (0.0, 0.0))
    u, v = pointing.detector()
    hole = pointing.depth(u, v)[np.hypot(u + 47, v + 34) < 2.5]
    assert CAMERAS[2].blind_spot and len(hole) > 50 and not hole.any()


def test_a_camera_observes_only_in_its_cycles() -> None:
    random = np.random.default_rng(0)
    for cycle in range(5, 32):
        for _ in range(20):
            camera = draw_camera(random, cycle)
            assert camera.cycles[0] <= cycle <= camera.cycles[1]


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.sampled_from(CAMERAS))
def test_a_band_is_one_narrow_filter_or_up_to_three_broad_ones_of_the_camera(
    seed: int, camera
) -> None:
    band = draw_band(np.random.default_rng(seed), camera)
    names = dict(camera.filters)
    assert set(band.names) <= names.keys() and 1 <= len(set(band.names)) == len(band.names) <= 3
    assert band.wavelength == pytest.approx(np.mean([names[name] for name in band.names]))
    assert band.narrow == band.names[0].endswith("N") and (not band.narrow or len(band.names) == 1)
    assert band.weight(1) * band.weight(-1) == pytest.approx(1) and 0 < band.extinction < 1
