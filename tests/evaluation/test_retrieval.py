"""Retrieval: laws of ranks and accuracy, and the loss against that of training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.config.evaluation import (
    DIRECTIONS,
    IMAGE_TO_TEXT,
    PAPER_BATCH,
    PAPER_FULL,
    PROTOCOLS,
    TEXT_TO_IMAGE,
    UNIQUE,
)
from paperclip_cli.errors import PaperclipError
from paperclip_cli.evaluation import retrieval
from paperclip_cli.evaluation.retrieval import Accuracy, Embeddings, Standing, measure, standing


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def random_embeddings(images: int, captions: int, seed: int, width: int = 16) -> Embeddings:
    """Random directions; every caption has an image and belongs to one proposal."""
    rng = np.random.default_rng(seed)
    caption = rng.permutation(
        np.concatenate([np.arange(captions), rng.integers(captions, size=images - captions)])
    )
    return Embeddings(
        unit(rng.normal(size=(images, width))),
        unit(rng.normal(size=(captions, width))),
        caption,
        caption,
    )


def accuracy(
    rank: np.ndarray, proposal: np.ndarray, total: int, percents: Sequence[int] = retrieval.PERCENTS
) -> Accuracy:
    """The accuracy of answers at these ranks among `total` candidates."""
    images = np.arange(len(rank))
    ranked = Standing(images, rank - 1, np.zeros_like(images), np.full_like(images, total))
    return measure(ranked, proposal, percents)


sizes = st.tuples(st.integers(1, 30), st.integers(0, 30), st.integers(0, 1000)).map(
    lambda s: (s[0] + s[1], s[0], s[2])
)


@given(sizes, st.sampled_from(DIRECTIONS), st.sampled_from((UNIQUE, PAPER_FULL)))
def test_nothing_depends_on_the_order_of_images_and_captions(
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
    before, after = standing(found, protocol, direction), standing(moved, protocol, direction)
    np.testing.assert_array_equal(after.better, before.better[rows])
    np.testing.assert_array_equal(after.tied, before.tied[rows])


def with_ties(images: int, captions: int, seed: int) -> Embeddings:
    """Small whole numbers: their products are exact, and often equal."""
    rng = np.random.default_rng(seed)
    caption = np.concatenate([np.arange(captions), rng.integers(captions, size=images - captions)])
    return Embeddings(
        rng.integers(-1, 2, (images, 3)).astype(np.float32),
        rng.integers(-1, 2, (captions, 3)).astype(np.float32),
        caption,
        caption,
    )


def reference_scores(found: Embeddings, direction: str, image: int) -> tuple[list[float], int]:
    """The similarities that the paper sorts for one pair, and the place of the true one.

    They are those of all pairs, with a strict diagonal.
    """
    if direction == IMAGE_TO_TEXT:
        return [
            float(found.images[image] @ found.texts[found.caption[other]])
            for other in range(len(found.images))
        ], image
    return [
        float(found.texts[found.caption[image]] @ found.images[other])
        for other in range(len(found.images))
    ], image


@given(
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(0, 10_000),
    st.sampled_from(DIRECTIONS),
    st.integers(1, 6),
)
def test_a_tie_of_the_paper_counts_by_its_chance_in_arbitrary_order(
    captions: int, more: int, seed: int, direction: str, top: int
) -> None:
    """Compared with sorting the candidates in every possible order."""
    found = with_ties(captions + more, captions, seed)
    hits = standing(found, PAPER_FULL, direction).hits(top)
    for image in range(len(found.images)):
        scores, true = reference_scores(found, direction, image)
        orders = list(itertools.permutations(range(len(scores))))
        # sorted() keeps the order of ties.
        firsts = [sorted(order, key=lambda place: -scores[place])[:top] for order in orders]
        assert hits[image] == pytest.approx(np.mean([true in first for first in firsts]))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_papers_protocols_are_those_of_plain_loops(direction: str) -> None:
    """430 images, in batches of 100 in a drawn order: the third one is the last that counts."""
    found = random_embeddings(430, 150, seed=6)
    drawn = np.random.default_rng(0).permutation(430)
    for protocol, rows, batch in ((PAPER_FULL, 430, 430), (PAPER_BATCH, 300, 100)):
        order = drawn if protocol == PAPER_BATCH else np.arange(430)
        right = dict.fromkeys(retrieval.PERCENTS, 0)
        for first in range(0, rows, batch):
            part = order[first : first + batch]
            images, texts = found.images[part], found.texts[found.caption[part]]
            for i in range(batch):
                one, many = (images[i], texts) if direction == IMAGE_TO_TEXT else (texts[i], images)
                scores = [float(np.dot(one, other)) for other in many]
                ahead = sum(score > scores[i] + 1e-6 for score in scores)
                tied = sum(abs(score - scores[i]) <= 1e-6 for score in scores)
                for k in right:
                    right[k] += min(max((k * batch // 100 - ahead) / tied, 0), 1)
        result = measure(standing(found, protocol, direction), found.proposal)
        assert result.by_image == {k: pytest.approx(count / rows) for k, count in right.items()}
        assert result.chance == {k: pytest.approx(k * batch // 100 / batch) for k in right}


def test_too_few_images_for_the_papers_batches_are_refused() -> None:
    with pytest.raises(PaperclipError, match="200 images are too few"):
        standing(random_embeddings(200, 50, seed=1), PAPER_BATCH)
    assert len(standing(random_embeddings(201, 50, seed=1), PAPER_BATCH).rows) == 100


def test_a_second_image_of_the_proposal_is_wrong_for_the_paper_only() -> None:
    """With two perfect images a proposal, the paper's strict diagonal halves the top-1 score."""
    texts = np.eye(30, dtype=np.float32)
    caption = np.repeat(np.arange(30), 2)
    found = Embeddings(texts[caption], texts, caption, caption)
    assert standing(found, UNIQUE).hits(1).tolist() == [1.0] * 60
    assert standing(found, PAPER_FULL).hits(1).tolist() == [0.5] * 60
    assert standing(found, PAPER_FULL).hits(2).tolist() == [1.0] * 60


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_some_of_the_images_are_ranked_among_all_candidates(protocol: str) -> None:
    found = random_embeddings(320, 90, seed=2)
    chosen = np.arange(320) % 3 == 0
    all_of_them, some = standing(found, protocol), standing(found, protocol).among(chosen)
    assert len(some.rows) == np.count_nonzero(chosen[all_of_them.rows])
    np.testing.assert_array_equal(some.rank, all_of_them.rank[chosen[all_of_them.rows]])
    assert measure(some, found.proposal).by_image[10] == pytest.approx(
        all_of_them.hits(all_of_them.tops(10))[chosen[all_of_them.rows]].mean()
    )


