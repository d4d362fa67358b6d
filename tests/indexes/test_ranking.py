"""The order of hits: by cosine, by words, or by both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.indexes.database import Entry, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.ranking import (
    hybrid_order,
    keyword_order,
    keyword_strengths,
    match_expression,
    named_rows,
    ranked,
)
from paperclip_cli.records import Key, Observation, Proposal

SCORES = st.lists(st.integers(-3, 3), max_size=400).map(lambda values: np.array(values, np.float32))


@given(SCORES)
def test_places_come_from_the_highest_score_down(scores: np.ndarray) -> None:
    assert list(ranked(scores)) == np.argsort(-scores, kind="stable").tolist()


@given(SCORES, st.data())
def test_by_words_then_by_score(scores: np.ndarray, data: st.DataObject) -> None:
    strength = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=len(scores), max_size=len(scores))), float
    )
    places = sorted(
        np.flatnonzero(strength).tolist(),
        key=lambda place: (-strength[place], -scores[place], place),
    )
    assert keyword_order(strength, scores).tolist() == places

    named = strength == 2
    order = hybrid_order(strength, scores, named).tolist()
    assert sorted(order) == list(range(len(scores)))
    assert named[order[: named.sum()]].all(), "what is named comes first"
    without = hybrid_order(strength, scores, named & False).tolist()
    for group in (named, ~named):
        assert [place for place in order if group[place]] == [
            place for place in without if group[place]
        ]


def test_hybrid_puts_first_what_both_orders_put_high() -> None:
    scores, none = np.array([0.9, 0.8, 0.7, 0.1]), np.zeros(4, bool)
    assert hybrid_order(np.array([0.0, 0, 0, 0]), scores, none).tolist() == [0, 1, 2, 3]
    assert hybrid_order(np.array([0.0, 2, 0, 0]), scores, none).tolist() == [1, 0, 2, 3]


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("NGC 4038", '"NGC 4038"'),
        ("SN1987A remnant", '"SN 1987 A" OR "remnant"'),
        ("galaxy mergers", '"galaxy" OR "mergers"'),
        ("Sh 2-170", '"Sh 2 170"'),
        ("SNR G116.9+00.1", '"SNR" OR "G 116 9 00 1"'),
        ("47Tuc", '"47 Tuc"'),
        ("J0123-45", '"J 0123 45"'),
        ("edge-on", '"edge" OR "on"'),
        ("NGC 4038 4039", '"NGC 4038" OR "4039"'),
        ("at z=2. Then", '"at" OR "z" OR "2" OR "Then"'),
        ('"; DROP" OR *', '"DROP" OR "OR"'),
        ("…", ""),
    ],
)
def test_names_with_numbers_are_phrases(words: str, expression: str) -> None:
    assert match_expression(words) == expression


def test_words_are_found_in_titles_targets_and_abstracts(tmp_path: Path) -> None:
    texts = [
        ("Star clusters", "We observe the Antennae, NGC 4038 and its neighbour."),
        ("The Antennae", "Mergers of galaxies."),
        ("Planets", "Jupiter. " * 20),
        ("Nothing", "of the sort"),
    ]
    keys = [Key("hst", number) for number in range(4)]
    entries = [
        Entry(
            path=f"{number}{image}",
            size=1,
            mtime_ns=1,
            sha256="x",
            key=key,
            observation=Observation(target="NGC4039" if number == 2 else None),
            tiles=2,
        )
        for number, key in enumerate(keys)
        for image in "ab"
    ]
    proposals = {
        key: Proposal(
            mission=key.mission, proposal_id=key.proposal_id, abstract=abstract, title=title
        )
        for key, (title, abstract) in zip(keys, texts, strict=True)
    }
    write_observations(tmp_path / "o.sqlite", entries, proposals, {})
    observations = Observations(tmp_path / "o.sqlite")

    def found(words: str) -> list[int]:
        strength = keyword_strengths(observations, words, 16)
        places = keyword_order(strength, np.zeros(16)).tolist()
        return list(dict.fromkeys(place // 4 for place in places))

    assert found("NGC4038") == [0] and found("ngc 4039") == [2] and found("NGC 403") == []
    assert found("antennae") == [1, 0], "a title says more than an abstract"
    assert found("jupiter") == [2] and found("…") == []
    assert (
        named_rows(observations, "tides in NGC 4039", 16).tolist()
        == [False] * 8 + [True] * 4 + [False] * 4
    )
    assert not named_rows(observations, "NGC 4038", 16).any(), "an abstract is no target"
