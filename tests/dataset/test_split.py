"""Splits are stable, disjoint and of the requested size."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.dataset.split import SPLITS, assert_disjoint, assign, position, split_keys
from paperclip_cli.records import Key

keys = st.builds(Key, st.sampled_from(["hst", "jwst", "local"]), st.integers(1, 10**6))
fractions = st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda pair: sum(pair) <= 1)


@given(st.sets(keys), st.sets(keys), fractions, st.integers(0, 2**32))
def test_adding_proposals_moves_none(
    old: set[Key], new: set[Key], shares: tuple[float, float], seed: int
) -> None:
    before = split_keys(old, *shares, seed)
    after = split_keys(old | new, *shares, seed)
    for split, members in before.items():
        assert set(members) == set(after[split]) & old


@given(st.lists(keys), fractions, st.integers(0, 2**32))
def test_every_proposal_is_in_one_split_and_none_is_empty(
    found: list[Key], shares: tuple[float, float], seed: int
) -> None:
    splits = split_keys(found, *shares, seed)
    members = [key for keys in splits.values() for key in keys]
    assert sorted(members) == sorted(set(found))
    assert all(splits.values())
    assert list(splits) == [split for split in SPLITS if split in splits]


@given(st.sets(keys, min_size=1), st.integers(0, 2**32))
def test_shares_of_one_and_nought_take_all(found: set[Key], seed: int) -> None:
    assert list(split_keys(found, 1.0, 0.0, seed)) == ["validation"]
    assert list(split_keys(found, 0.0, 1.0, seed)) == ["test"]
    assert list(split_keys(found, 0.0, 0.0, seed)) == ["train"]


@given(keys, st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5), st.integers(0, 2**32))
def test_the_validation_share_does_not_change_the_test_split(
    key: Key, first: float, second: float, test: float, seed: int
) -> None:
    assert (assign(key, first, test, seed) == "test") == (assign(key, second, test, seed) == "test")


def test_shares_are_met_and_missions_are_apart() -> None:
    splits = Counter(assign(Key("hst", number), 0.1, 0.2, 42) for number in range(20_000))
    assert splits["validation"] == pytest.approx(2_000, rel=0.1)
    assert splits["test"] == pytest.approx(4_000, rel=0.1)
    assert all(0 <= position(Key("hst", number), 42) < 1 for number in range(1_000))
    hubble, webb = position(Key("hst", 1), 42), position(Key("jwst", 1), 42)
    assert hubble != webb != position(Key("jwst", 1), 43)


def test_the_place_of_a_proposal_never_changes() -> None:
    """Recorded once: any other value would silently mix held-out and training proposals."""
    for number in (15354, 12577, 1, 2, 3):
        assert assign(Key("hst", number), 0.1, 0.1, 42) == "train"
    assert position(Key("hst", 15354), 42) == pytest.approx(0.3219770093643589, abs=1e-15)


def test_a_proposal_on_two_sides_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"hst:1 is in train and in test"):
        assert_disjoint({"train": [Key("hst", 1)], "test": [Key("hst", 1)]})