@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=1, max_size=12),
    st.integers(0, 100),
)
def test_a_tie_counts_at_the_mean_of_the_ranks_it_may_have(
    texts: list[list[int]], seed: int
) -> None:
    """Compared with the mean over two explicit orders: all tied candidates ahead, or all behind."""
    rng = np.random.default_rng(seed)
    images = rng.integers(-2, 3, (len(texts), 3)).astype(np.float32)
    found = Embeddings(
        images, np.asarray(texts, np.float32), np.arange(len(texts)), np.arange(len(texts))
    )
    for image, rank in enumerate(standing(found).rank):
        scores = [float(images[image] @ text) for text in found.texts]
        others = scores[:image] + scores[image + 1 :]
        best = 1 + sum(score > scores[image] for score in others)
        worst = 1 + sum(score >= scores[image] for score in others)
        assert rank == (best + worst) / 2


@pytest.mark.parametrize("value", [0.5, math.nan])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_embeddings_that_tell_nothing_apart_are_at_chance(
    direction: str, protocol: str, value: float
) -> None:
    same = np.full((400, 4), value, np.float32)
    proposal = np.arange(400) // 3
    found = Embeddings(same, same[: proposal.max() + 1], proposal, proposal)
    result = measure(standing(found, protocol, direction), proposal)
    assert result.by_image == {k: pytest.approx(chance) for k, chance in result.chance.items()}


