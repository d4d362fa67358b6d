"""Splits into train, validation and test by proposal, through a seeded hash.

No proposal is in two splits. Its place depends only on the seed and its own key: adding proposals
moves none of the others, and `--val-fraction` does not change the test split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from paperclip_cli.records import Key

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")


def position(key: Key, seed: int) -> float:
    """A uniform number in [0, 1): the first 53 bits of SHA-256 of `<seed>:<mission>:<proposal>`."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def assign(key: Key, val_fraction: float, test_fraction: float, seed: int) -> str:
    """The split of one proposal. Fractions 1 and 0, or 0 and 1, put every proposal in one split."""
    place = position(key, seed)
    if place < test_fraction:
        return TEST
    return VALIDATION if place < test_fraction + val_fraction else TRAIN


def split_keys(
    keys: Iterable[Key], val_fraction: float, test_fraction: float, seed: int
) -> dict[str, list[Key]]:
    """The distinct keys of each split, sorted. A split without proposals is absent."""
    chosen: dict[str, list[Key]] = {}
    for key in sorted(set(keys)):
        chosen.setdefault(assign(key, val_fraction, test_fraction, seed), []).append(key)
    assert_disjoint(chosen)
    return {split: chosen[split] for split in SPLITS if split in chosen}


def assert_disjoint(splits: dict[str, list[Key]]) -> None:
    """Makes sure that no proposal is in two splits, where scores would mean nothing.

    Raises:
        AssertionError: a proposal is in two splits.
    """
    home: dict[Key, str] = {}
    for split, keys in splits.items():
        for key in keys:
            if home.setdefault(key, split) != split:
                raise AssertionError(f"{key} is in {home[key]} and in {split}")
