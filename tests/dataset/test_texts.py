"""Texts of a split: each distinct one once, in the order of the pairs, and without images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.dataset.pairs import Pair, write_split
from paperclip_cli.dataset.texts import PairTexts, read_texts, texts_of
from paperclip_cli.errors import PaperclipError
from tests.factories import pair

written = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["", "a", "b; c"]), st.booleans()).map(
        lambda drawn: replace(
            pair(drawn[0], image=b"\xff\xd8\xff"),
            caption=drawn[1],
            summary=drawn[1] if drawn[2] else None,
        )
    ),
    min_size=1,
    max_size=12,
)


def same(one: PairTexts, other: PairTexts) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


@given(written)
def test_texts_are_those_of_the_pairs(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[Pair]
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    write_split(folder, "train", pairs)
    found = read_texts(folder, "train")
    assert same(found, texts_of(pairs)) and len(found) == len(pairs)
    assert [found.captions[own] for own in found.caption] == [one.caption for one in pairs]
    assert [found.proposals[own] for own in found.proposal] == [one.key for one in pairs]
    assert found.captions == list(dict.fromkeys(one.caption for one in pairs))
    assert found.proposals == list(dict.fromkeys(one.key for one in pairs))
    assert found.are_summaries == all(one.caption == one.summary for one in pairs)


def test_a_missing_split_is_told(tmp_path: Path) -> None:
    write_split(tmp_path, "train", [pair(1)])
    with pytest.raises(PaperclipError, match="no split 'test'"):
        read_texts(tmp_path, "test")
