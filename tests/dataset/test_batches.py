"""Batches follow from seed and step alone; the look-ahead changes only the timing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.dataset.batches import (
    Batches,
    Pictures,
    Texts,
    batch_rows,
    exchanged,
    look_ahead,
)
from paperclip_cli.dataset.captions import longest_run, prepare

STORE = np.arange(10 * 4 * 4 * 3, dtype=np.uint8).reshape(10, 4, 4, 3)


def encode(texts: Sequence[str]) -> list[list[int]]:
    """A stand-in for a tokenizer: one token per character that is no space."""
    return [[0, *(ord(sign) for sign in text if sign != " "), 1] for text in texts]


def padded(texts: Sequence[list[int]]) -> np.ndarray:
    """The first letter and the number in the first sentence of each text."""
    found = [(chr(ids[1]), "".join(map(chr, ids[1:-1])).partition("of")[2][0]) for ids in texts]
    return np.asarray([[ord(letter), int(number)] for letter, number in found], np.int32)


def batches(seed: int = 0, part: slice = slice(None)) -> Batches:
    captions = prepare([f"First of {i}. Second of {i}. Third of {i}." for i in range(10)], encode)
    texts = Texts(
        captions=captions, own=np.arange(10), draw=longest_run, room=19, seed=seed, padded=padded
    )
    return Batches(
        inputs=Pictures(lambda rows: STORE[rows], texts),
        groups=np.arange(10),
        size=4,
        seed=seed,
        part=part,
    )


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 5), st.integers(0, 9))
def test_an_epoch_shows_every_pair_once_but_for_the_left_over(
    count: int, size: int, epoch: int, seed: int
) -> None:
    size = min(size, count)
    steps = count // size
    first = epoch * steps
    rows = [batch_rows(step, count, size, seed) for step in range(first, first + steps)]
    assert {number for number, _ in rows} == {epoch}
    shown = np.concatenate([part for _, part in rows])
    assert len(set(shown)) == len(shown) == steps * size and set(shown) <= set(range(count))


def test_every_pair_has_its_turn() -> None:
    shown = np.concatenate([batch_rows(step, 10, 4, 0)[1] for step in range(20)])
    assert set(shown) == set(range(10))


def test_batches_depend_on_seed_and_step_alone() -> None:
    one, again, other = batches(), batches(), batches(seed=1)
    backwards = {step: again[step] for step in reversed(range(6))}
    for step in range(6):
        for mine, theirs in zip(one[step], backwards[step], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert any(not np.array_equal(one[step].images, other[step].images) for step in range(6))


def test_image_and_caption_stay_together() -> None:
    made = batches()
    for step in range(8):
        images, tokens, groups = made[step]
        stored = [STORE[number].tobytes() for number in tokens[:, 1]]
        assert stored == [image.tobytes() for image in images]
        assert groups.tolist() == tokens[:, 1].tolist()


def test_parts_of_a_batch_are_the_batch() -> None:
    whole, parts = batches(), [batches(part=slice(0, 3)), batches(part=slice(3, 4))]
    for step in range(4):
        for mine, *theirs in zip(whole[step], *(part[step] for part in parts), strict=True):
            np.testing.assert_array_equal(mine, np.concatenate(theirs))


groups_of_pairs = st.lists(st.integers(0, 5), min_size=2, max_size=30).map(
    lambda values: np.unique(values, return_inverse=True)[1]
)


@given(groups_of_pairs, st.integers(1, 6), st.integers(0, 9))
def test_unique_batches_hold_no_proposal_twice_and_have_all_pairs_in_time(
    groups: np.ndarray, size: int, seed: int
) -> None:
    size = min(size, int(groups.max()) + 1)
    made = Batches(inputs=batches().inputs, groups=groups, size=size, seed=seed, unique=True)
    steps = 60 * ((int(groups.max()) + 1) // size)
    rows = [made.rows(step)[1] for step in range(steps)]
    assert all(len(set(groups[part])) == len(part) == size for part in rows)
    assert made.rows(steps - 1)[0] == 59
    if size == int(groups.max()) + 1 and len(groups) <= 12:
        assert set(np.concatenate(rows)) == set(range(len(groups)))


@given(groups_of_pairs.filter(lambda groups: groups.max() > 0), st.integers(0, 9))
def test_exchanged_texts_are_another_proposals(groups: np.ndarray, seed: int) -> None:
    own = 100 + groups
    moved = exchanged(own, groups, seed)
    assert all(mine != theirs for mine, theirs in zip(own, moved, strict=True))
    given = set(zip(groups.tolist(), moved.tolist(), strict=True))
    assert len(given) == len(set(own)) == len(set(moved))


def test_captions_change_from_epoch_to_epoch() -> None:
    made = batches()
    runs = {tuple(row) for step in range(20) for row in made[step].texts.tolist()}
    assert len(runs) > 10, "each of 10 captions has two runs that fit"


@given(st.lists(st.integers()), st.integers(1, 4))
def test_look_ahead_gives_the_same_items(items: list[int], depth: int) -> None:
    assert list(look_ahead(items, depth)) == items


def test_look_ahead_raises_what_was_raised_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("at the second")

    made = look_ahead(failing())
    assert next(made) == 1
    with pytest.raises(ValueError, match="at the second"):
        next(made)


def test_look_ahead_is_ahead_but_not_by_more_than_its_depth_and_stops_when_closed() -> None:
    made: list[int] = []
    is_made = threading.Semaphore(0)

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            is_made.release()
            yield made[-1]

    before = threading.active_count()
    with closing(look_ahead(endless(), 2)) as items:
        assert next(items) == 0
        for _ in range(4):
            is_made.acquire()
        time.sleep(0.05)  # a fifth would come at once
        assert len(made) == 4, "one was taken, two wait, one is in hand"
    assert threading.active_count() == before
