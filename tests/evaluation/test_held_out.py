"""Captions of a split for evaluation: cut in one way, numbered once, and tokenized once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.dataset.captions import first_run, head_of, joined, longest_run, pieces_of
from paperclip_cli.dataset.texts import texts_of
from paperclip_cli.evaluation.held_out import held_out, uncut
from paperclip_cli.records import Key
from paperclip_cli.towers import tokenizer
from tests.factories import pair

WORDS = tokenizer.train(
    ["The Crab nebula. It is old, and bright; see Fig. 2. We look at it."] * 3, 600
)
captions = st.lists(
    st.sampled_from(["The Crab.", "It is old, and bright;", "See.", "We look at it,", "é"]),
    max_size=4,
).map(" ".join)
ONE = pair(1, image=b"\xff\xd8\xff")


@given(
    drawn=st.lists(st.tuples(st.integers(1, 4), captions), min_size=1, max_size=8),
    summaries=st.booleans(),
    room=st.integers(1, 20),
    runs=st.none() | st.integers(0, 9),
)
def test_each_image_has_a_run_of_its_own_caption(
    drawn: list[tuple[int, str]], summaries: bool, room: int, runs: int | None
) -> None:
    pairs = [
        replace(ONE, key=Key("hst", key), caption=text, summary=text if summaries else None)
        for key, text in drawn
    ]
    split, tokens = held_out(texts_of(pairs), WORDS.encode, room, runs)

    expected = []
    for row, (_, text) in enumerate(drawn):
        pieces = pieces_of(text, summaries)
        head = head_of(pieces)
        sizes, room_left = WORDS.count(pieces[head:]), room - sum(WORDS.count(pieces[:head]))
        run = (
            first_run(sizes, room_left)
            if runs is None
            else longest_run(sizes, room_left, np.random.default_rng([runs, row]))
        )
        expected.append(joined([*pieces[:head], *pieces[head:][run]]))
    assert [split.texts[own] for own in split.caption] == expected
    assert split.texts == list(dict.fromkeys(expected))
    assert tokens == WORDS.encode(split.texts)
    assert split.proposal.tolist() == uncut(pairs).proposal.tolist()