def test_perfect_embeddings_are_right_in_the_papers_batches() -> None:
    """At the paper's size: 3,194 images of 429 proposals, one direction for each proposal.

    In key order a batch of 100 would hold 14 proposals, and score about 0.8.
    """
    proposal = np.sort(np.random.default_rng(0).integers(0, 429, 3_194))
    texts = unit(np.random.default_rng(1).normal(size=(429, 512)))
    found = Embeddings(texts[proposal], texts, proposal, proposal)
    for direction in DIRECTIONS:
        result = measure(standing(found, PAPER_BATCH, direction), proposal, (10,))
        assert result.by_image[10] > 0.999
    batches = retrieval.batch_rows(3_194, PAPER_BATCH)
    assert np.mean([len(set(proposal[rows])) for rows in batches]) > 80


def test_images_of_other_proposals_compete_though_their_captions_are_equal() -> None:
    """Compared with a plain loop, where half of the cut captions are one text."""
    rng = np.random.default_rng(7)
    proposal = rng.integers(0, 60, 200)
    texts = unit(rng.normal(size=(31, 16)))
    caption = np.where(np.arange(60) < 30, 30, np.arange(60) - 30)[proposal]
    found = Embeddings(unit(rng.normal(size=(200, 16))), texts, caption, proposal)
    hits = dict.fromkeys(retrieval.PERCENTS, 0.0)
    chance = dict.fromkeys(retrieval.PERCENTS, 0.0)
    for image in range(200):
        others = [other for other in range(200) if proposal[other] != proposal[image]]
        scores = [float(texts[caption[image]] @ found.images[one]) for one in [image, *others]]
        ahead = sum(score > scores[0] for score in scores)
        for k in hits:
            top = k * len(scores) // 100
            hits[k] += (ahead < top) / 200
            chance[k] += top / len(scores) / 200
    result = measure(standing(found, UNIQUE, TEXT_TO_IMAGE), proposal)
    assert result.by_image == pytest.approx(hits)
    assert result.chance == pytest.approx(chance)
    assert result.by_image[10] == pytest.approx(result.chance[10], abs=0.08)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_random_embeddings_are_at_chance(direction: str, protocol: str) -> None:
    found = random_embeddings(4_000, 1_500, seed=1, width=64)
    result = measure(standing(found, protocol, direction), found.proposal)
    for k in retrieval.PERCENTS:
        assert result.by_image[k] == pytest.approx(
            result.chance[k], abs=4 * math.sqrt(result.chance[k] / 4_000)
        )
        assert result.chance[k] == pytest.approx(k / 100, abs=1e-3)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_perfect_embeddings_fall_to_chance_when_they_are_shuffled(protocol: str) -> None:
    texts = unit(np.random.default_rng(3).normal(size=(400, 64)))
    caption = np.random.default_rng(4).integers(400, size=1_200)
    found = Embeddings(texts[caption], texts, caption, caption)
    mixed = retrieval.shuffled(found)
    assert not np.any(mixed.caption == found.caption)
    assert sorted(np.bincount(mixed.caption, minlength=400)) == sorted(
        np.bincount(caption, minlength=400)
    )
    low, high = measure(standing(mixed, protocol), mixed.proposal).interval[10] or (
        math.nan,
        math.nan,
    )
    assert low <= 0.1 <= high


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_perfect_embeddings_rank_first(direction: str) -> None:
    texts = np.eye(20, dtype=np.float32)
    caption = np.arange(50) % 20
    found = Embeddings(texts[caption], texts, caption, caption)
    if direction == TEXT_TO_IMAGE:  # images with the same caption do not compete
        assert set(standing(found, UNIQUE, direction).rank) == {1.0}
    result = accuracy(standing(found, UNIQUE, direction).rank, caption, 20)
    assert result.by_image == {1: None, 5: 1.0, 10: 1.0, 20: 1.0}
    assert result.chance == {1: 0.0, 5: 0.05, 10: 0.1, 20: 0.2}
    assert result.interval[1] is None and result.interval[10] == (1.0, 1.0)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(0, 100))
