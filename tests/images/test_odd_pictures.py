"""Odd pictures: shown as their numbers are, or refused by name; never black, and no warning."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.errors import BadItem
from paperclip_cli.images.pictures import read_picture, read_picture_bytes
from tests.images.odd_pictures import PICTURES, OddPicture


def by_the_formula(values: np.ndarray) -> np.ndarray:
    """The stretch of the archive's previews, written out: [H, W], the first row at the top."""
    values = np.asarray(values, np.float64)[::-1]
    low, median, high = np.nanpercentile(values, (0.5, 50, 99.5))
    high = max(high, median + 5 * (median - low))
    grey = np.floor(np.clip(255 / 0.7 * np.arcsinh(3 * (values - low) / (high - low)) / 3, 0, 255))
    return np.where(np.isnan(values), 255, grey)


@pytest.mark.parametrize("odd", PICTURES, ids=lambda odd: odd.name)
def test_an_odd_picture_is_shown_or_named(odd: OddPicture, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(odd.write())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if odd.reason:
            with pytest.raises(BadItem, match=odd.reason) as caught:
                read_picture(path)
            assert "\n" not in str(caught.value)
            return
        picture = read_picture(path)
    expected = by_the_formula(odd.values) if odd.values is not None else odd.levels
    assert expected is not None and picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - expected).max() <= 1
    if odd.values is not None:
        assert ((picture == 255) >= np.isnan(odd.values)[::-1]).all()
    assert np.array_equal(read_picture_bytes(path.read_bytes()), picture)


def test_there_are_enough() -> None:
    assert len(PICTURES) >= 30 and len({odd.name for odd in PICTURES}) == len(PICTURES)
