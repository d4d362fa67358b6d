"""Recall, median rank, MRR and nDCG: laws, and plain loops in float64 as independent truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.config.evaluation import DIRECTIONS, IMAGE_TO_TEXT, PAPER_FULL, PROTOCOLS, UNIQUE
from paperclip_cli.evaluation import ranks
from paperclip_cli.evaluation.bootstrap import Shares
from paperclip_cli.evaluation.retrieval import Embeddings, standing
from tests.evaluation.test_retrieval import random_embeddings, sizes, unit, with_ties

MEASURES = ("recall_1", "recall_5", "recall_10", "median_rank", "mrr", "ndcg")


def gains_of(rank: int) -> dict[str, float]:
    """The measures of one true answer, as textbooks write them."""
    return {
        **{f"recall_{k}": float(rank <= k) for k in (1, 5, 10)},
        "mrr": 1 / rank,
        "ndcg": 1 / math.log2(1 + rank),
    }


def scores_of(found: Embeddings, protocol: str, direction: str, image: int) -> list[float]:
    """The similarities of the candidates of one image in float64, the true one first."""
    images, texts = found.images.astype(float), found.texts.astype(float)
    own = found.caption[image]
    every = range(len(images))
    if direction == IMAGE_TO_TEXT:
        others = (
            [one for one in range(len(texts)) if one != own]
            if protocol == UNIQUE
            else [found.caption[one] for one in every if one != image]
        )
        return [float(images[image] @ texts[one]) for one in (own, *others)]
    rivals = [
        one
        for one in every
        if (found.proposal[one] != found.proposal[image] if protocol == UNIQUE else one != image)
    ]
    return [float(texts[own] @ images[one]) for one in (image, *rivals)]


@given(
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(0, 10_000),
    st.sampled_from(DIRECTIONS),
    st.sampled_from((UNIQUE, PAPER_FULL)),
)
def test_every_measure_is_its_mean_over_all_orders_of_ties(
    captions: int, more: int, seed: int, direction: str, protocol: str
) -> None:
    """Compared with sorting the candidates in every possible order."""
    found = with_ties(captions + more, captions, seed)
    truth: dict[str, float] = dict.fromkeys(gains_of(1), 0.0)
    means = []
    for image in range(len(found.images)):
        scores = scores_of(found, protocol, direction, image)
        places = []
        for order in itertools.permutations(range(len(scores))):
            ranked = sorted(order, key=lambda place: -scores[place])  # it keeps the order of ties
            places.append(ranked.index(0) + 1)
        for name in truth:
            truth[name] += float(np.mean([gains_of(rank)[name] for rank in places]))
        means.append(np.mean(places))
    result = ranks.measure(standing(found, protocol, direction), found.proposal).named()
    assert tuple(result) == MEASURES
    assert result.pop("median_rank") == pytest.approx(np.median(means))
    assert result == pytest.approx({name: sum / len(means) for name, sum in truth.items()})


@pytest.mark.parametrize("protocol", (UNIQUE, PAPER_FULL))
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_they_are_those_of_sorted_lists(direction: str, protocol: str) -> None:
    found = random_embeddings(120, 45, seed=5)
    each = []
    for image in range(120):
        scores = scores_of(found, protocol, direction, image)
        first = 1 + sum(score > scores[0] for score in scores)
        equal = scores.count(scores[0])  # the caption of several images
        possible = range(first, first + equal)
        each.append({n: np.mean([gains_of(r)[n] for r in possible]) for n in gains_of(1)})
    result = ranks.measure(standing(found, protocol, direction), found.proposal).named()
    result.pop("median_rank")
    assert result == pytest.approx({n: np.mean([one[n] for one in each]) for n in gains_of(1)})


@given(sizes, st.sampled_from(DIRECTIONS), st.sampled_from((UNIQUE, PAPER_FULL)))
def test_nothing_depends_on_the_order_of_candidates(
    size: tuple[int, int, int], direction: str, protocol: str
) -> None:
    found = random_embeddings(*size)
    rng = np.random.default_rng(size[2])
    rows, columns = rng.permutation(len(found.images)), rng.permutation(len(found.texts))
    moved = Embeddings(
        found.images[rows],
        found.texts[columns],
        np.argsort(columns)[found.caption[rows]],
        found.proposal[rows],
    )
    before, after = (
        ranks.measure(standing(one, protocol, direction), one.proposal) for one in (found, moved)
    )
    assert after.named() == pytest.approx(before.named())
    assert after.chance == pytest.approx(before.chance)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_perfect_embeddings_have_the_best_values(direction: str) -> None:
    texts = np.eye(20, dtype=np.float32)
    caption = np.arange(50) % 20
    result = ranks.measure(
        standing(Embeddings(texts[caption], texts, caption, caption), UNIQUE, direction), caption
    )
    assert set(result.named().values()) == {1.0}
    assert set(result.interval.values()) == {(1.0, 1.0)}


@pytest.mark.parametrize("value", [0.5, math.nan])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_embeddings_that_tell_nothing_apart_are_at_chance(
    direction: str, protocol: str, value: float
) -> None:
    same = np.full((400, 4), value, np.float32)
    proposal = np.arange(400) // 3
    found = Embeddings(same, same[: proposal.max() + 1], proposal, proposal)
    result = ranks.measure(standing(found, protocol, direction), proposal)
    assert result.named() == pytest.approx(result.chance)
    assert result.recall[10] < 0.2


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_random_embeddings_are_at_chance(direction: str, protocol: str) -> None:
    found = random_embeddings(3_000, 1_000, seed=1, width=64)
    result = ranks.measure(standing(found, protocol, direction), found.proposal)
    for name, value in result.named().items():
        chance = result.chance[name]
        assert value == pytest.approx(chance, abs=0.06 * chance if name == "median_rank" else 0.02)
        low, high = result.interval[name]
        assert low <= value <= high


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=25), st.integers(0, 1_000), st.integers(1, 40)
)
def test_the_interval_of_a_median_is_that_of_repeated_items(
    values: list[int], seed: int, at_a_time: int
) -> None:
    """Compared with medians of lists in which every drawn group's items stand."""
    group = np.random.default_rng(seed).integers(0, 6, len(values))
    shares = Shares(group, seed)
    groups = len(np.unique(group))
    draws = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=1_000)
    place = np.unique(group, return_inverse=True)[1]
    medians = [np.median(np.repeat(values, draw[place])) for draw in draws]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paperclip_cli.evaluation.bootstrap._AT_A_TIME", at_a_time * len(values))
        median, bounds = shares.median(np.asarray(values, float))
    assert median == np.median(values)
    assert bounds == pytest.approx(tuple(np.quantile(medians, (0.025, 0.975))))


def test_one_candidate_is_always_first() -> None:
    texts = unit(np.ones((1, 3)))
    found = Embeddings(texts, texts, np.zeros(1, int), np.zeros(1, int))
    result = ranks.measure(standing(found), found.proposal)
    assert set(result.named().values()) == set(result.chance.values()) == {1.0}
