"""The rules of quality apply to every answer and keep good phrases."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.catalogue import read_catalogue
from paperclip_cli.dataset.phrases import PAPER_PHRASES
from paperclip_cli.summaries.base import MOST_WORDS
from paperclip_cli.summaries.files import read_csv
from paperclip_cli.summaries.keywords.summarizer import KeywordSummarizer
from paperclip_cli.summaries.llm.rules import (
    COPIED,
    CYCLE,
    DUPLICATE,
    FOREIGN,
    GENERIC,
    LONG,
    RULES,
    TELESCOPE,
    UNITS,
    UNSUPPORTED,
    WORDS,
    clean,
    judge,
)
from paperclip_cli.text.words import words

ABSTRACT = (
    "We will image AGN and the barred spiral galaxy NGC 1300 with WFC3 to weigh its black hole. "
    "Massive star clusters are faint."
)
INSTRUCTIONS = "Summarize. For example: crab-eating mudskippers, measure the retreat of mangroves"
PHRASES = (
    "barred spiral galaxy",
    "Barred Spiral Galaxies",
    "AGN",
    "active galactic nuclei",
    "black holes",
    "NGC 1300",
    "faint objects",
    "galaxy",
    "HST images",
    "1.5 Mpc",
    "Cycle 25",
    "quasars",
    "weigh black holes",
    "study galaxies",
    "mudskippers",
    "",
    ", ;",
    "恒星",
    "a, b",
    "star cluster",
)
phrases = st.lists(st.sampled_from(PHRASES) | st.text(max_size=30), max_size=8)


@given(
    phrases,
    phrases,
    st.sampled_from((ABSTRACT, "", "恒星 quasars")),
    st.sampled_from(("", INSTRUCTIONS)),
)
def test_laws(objects: list[str], uses: list[str], abstract: str, instructions: str) -> None:
    found = judge(objects, uses, abstract, instructions)
    kept = [*found.objects, *found.uses]
    dropped = [phrase for _, phrase in found.dropped]
    # Every phrase is kept or dropped, never both.
    assert sorted([*kept, *dropped]) == sorted(map(clean, [*objects, *uses]))
    assert {rule for rule, _ in found.dropped} <= set(RULES)
    assert sum(len(phrase.split()) for phrase in kept) <= MOST_WORDS
    assert not any(sign in phrase for phrase in kept for sign in ",;\n")

    again = judge(found.objects, found.uses, abstract, instructions)
    assert (again.objects, again.uses, again.dropped) == (found.objects, found.uses, ())
    stems = [tuple(word.stem for word in words(phrase)) for phrase in kept]
    assert len(set(stems)) == len(stems), "no phrase twice, whatever its case and number"
    assert found.is_summary == bool(found.objects and found.uses)


@pytest.mark.parametrize(
    ("rule", "phrase"),
    [
        (FOREIGN, "barred spiral galaxy 恒星"),
        (TELESCOPE, "HST images of NGC 1300"),
        (TELESCOPE, "Hubble imaging of black holes"),
        (TELESCOPE, "WFC3 images of NGC 1300"),
        (TELESCOPE, "black holes with JWST/NIRCam"),
        (UNITS, "black hole at 1.5 Mpc"),
        (UNITS, "2.2% black hole mass"),
        (UNITS, "10^8 M_sun black hole"),
        (UNITS, "black holes for 30 orbits"),
        (UNITS, "black hole lines at 1550 A"),
        (CYCLE, "black holes of Cycle 25"),
        (GENERIC, "galaxy"),
        (GENERIC, "faint objects"),
        (GENERIC, "kinematics"),
        (GENERIC, "high redshift"),
        (GENERIC, "X-ray observations"),
        (TELESCOPE, "black hole in F814W"),
        (COPIED, "crab-eating mudskippers"),
        (COPIED, "mangrove retreat"),
        (UNSUPPORTED, "quasars"),
        (UNSUPPORTED, "brown dwarfs"),
        (LONG, "black hole " * 11),
        (LONG, "black" * 30),
    ],
)
def test_a_phrase_that_breaks_a_rule_is_dropped(rule: str, phrase: str) -> None:
    found = judge([phrase, "barred spiral galaxy"], ["weigh black holes"], ABSTRACT, INSTRUCTIONS)
    assert [broken for broken, _ in found.dropped] == [rule]
    assert found.objects == ("barred spiral galaxy",) and found.is_summary


@pytest.mark.parametrize(
    "phrase",
    [
        "barred spiral galaxy",
        "active galactic nuclei",
        "active galactic nuclei (AGN)",
        "black holes",
        "NGC 1300",
        "massive star clusters",
        "weighing of black holes",
    ],
)
def test_what_the_abstract_supports_is_kept(phrase: str) -> None:
    assert judge([phrase], ["weigh black holes"], ABSTRACT, INSTRUCTIONS).objects == (phrase,)


def test_copied_words_that_the_abstract_has_too_are_its_own() -> None:
    assert judge(["mangroves"], [], "Mangroves from space.", INSTRUCTIONS).objects == ("mangroves",)


@pytest.mark.parametrize(
    "phrase",
    [
        "measure the Hubble constant",
        "classify galaxies along the Hubble sequence",
        "resolve SN 1987A",
        "trace the 21 cm line of gas",
        "search the Hubble Deep Field for dropouts",
    ],
)
def test_hubble_the_man_and_names_with_numbers_are_no_telescope_and_no_unit(phrase: str) -> None:
    assert judge([], [phrase], ABSTRACT).uses == (phrase,)


def test_a_use_case_of_verbs_and_vague_words_is_generic() -> None:
    uses = ["study galaxies", "observe new objects", "image the sky"]
    dropped = judge([], uses, ABSTRACT).dropped
    assert [rule for rule, _ in dropped] == [GENERIC] * 3


def test_repeats_are_dropped_and_the_words_counted() -> None:
    objects, uses = ["black holes", "Black hole", "NGC 1300"], ["weigh black holes"]
    found = judge(objects, [*uses, "Weighs black hole"], ABSTRACT)
    assert [rule for rule, _ in found.dropped] == [DUPLICATE] * 2
    assert found.uses == ("weigh black holes",)

    uses = [f"weigh black holes number {number} of many that are there" for number in "abcdefghij"]
    found = judge(["black holes"], uses, ABSTRACT)
    assert len(found.uses) == 7 and {rule for rule, _ in found.dropped} == {WORDS}


def test_the_reason_names_the_empty_list_and_the_rule_that_emptied_it() -> None:
    no_object = judge(["galaxy", "stars", "HST"], ["weigh black holes"], ABSTRACT)
    assert no_object.reason == "no object left (generic)"
    no_use = judge(["black holes"], ["study galaxies"], ABSTRACT)
    assert no_use.reason == "no use case left (generic)"
    assert judge([], [], ABSTRACT).reason == "no object left (empty)"


def test_the_paper_s_phrases_are_none_of_them_too_generic() -> None:
    dropped = judge(PAPER_PHRASES, [], " ".join(PAPER_PHRASES)).dropped
    assert {rule for rule, _ in dropped} <= {WORDS}


def test_the_paper_s_own_summaries_break_few_rules(real_sample: Path) -> None:
    proposals = read_catalogue(real_sample / "hst" / "abstracts.cat", "hst").proposals
    abstracts = {proposal.proposal_id: proposal.abstract for proposal in proposals}
    summaries, _ = read_csv(real_sample / "hst" / "summaries.csv", "hst")
    cut = {number for number, abstract in abstracts.items() if abstract.endswith("...")}
    whole = [found for found in summaries if found.proposal_id in abstracts.keys() - cut]

    broken: list[str] = []
    for found in whole:
        objects, uses = found.objects_and_phenomena, found.science_use_cases
        dropped = judge(objects, uses, abstracts[found.proposal_id]).dropped
        broken.extend(rule for rule, _ in dropped)
    assert len(whole) >= 5 and len(broken) <= 2, broken


def test_keywords_keep_the_rules(real_sample: Path) -> None:
    proposals = read_catalogue(real_sample / "deepsky" / "abstracts.cat", "local").proposals
    for proposal in proposals[:60]:
        summary = KeywordSummarizer().summarize(proposal)
        if summary is not None:
            objects, uses = summary.objects_and_phenomena, summary.science_use_cases
            found = judge(objects, uses, proposal.abstract)
            assert {rule for rule, _ in found.dropped} <= {DUPLICATE}, found.dropped
