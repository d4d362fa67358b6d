"""Retrieval by class: laws, and plain loops over every order of ties as independent truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.evaluation import classes
from tests.evaluation.test_retrieval import unit


def textbook(right: list[bool]) -> tuple[float, float]:
    """Precision of the first ten and average precision of one ranking, as textbooks write them."""
    precision = sum(right[:10]) / len(right[:10])
    seen, total = 0, 0.0
    for place, is_right in enumerate(right, 1):
        seen += is_right
        total += is_right * seen / place
    return precision, total / seen


def rivals(label: np.ndarray, proposal: np.ndarray, image: int, strict: bool) -> list[int]:
    return [
        other
        for other in range(len(label))
        if (other != image if strict else proposal[other] != proposal[image])
    ]


@given(st.integers(2, 6), st.integers(0, 10_000), st.booleans())
def test_every_measure_is_its_mean_over_all_orders_of_ties(
    count: int, seed: int, strict: bool
) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(-1, 2, (count, 2)).astype(np.float32)
    label, proposal = rng.integers(0, 2, count), rng.integers(0, 4, count)
    found = classes.by_image(images, label, proposal, strict)
    truth = []
    for image in range(count):
        others = rivals(label, proposal, image, strict)
        if not any(label[other] == label[image] for other in others):
            continue
        scores = {other: float(images[image] @ images[other]) for other in others}
        each, every = [], []
        for order in itertools.permutations(others):
            ranked = sorted(order, key=lambda other: -scores[other])  # it keeps the order of ties
            each.append(textbook([label[other] == label[image] for other in ranked]))
            every.append(textbook([label[other] == label[image] for other in order]))
        truth.append((image, *np.mean(each, axis=0), *np.mean(every, axis=0)))
    assert list(found.rows) == [row[0] for row in truth]
    for column, values in enumerate(found[1:], 1):
        assert list(values) == pytest.approx([row[column] for row in truth])


@pytest.mark.parametrize("strict", [False, True])
def test_they_are_those_of_sorted_lists(strict: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "_CELLS", 1_000)  # several blocks
    rng = np.random.default_rng(3)
    images = unit(rng.normal(size=(150, 8)))
    label, proposal = rng.integers(0, 5, 150), rng.integers(0, 60, 150)
    found = classes.by_image(images, label, proposal, strict)
    assert list(found.rows) == list(range(150))
    for image in range(150):
        others = rivals(label, proposal, image, strict)
        others.sort(key=lambda other: -float(images[image].astype(float) @ images[other]))
        truth = textbook([label[other] == label[image] for other in others])
        assert (found.precision[image], found.average[image]) == pytest.approx(truth)
        share = sum(label[other] == label[image] for other in others) / len(others)
        assert found.base[image] == pytest.approx(share)


@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 1_000), st.booleans())
def test_nothing_depends_on_the_order_of_images(
    count: int, several: int, seed: int, strict: bool
) -> None:
    rng = np.random.default_rng(seed)
    images = unit(rng.normal(size=(count, 6)))
    label, proposal = rng.integers(0, several, count), rng.integers(0, count, count)
    rows = rng.permutation(count)
    before = classes.by_image(images, label, proposal, strict)
    after = classes.by_image(images[rows], label[rows], proposal[rows], strict)
    back = np.argsort(rows[after.rows], kind="stable")
    np.testing.assert_array_equal(rows[after.rows][back], before.rows)
    for one, other in zip(before[1:], after[1:], strict=True):
        np.testing.assert_allclose(other[back], one)


def test_perfect_embeddings_have_the_best_values() -> None:
    names = np.eye(4, dtype=np.float32)
    label = np.repeat(np.arange(4), 15)
    found = classes.by_image(names[label], label, np.arange(60), strict=False)
    assert set(found.precision) == {1.0} and found.average == pytest.approx(1)
    assert set(classes.zero_shot(names[label], names, label)) == {1.0}


@pytest.mark.parametrize("value", [0.3, math.nan])
def test_embeddings_that_tell_nothing_apart_are_at_chance(value: float) -> None:
    same = np.full((300, 7), value, np.float32)
    label, proposal = np.arange(300) % 7 % 4, np.arange(300) // 2
    found = classes.by_image(same, label, proposal, strict=False)
    assert found.precision == pytest.approx(found.base)
    assert found.average == pytest.approx(found.average_chance)
    assert classes.zero_shot(same, same[:4], label) == pytest.approx(1 / 4)


def test_one_embedding_that_is_no_number_is_never_right_by_it() -> None:
    names = np.eye(2, dtype=np.float32)
    label = np.arange(40) % 2
    images = names[label]
    images[0] = math.nan
    found = classes.by_image(images, label, np.arange(40), strict=False)
    assert found.average[0] == pytest.approx(found.average_chance[0])
    assert found.average[2] == pytest.approx(textbook([True] * 18 + [False] * 20 + [True])[1]), (
        "it is the last of the others' candidates"
    )
    assert classes.zero_shot(images, names, label)[0] == 0.5


def test_random_embeddings_are_at_chance() -> None:
    rng = np.random.default_rng(0)
    label = rng.choice(4, size=1_500, p=[0.5, 0.3, 0.15, 0.05])
    images, names = unit(rng.normal(size=(1_500, 32))), unit(rng.normal(size=(4, 32)))
    found = classes.by_image(images, label, np.arange(1_500), strict=False)
    assert found.precision.mean() == pytest.approx(found.base.mean(), abs=0.02)
    assert found.average.mean() == pytest.approx(found.average_chance.mean(), abs=0.01)
    assert classes.zero_shot(images, names, label).mean() == pytest.approx(0.25, abs=0.06)


def test_an_image_that_is_alone_in_its_class_has_no_right_answer() -> None:
    label, proposal = np.asarray([0, 0, 1, 2, 2]), np.asarray([0, 1, 2, 3, 3])
    images = unit(np.random.default_rng(0).normal(size=(5, 3)))
    assert list(classes.by_image(images, label, proposal, strict=False).rows) == [0, 1]
    assert list(classes.by_image(images, label, proposal, strict=True).rows) == [0, 1, 3, 4]
    alone = classes.by_image(images, np.arange(5), proposal, strict=True)
    assert [len(values) for values in alone] == [0] * 5


def test_means_by_class_and_by_image_differ() -> None:
    label, proposal = np.asarray([0, 0, 0, 1]), np.arange(4)
    result = classes.measured(np.asarray([1.0, 1.0, 1.0, 0.0]), label, proposal, 0.5)
    assert (result.value, result.by_class, result.chance) == (0.75, 0.5, 0.5)
    assert result.interval[0] < 0.75 <= result.interval[1]
