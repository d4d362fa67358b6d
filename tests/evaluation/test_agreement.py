"""Rank correlation with the distances that people see: laws, and SciPy's own as truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from paperclip_cli.evaluation import agreement as module
from paperclip_cli.evaluation.agreement import agreement, distances
from tests.evaluation.test_retrieval import unit


def symmetric(images: int, seed: int, levels: int = 0) -> np.ndarray:
    """Random distances, whole numbers below `levels` if that is given: then many are equal."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, levels, (images, images)) if levels else rng.random((images, images))
    matrix = np.triu(matrix, 1).astype(float)
    return matrix + matrix.T


@given(st.integers(3, 12), st.integers(0, 1_000), st.sampled_from([0, 4]))
def test_it_is_scipys_over_all_pairs_and_for_each_image(
    images: int, seed: int, levels: int
) -> None:
    ours, theirs = symmetric(images, seed, levels), symmetric(images, seed + 1, levels)
    found = agreement(ours, theirs)
    pairs = np.triu_indices(images, 1)
    each = []
    for image in range(images):
        others = np.arange(images) != image
        each.append((ours[image, others], theirs[image, others]))

    def truth(one: np.ndarray, other: np.ndarray) -> float:
        constant = len({*one}) == 1 or len({*other}) == 1
        return 0.0 if constant else float(spearmanr(one, other).statistic)

    assert found.pairs == len(pairs[0])
    assert found.correlation == pytest.approx(truth(ours[pairs], theirs[pairs]), abs=1e-12)
    assert found.by_image == pytest.approx(np.mean([truth(*one) for one in each]), abs=1e-12)


def test_the_interval_is_that_of_weighted_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared with lists in which a pair of images stands as often as both are drawn."""
    monkeypatch.setattr(module, "RESAMPLES", 60)
    ours, theirs = symmetric(9, 1, 5), symmetric(9, 2, 5)
    theirs[2, 5] = theirs[5, 2] = math.nan
    first, second = np.triu_indices(9, 1)
    known = np.isfinite(theirs[first, second])
    first, second = first[known], second[known]
    from scipy.stats import rankdata

    one, other = rankdata(ours[first, second]), rankdata(theirs[first, second])
    values = []
    for draw in np.random.default_rng(0).multinomial(9, np.full(9, 1 / 9), size=60):
        times = draw[first] * draw[second]
        repeated = np.repeat(one, times), np.repeat(other, times)
        constant = any(len({*part}) < 2 for part in repeated)
        values.append(0 if constant else np.corrcoef(*repeated)[0, 1])
    assert agreement(ours, theirs).interval == pytest.approx(
        tuple(np.quantile(values, (0.025, 0.975)))
    )


@given(st.integers(3, 20), st.integers(0, 1_000))
def test_nothing_depends_on_the_order_of_images(images: int, seed: int) -> None:
    ours, theirs = symmetric(images, seed), symmetric(images, seed + 1)
    order = np.random.default_rng(seed).permutation(images)
    both = np.ix_(order, order)
    before, after = agreement(ours, theirs), agreement(ours[both], theirs[both])
    assert after.correlation == pytest.approx(before.correlation)
    assert after.by_image == pytest.approx(before.by_image)


def test_the_same_order_is_one_and_the_opposite_is_minus_one() -> None:
    theirs = symmetric(12, 0)
    for ours, expected in ((theirs**3, 1.0), (1 - theirs, -1.0)):
        np.fill_diagonal(ours, 0)
        found = agreement(ours, theirs)
        for value in (found.correlation, found.by_image, *found.interval, *found.interval_by_image):
            assert value == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.5, math.nan])
def test_embeddings_that_tell_nothing_apart_are_at_chance(value: float) -> None:
    found = agreement(distances(np.full((30, 5), value, np.float32)), symmetric(30, 0))
    assert found.correlation == found.by_image == 0
    assert found.interval == found.interval_by_image == (0, 0)


def test_random_embeddings_are_at_chance() -> None:
    images = unit(np.random.default_rng(0).normal(size=(300, 16)))
    found = agreement(distances(images), symmetric(300, 1))
    assert found.correlation == pytest.approx(0, abs=0.02)
    assert found.interval[0] < 0 < found.interval[1]


def test_distances_are_one_less_the_cosine() -> None:
    images = unit(np.random.default_rng(0).normal(size=(20, 6)))
    found = distances(images)
    assert found[3, 4] == pytest.approx(1 - float(images[3].astype(float) @ images[4]), abs=1e-9)
    images[5] = math.nan
    assert np.isinf(distances(images)[5]).all()


def test_pairs_that_nobody_compared_are_left_out() -> None:
    ours, theirs = symmetric(10, 0), symmetric(10, 1)
    theirs[0, 1] = theirs[1, 0] = math.nan
    first, second = np.triu_indices(10, 1)
    some = ~((first == 0) & (second == 1))
    truth = spearmanr(ours[first[some], second[some]], theirs[first[some], second[some]]).statistic
    found = agreement(ours, theirs)
    assert found.pairs == 44 and found.correlation == pytest.approx(truth)
