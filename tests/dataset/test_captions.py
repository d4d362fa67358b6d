"""Captions: sentences of real prose, and properties of the runs cut from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.catalogue import read_catalogue
from paperclip_cli.dataset.captions import (
    Captions,
    any_run,
    first_run,
    head_of,
    items,
    joined,
    longest_run,
    pieces_of,
    prepare,
)
from paperclip_cli.dataset.join import abstract_caption
from paperclip_cli.errors import PaperclipError
from paperclip_cli.text.sentences import sentences
from paperclip_cli.towers import tokenizer


def words(texts: Sequence[str]) -> list[list[int]]:
    """A stand-in for a tokenizer: one token per word."""
    return [[0, *map(len, text.split()), 1] for text in texts]


class Caption:
    """One caption, whose runs are given as texts."""

    def __init__(self, text: str, summary: bool = False) -> None:
        self._pieces = pieces_of(text, summary)
        self._captions = prepare([text], words, summary)

    def first_run(self, room: int) -> str:
        return self._text(self._captions.run(0, room, first_run))

    def longest_run(self, room: int, rng: np.random.Generator) -> str:
        return self._text(self._captions.run(0, room, partial(longest_run, rng=rng)))

    def any_run(self, room: int, rng: np.random.Generator) -> str:
        return self._text(self._captions.run(0, room, partial(any_run, rng=rng)))

    def _text(self, run: slice) -> str:
        head = head_of(self._pieces)
        return joined([*self._pieces[:head], *self._pieces[head:][run]])


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            "We use HST. We see M31! Why? Because.",
            ["We use HST.", "We see M31!", "Why?", "Because."],
        ),
        (
            "Bright sources, e.g. NGC 1 and i.e. M 2. "
            "See Sec. 2, Fig. 3 and Eq. 5 for z ~ 1.5 galaxies. Done.",
            [
                "Bright sources, e.g. NGC 1 and i.e. M 2.",
                "See Sec. 2, Fig. 3 and Eq. 5 for z ~ 1.5 galaxies.",
                "Done.",
            ],
        ),
        (
            "As in Smith et al. (2003) and Jones et al. 2004, we do. "
            "It was found by Smith et al. We go on.",
            [
                "As in Smith et al. (2003) and Jones et al. 2004, we do.",
                "It was found by Smith et al.",
                "We go on.",
            ],
        ),
        (
            "It is NGC 3664.Investigations follow (see below).The rest.We wait.A last one.",
            [
                "It is NGC 3664.",
                "Investigations follow (see below).",
                "The rest.",
                "We wait.",
                "A last one.",
            ],
        ),
        (
            "J. Smith and the U.S. Navy. They see Pop. II stars at 10,000 K. In time.",
            ["J. Smith and the U.S. Navy.", "They see Pop. II stars at 10,000 K.", "In time."],
        ),
        (
            'He said "no." She went (quickly.) {30 orbits.} [Yes.]',
            ['He said "no."', "She went (quickly.)", "{30 orbits.}", "[Yes.]"],
        ),
        ("A redshift of 0.5. 30 orbits", ["A redshift of 0.5.", "30 orbits"]),
        ("Category: HOT STARS. We do.", ["Category: HOT STARS.", "We do."]),
        ("  spread \n over  lines. Here  ", ["spread over lines.", "Here"]),
        ("", []),
        ("   ", []),
        ("...", ["..."]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_sentences_of_real_abstracts(real_sample: Path) -> None:
    file = real_sample / "hst" / "abstracts_without_id.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    found = [sentences(json.loads(line)["abstract"]) for line in lines]
    lengths = [len(sentence.split()) for abstract in found for sentence in abstract]
    assert 18 < np.median(lengths) < 30 and np.quantile(lengths, 0.99) < 90
    assert np.mean(np.asarray(lengths) < 4) < 0.02
    endings = [sentence[-1] for abstract in found for sentence in abstract[:-1]]
    assert set(endings) <= set(".?!)\"'}]”")


@given(st.text(st.sampled_from("aB1 .?!()e\n'"), max_size=60))
def test_sentences_lose_nothing(text: str) -> None:
    found = sentences(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(part == part.strip() and part for part in found)


@pytest.mark.parametrize(
    "text",
    [
        "a." * 1_000_000,
        "." * 2_000_000,
        ".(((((" * 400_000,
        ". " + "(" * 2_000_000,
        "a. " * 1_000_000,
    ],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    """A regular expression of quadratic time would not end before the tests are stopped."""
    for divide in (sentences, items):
        assert "".join("".join(divide(text)).split()) == "".join(text.split())


def test_items() -> None:
    assert items("black holes, background stars; constrain mass, analyze motions") == [
        "black holes,",
        "background stars;",
        "constrain mass,",
        "analyze motions",
    ]


texts = st.lists(
    st.text(st.sampled_from("ab "), min_size=1, max_size=30).map(str.strip).filter(bool),
    min_size=1,
    max_size=8,
).map(lambda parts: ". ".join(part.capitalize() for part in parts) + ".")


@given(texts, st.integers(1, 30), st.integers(0, 99))
def test_a_run_is_whole_sentences_that_fit(text: str, room: int, seed: int) -> None:
    caption = Caption(text)
    whole = sentences(text)
    for run in (caption.first_run(room), caption.longest_run(room, np.random.default_rng(seed))):
        cut = sentences(run)
        starts = [i for i in range(len(whole)) if whole[i : i + len(cut)] == cut]
        assert starts
        assert len(run.split()) <= room or len(cut) == 1
        longer = [
            len(" ".join(whole[i : i + len(cut) + 1]).split())
            for i in starts
            if i + len(cut) < len(whole)
        ]
        assert len(longer) < len(starts) or max(longer) > room, "a run is as long as it can be"
    assert " ".join(whole).startswith(caption.first_run(room))


@given(texts, st.integers(0, 99))
def test_a_caption_that_fits_is_whole(text: str, seed: int) -> None:
    caption = Caption(text)
    whole = " ".join(sentences(text))
    assert caption.first_run(1_000) == whole
    assert caption.longest_run(1_000, np.random.default_rng(seed)) == whole


def test_every_sentence_is_drawn() -> None:
    text = "One is here. Two is here. Three is here. Four is here. Five is here."
    caption = Caption(text)
    runs = [caption.longest_run(6, np.random.default_rng(seed)) for seed in range(200)]
    starts = [run.split()[0] for run in runs]
    assert {*starts} == {"One", "Two", "Three", "Four"}
    assert all(starts.count(start) > 25 for start in starts)
    assert any("Five" in run for run in runs)


@given(texts, st.integers(1, 30), st.integers(0, 99))
def test_a_run_of_any_length_is_whole_sentences_that_fit(text: str, room: int, seed: int) -> None:
    caption = Caption(text)
    whole, cut = sentences(text), sentences(caption.any_run(room, np.random.default_rng(seed)))
    assert any(whole[i : i + len(cut)] == cut for i in range(len(whole)))
    assert len(cut) == 1 or len(" ".join(cut).split()) <= room


def test_every_run_of_any_length_is_drawn() -> None:
    text = "One is here. Two is here. Three is here."
    caption = Caption(text)
    runs = {caption.any_run(100, np.random.default_rng(seed)) for seed in range(200)}
    parts = sentences(text)
    assert runs == {" ".join(parts[i:j]) for i in range(3) for j in range(i + 1, 4)}


def test_summaries_are_cut_at_items() -> None:
    caption = Caption("black holes, background stars; constrain mass, analyze motions", True)
    assert caption.first_run(4) == "black holes, background stars"
    assert caption.first_run(6) == "black holes, background stars; constrain mass"
    whole = "black holes, background stars; constrain mass, analyze motions"
    assert caption.first_run(100) == whole


def test_an_empty_caption_stays_empty() -> None:
    caption = Caption("")
    assert caption.first_run(5) == ""
    assert caption.longest_run(5, np.random.default_rng(0)) == ""
    assert caption.any_run(5, np.random.default_rng(0)) == ""


LEARNED = tokenizer.train(
    ["black holes, background stars; constrain mass (of M31), analyse motions. It is \u00e9tude."]
    * 3,
    700,
)
written = st.text(
    st.one_of(
        st.sampled_from("abM3 \n\t\u00e9\u0301\u03a3\u0130\u3000\x1c,;.)('"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


@given(st.lists(written, max_size=4), st.booleans(), st.data())
def test_tokens_of_a_run_are_those_of_its_text(
    texts: list[str], summaries: bool, data: st.DataObject
) -> None:
    captions = prepare(texts, LEARNED.encode, summaries)
    assert len(captions) == len(texts)
    for number, text in enumerate(texts):
        pieces = pieces_of(text, summaries)
        start = data.draw(st.integers(0, len(pieces) - 1))
        run = slice(start, data.draw(st.integers(start + 1, len(pieces))))
        assert captions.tokens(number, run) == LEARNED.encode([joined(pieces[run])])[0]
        assert captions.sizes(number) == LEARNED.count(pieces)


@pytest.mark.parametrize("text", ["", ",", ", ;", "a, ,", "a),; b(;,", "<|endoftext|>, b;", "a,;"])
def test_a_run_ends_without_its_separators(text: str) -> None:
    for summaries in (False, True):
        captions, pieces = prepare([text], LEARNED.encode, summaries), pieces_of(text, summaries)
        for start in range(len(pieces)):
            for stop in range(start + 1, len(pieces) + 1):
                whole = joined(pieces[start:stop])
                assert captions.tokens(0, slice(start, stop)) == LEARNED.encode([whole])[0]


def test_each_piece_is_tokenized_once_and_few_at_a_time() -> None:
    asked: list[list[str]] = []

    def encode(texts: Sequence[str]) -> list[list[int]]:
        asked.append(list(texts))
        return words(texts)

    texts = [f"First of {i}. Second of {i}, third of {i}." for i in range(2_000)]
    captions = prepare(texts, encode)
    assert len(captions) == 2_000
    seen = [text for some in asked[1:] for text in some]
    assert len(seen) == len(set(seen)) == 4_000
    assert max(map(len, asked)) <= 1_001


def test_runs_may_be_measured_in_words() -> None:
    text = "A nebula, planetary. It shines."
    captions: Captions = prepare([text], LEARNED.encode, in_words=True)
    assert captions.sizes(0) == [3, 2]
    assert captions.tokens(0, slice(0, 2)) == LEARNED.encode([text])[0]


def test_a_tokenizer_that_merges_across_spaces_is_refused() -> None:
    def encode(texts: Sequence[str]) -> list[list[int]]:
        return [[0, *([len(text)] * bool(text)), 1] for text in texts]

    with pytest.raises(PaperclipError, match="does not keep words apart"):
        prepare(["a b"], encode)


CATEGORY = "Category: Stellar Populations."


@pytest.mark.parametrize("room", [4, 8, 12, 40])
@pytest.mark.parametrize("draw", ["first_run", "longest_run", "any_run"])
def test_a_category_goes_with_every_run_and_is_none_by_itself(draw: str, room: int) -> None:
    abstract = "One two three four five six seven eight nine. Ten eleven. Twelve."
    caption = Caption(f"{CATEGORY} {abstract}")
    for seed in range(20):
        how = () if draw == "first_run" else (np.random.default_rng(seed),)
        found = getattr(caption, draw)(room, *how)
        head, rest = found[: len(CATEGORY)], found[len(CATEGORY) :].strip()
        assert head == CATEGORY and rest and rest in abstract
        ids = caption._captions.tokens(0, slice(0, 1))
        assert len(ids) == 2 + 3 + 9, "a sentence too long is whole: the tokenizer cuts it"


def test_a_category_alone_is_the_caption() -> None:
    assert Caption(CATEGORY).first_run(40) == CATEGORY
    assert Caption("Category. Not a head.").first_run(1) == "Category."


def test_captions_of_real_abstracts_are_more_than_their_category(real_sample: Path) -> None:
    """In 40 tokens many lost their first sentence, because it did not fit beside the category."""
    proposals = read_catalogue(real_sample / "hst" / "abstracts.cat", "hst").proposals
    texts = [abstract_caption(one) for one in proposals if one.category and one.abstract]
    captions = prepare(texts, LEARNED.encode)
    assert len(texts) >= 10
    for number, text in enumerate(texts):
        pieces = pieces_of(text)
        run = captions.run(number, 38, first_run)
        assert head_of(pieces) == 1 and run.start == 0 and run.stop > 0
        whole = joined([pieces[0], *pieces[1:][run]])
        assert captions.tokens(number, run) == LEARNED.encode([whole])[0]
