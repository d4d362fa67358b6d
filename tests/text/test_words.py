"""Singular and plural, British and American spelling share one stem; different words do not."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.text.words import are_bound, span, stem, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("galaxies", "galaxy"),
        ("nebulae", "nebula"),
        ("supernovae", "supernova"),
        ("nuclei", "nucleus"),
        ("lenses", "lens"),
        ("haloes", "halo"),
        ("dwarves", "dwarf"),
        ("masses", "mass"),
        ("spectra", "spectrum"),
        ("gases", "gas"),
        ("colours", "color"),
        ("centres", "center"),
        ("ionisation", "ionization"),
        ("Ionised", "ionized"),
        ("characterise", "characterize"),
        ("modelling", "modeling"),
        ("grey", "gray"),
        ("discs", "disk"),
        ("programmes", "program"),
        ("neighbouring", "neighboring"),
        ("analyse", "analyze"),
        ("galaxy's", "galaxy"),
    ],
)
def test_forms_of_one_word(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("nova", "novel"),
        ("star", "stare"),
        ("mass", "mast"),
        ("disk", "disc jockey"),
        ("hour", "horror"),
    ],
)
def test_different_words(one: str, other: str) -> None:
    assert stem(one) != stem(other)


@given(st.text())
def test_words_are_where_they_say(text: str) -> None:
    for word in words(text):
        assert text[word.start : word.end] == word.text


def test_hyphens_and_slashes_divide_and_bind() -> None:
    text = "post-AGB star, X-ray/optical jet -- oxygen- rich"
    run = words(text)
    assert [word.text for word in run] == "post AGB star X ray optical jet oxygen rich".split()

    unbound = [
        (one.text, other.text) for one, other in pairwise(run) if not are_bound(text, one, other)
    ]
    assert unbound == [("star", "X"), ("jet", "oxygen")]
    assert span(text, run[3:6]) == "X-ray/optical"