def test_accuracy_is_monotonous_and_inside_its_interval_of_proposals(
    rank: list[int], seed: int
) -> None:
    proposal = np.sort(np.random.default_rng(seed).integers(0, 5, len(rank)))
    proposal = np.unique(proposal, return_inverse=True)[1]
    result = accuracy(np.asarray(rank, float), proposal, 50, percents=(2, 10, 50, 100))
    shares = [value for value in result.by_image.values() if value is not None]
    assert shares == sorted(shares) and shares[-1] == 1.0
    for k, bounds in result.interval.items():
        per_proposal = [
            np.mean(np.asarray(rank)[proposal == p] <= k // 2) for p in range(proposal.max() + 1)
        ]
        assert bounds is not None
        assert min(per_proposal) - 1e-9 <= bounds[0] <= bounds[1] <= max(per_proposal) + 1e-9
        assert result.by_proposal[k] == pytest.approx(np.mean(per_proposal))


def test_the_interval_is_that_of_proposals_not_of_images() -> None:
    """4 proposals of 25 images, each all right or all wrong: as uncertain as 4 throws of a coin."""
    proposal = np.repeat(np.arange(4), 25)
    low, high = accuracy(np.where(proposal < 2, 1.0, 50.0), proposal, 100).interval[10]
    assert (low, high) == (0.0, 1.0)


def test_similarity_of_true_and_of_shuffled_pairs() -> None:
    found = random_embeddings(30, 12, seed=3)
    every = found.images @ found.texts.T
    mine = np.arange(12)[None, :] == found.caption[:, None]
    true, shuffled = retrieval.similarity(found)
    assert true == pytest.approx(every[mine].mean(), abs=1e-6)
    assert shuffled == pytest.approx(every[~mine].mean(), abs=1e-6)


def test_the_loss_is_that_of_training() -> None:
    from paperclip_cli.training.losses import Objective

    found = random_embeddings(60, 50, seed=4)
    expected = Objective()(
        {"logit_scale": np.float32(math.log(20))}, found.images, found.texts[found.caption]
    )
    assert retrieval.loss(found, 20.0) == pytest.approx(float(expected), rel=1e-5)


def test_every_image_counts_in_the_loss() -> None:
    """101 images make batches of 51 and 50; at scale 0 each loss is the logarithm of the size."""
    found = random_embeddings(101, 101, seed=5)
    assert retrieval.loss(found, 0.0) == pytest.approx(
        (51 * math.log(51) + 50 * math.log(50)) / 101
    )


def test_the_loss_of_the_papers_batches_is_that_of_each_in_order() -> None:
    found = random_embeddings(330, 100, seed=8)
    values = retrieval.losses(found, 20.0, retrieval.batch_rows(330, PAPER_BATCH))
    order = np.random.default_rng(0).permutation(330)
    for rows in (order[:100], order[100:200]):
        assert values[rows].mean() == pytest.approx(retrieval.loss(found.rows(rows), 20.0))
    assert np.isnan(values[order[200:]]).all()


def test_one_image_alone() -> None:
    one = Embeddings(
        np.ones((1, 1), np.float32), np.ones((1, 1), np.float32), np.zeros(1, int), np.zeros(1, int)
    )
    assert standing(one).rank.tolist() == [1.0]
    assert retrieval.loss(one, 50.0) == 0.0
    true, shuffled = retrieval.similarity(one)
    assert true == 1.0 and math.isnan(shuffled)
