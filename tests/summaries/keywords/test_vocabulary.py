"""The vocabulary finds classes in every spelling, the longest first, and only where meant."""

from __future__ import annotations

from collections import Counter
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.summaries.keywords.vocabulary import (
    HEADS,
    MODIFIERS,
    SECTIONS,
    TAILS,
    vocabulary,
)
from paperclip_cli.text.words import span, words


def found(text: str) -> list[str]:
    run = words(text)
    return [
        span(text, run[mention.first : mention.last])
        for mention in vocabulary().mentions(text, run)
    ]


def terms(text: str) -> list[str]:
    return [mention.form.term.name for mention in vocabulary().mentions(text, words(text))]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("planetary nebulae", "planetary nebula"),
        ("Planetary Nebula", "planetary nebula"),
        ("PNe", "planetary nebula"),
        ("a PN", "planetary nebula"),
        ("AGN", "active galactic nucleus"),
        ("AGNs", "active galactic nucleus"),
        ("active galactic nuclei", "active galactic nucleus"),
        ("QSOs", "quasar"),
        ("SNe", "supernova"),
        ("WDs", "white dwarf star"),
        ("LBVs", "luminous blue variable"),
        ("GRBs", "gamma-ray burst"),
        ("SNe Ia", "Type Ia supernova"),
        ("type Ia supernovae", "Type Ia supernova"),
        ("star-forming region", "star-forming region"),
        ("starforming", ""),
        ("protoplanetary discs", "protoplanetary disk"),
        ("galactic centre", "Galactic center"),
        ("HII regions", "H II region"),
        ("H II regions", "H II region"),
        ("early type galaxies", "early-type galaxy"),
        ("colour-magnitude diagrams", "color-magnitude diagram"),
        ("clusters of galaxies", "galaxy cluster"),
        ("Kuiper belt objects", "Kuiper belt object"),
        ("re-ionisation", ""),
        ("reionisation", "reionization"),
        ("a gc", ""),
        ("pne", ""),
        ("X-ray binaries", "X-ray binary"),
        ("x ray", ""),
    ],
)
def test_one_class_in_many_forms(text: str, name: str) -> None:
    assert terms(text) == ([name] if name else [])


def test_the_longest_match_wins_and_none_overlap() -> None:
    assert found("the luminous blue variable star in the supernova remnant") == [
        "luminous blue variable",
        "supernova remnant",
    ]
    assert terms("massive star clusters and massive stars") == ["star cluster", "massive star"]
    assert found("globular cluster systems") == ["globular cluster systems"]


def test_modifiers_and_tails_narrow_a_class() -> None:
    assert found("young massive star clusters and quasar host galaxies") == [
        "young massive star clusters",
        "quasar host galaxies",
    ]
    assert found("low-metallicity, dusty galaxies") == ["dusty galaxies"]


def test_a_general_noun_needs_a_modifier() -> None:
    assert found("The galaxy, the stars and the nearby bright cluster") == []
    assert found("merging galaxies") == ["merging galaxies"]


@pytest.mark.parametrize(
    "text",
    [
        "shows no spiral arms",
        "without a bulge",
        "non-supernova",
        "post-main sequence",
        "young star counts",
        "emission-line objects",
    ],
)
def test_what_is_not_meant_is_not_found(text: str) -> None:
    assert found(text) == []


def test_a_denial_ends_at_punctuation_and_at_only() -> None:
    assert found("There is no bar. Spiral arms are seen, not only globular clusters") == [
        "Spiral arms",
        "globular clusters",
    ]


def test_punctuation_divides() -> None:
    assert found("of the black. Hole") == []
    assert found("dark (matter)") == []


def test_an_acronym_of_many_meanings_is_marked() -> None:
    text = "globular clusters (GCs)"
    mentions = vocabulary().mentions(text, words(text))
    full, short = (mention.form for mention in mentions)
    assert (full.acronym, full.ambiguous) == (False, False)
    assert (short.acronym, short.ambiguous) == (True, True)


PARTS = "spiral galaxy galaxies young star cluster AGN the - , of no disks".split()


@given(st.lists(st.sampled_from(PARTS), max_size=15))
def test_mentions_are_in_order_and_apart(parts: list[str]) -> None:
    text = " ".join(parts)
    run = words(text)
    free = 0
    for mention in vocabulary().mentions(text, run):
        assert free <= mention.first <= mention.core < mention.last <= len(run)
        free = mention.last


def test_every_term_is_found_by_its_own_name() -> None:
    for term in vocabulary().terms:
        if term.section in SECTIONS:
            assert terms(term.name), term.name
        else:
            assert term.section in (HEADS, MODIFIERS, TAILS)


def test_no_name_stands_twice() -> None:
    path = resources.files("paperclip_cli.summaries.keywords").joinpath("vocabulary.txt")
    names: Counter[tuple[str, str]] = Counter()
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = "a term" if line.strip("[]") in SECTIONS else line
        elif line and not line.startswith("#"):
            for name in line.partition("=")[0].split("|"):
                names[section, " ".join(word.stem for word in words(name))] += 1
    assert [name for name, count in names.items() if count > 1] == []
