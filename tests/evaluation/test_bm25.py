"""BM25 against values computed by hand, and its laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.evaluation.bm25 import Bm25

texts = st.lists(st.lists(st.sampled_from("abcde"), max_size=8), min_size=1, max_size=6)


def test_scores_are_those_worked_out_by_hand() -> None:
    """Three texts of 2, 4 and 6 words, 4 on average; `comet` is in two of them, `dust` in one."""
    found = Bm25(
        [
            ["comet", "tail"],
            ["comet", "comet", "dust", "tail"],
            ["galaxy", "arm", "arm", "star", "gas", "halo"],
        ]
    )
    comet, dust = math.log(1 + 1.5 / 2.5), math.log(1 + 2.5 / 1.5)
    short, mean = 1.2 * (0.25 + 0.75 * 2 / 4), 1.2
    expected = [comet * 1 / (1 + short), comet * 2 / (2 + mean) + dust * 1 / (1 + mean), 0]
    np.testing.assert_allclose(found.scores(["comet", "dust", "quasar"]), expected, rtol=1e-6)


def test_a_word_that_is_asked_for_twice_counts_twice() -> None:
    found = Bm25([["comet"], ["galaxy", "comet"]])
    np.testing.assert_allclose(found.scores(["comet", "comet"]), 2 * found.scores(["comet"]))


@given(texts, st.lists(st.sampled_from("abcdefg"), max_size=5))
def test_scores_are_never_negative_and_add_up_over_words(
    given_texts: list[list[str]], query: list[str]
) -> None:
    found = Bm25(given_texts)
    scores = found.scores(query)
    assert (scores >= 0).all() and scores.shape == (len(given_texts),)
    np.testing.assert_allclose(
        scores, sum((found.scores([word]) for word in query), np.zeros(len(given_texts))), atol=1e-6
    )
    assert [score > 0 for score in scores] == [bool(set(text) & set(query)) for text in given_texts]


def test_vectors_of_many_queries_give_the_scores_of_each() -> None:
    found = Bm25([["comet", "tail"], ["dust"], []])
    queries = [["comet"], ["dust", "tail"], ["nothing"]]
    asked, known = found.vectors(queries)
    np.testing.assert_allclose(asked @ known.T, [found.scores(query) for query in queries])
    assert found.scores(["nothing"]) == pytest.approx([0, 0, 0])
