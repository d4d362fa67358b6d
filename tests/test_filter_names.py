"""Entries that are no filter are dropped from headers, the archive's tables and a user's table."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.mast.rows import filters_of
from paperclip_cli.archives.observation_table import read_observations
from paperclip_cli.filter_names import only_filters
from paperclip_cli.images.fits_cards import Cards
from paperclip_cli.images.fits_header import header_observation

NONE = [
    *"CLEAR CLEAR1L CLEAR2S CLEARP OPEN NONE none N/A n/a".split(),
    *"MIRROR MIRRORA MIRVIS DETECTION detection".split(),
    *("Clear (open)", "NOT USED", "", " "),
]
FILTERS = ["F814W", "F200W", "r", "g'", "FQ508N", "N", "A", "CLEAN", "OPENER", "F160W"]


@pytest.mark.parametrize("word", NONE)
def test_words_for_no_filter_are_none_wherever_they_stand(word: str, tmp_path: Path) -> None:
    from astropy.io import fits

    assert only_filters([word, "F814W"]) == ("F814W",)
    header = fits.Header([("FILTER1", word), ("FILTER2", "F814W")])
    cards = Cards(header.tostring().encode())
    assert header_observation([cards], (40, 40)).observation.filters == ("F814W",)
    row = {"filters": f"{word};F814W", "obs_id": "x"}
    assert filters_of(row, [row]) == ("F814W",)
    (tmp_path / "observations.csv").write_text(f"image,filters\na.jpg,{word};F814W\n")
    (read,) = read_observations(tmp_path).rows
    assert read.observation.filters == ("F814W",)


@given(st.lists(st.sampled_from(FILTERS + NONE)))
def test_filters_keep_their_order_and_stand_once(names: list[str]) -> None:
    kept = only_filters(names)
    assert kept == tuple(dict.fromkeys(name for name in names if name in FILTERS))
    assert only_filters(kept) == kept
