"""Background scores, from which percentiles come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.dataset.phrases import PAPER_PHRASES
from paperclip_cli.indexes.background import LEVELS, Background, measure
from paperclip_cli.indexes.unrelated import unrelated_texts


def unit(seed: int, count: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_percentiles_are_shares_of_the_scores_below() -> None:
    vectors, texts = unit(0, 500), unit(1, 40)
    background = measure(vectors, texts)
    scores = vectors @ texts.T
    for score in (-0.5, -0.1, 0.0, 0.2, 0.5):
        assert background.percentile(score) == pytest.approx(100 * (scores < score).mean(), abs=0.1)
    assert background.percentile(-1) == 0 and background.percentile(1) == 100


def test_a_large_index_is_sampled() -> None:
    vectors, texts = unit(0, 40_000), unit(1, 4)
    assert measure(vectors, texts).percentile(0.1) == pytest.approx(
        100 * (vectors @ texts.T < 0.1).mean(), abs=0.5
    )


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=20),
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20),
)
def test_a_higher_score_never_has_a_lower_percentile(
    asked: list[float], known: list[float]
) -> None:
    background = Background(tuple(np.quantile(known, LEVELS / 100).tolist()))
    percentiles = [background.percentile(score) for score in sorted(asked)]
    assert percentiles == sorted(percentiles) and percentiles[0] >= 0 and percentiles[-1] <= 100


def test_quantiles_of_another_version_are_refused() -> None:
    with pytest.raises(ValueError, match="quantiles"):
        Background((0.0, 1.0))


def test_levels_rise_and_the_lists_are_what_they_should_be() -> None:
    assert (np.diff(LEVELS) > 0).all() and (LEVELS.min(), LEVELS.max()) == (0, 100)
    assert len(PAPER_PHRASES) == len(set(PAPER_PHRASES)) == 77
    assert len(unrelated_texts()) == len(set(unrelated_texts())) == 303
    assert not {*unrelated_texts()} & {*PAPER_PHRASES}
