"""Keyword summaries keep the rules of the paper's prompt; all their words are the abstract's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.catalogue import read_catalogue
from paperclip_cli.records import Proposal, Summary
from paperclip_cli.summaries.keywords.summarizer import KeywordSummarizer
from paperclip_cli.text.words import words

SUMMARIZER = KeywordSummarizer()
GRAMMAR = {"and"}  # it may replace the comma of a list

FRAGMENTS = (
    "We propose to",
    "The goal is to",
    "will allow us to",
    "in order to",
    "Our aim is",
    "measure",
    "determine whether",
    "study",
    "constrain",
    "search for",
    "the",
    "a",
    "of",
    "and",
    ",",
    ";",
    ".",
    ":",
    "(",
    ")",
    "{1}",
    "2)",
    "--",
    "with HST/WFC3",
    "using ACS",
    "for 30 orbits",
    "at 12.5 Mpc",
    "z~2",
    "5 Gyr",
    "spiral galaxies",
    "AGN",
    "PNe",
    "globular-cluster",
    "supermassive black holes",
    "star-formation histories",
    "colour-magnitude diagrams",
    "galaxy",
    "faint objects",
    "dusty galaxies'",
    "SN 1987A",
    "NGC 4151",
    "Type Ia supernovae",
    "metal-poor",
    "stars",
    "kinematics",
    "Hubble constant",
    "host galaxies",
    "X-ray binaries",
    "no",
    "not",
    "young",
    "[O III]",
    "Cycle 7",
    "1,000",
    "ü",
    "\u2014",
    "we",
    "their",
    "to",
    "is",
    "which",
)
abstracts = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=60).map(" ".join)


def summarize(text: str) -> Summary | None:
    return SUMMARIZER.summarize(Proposal(mission="hst", proposal_id=1, abstract=text))


def assert_lawful(summary: Summary, abstract: str) -> None:
    """The rules that hold for every summary of every abstract."""
    text = " ".join(abstract.split())
    items = (*summary.objects_and_phenomena, *summary.science_use_cases)
    assert 1 <= len(summary.objects_and_phenomena) <= 5 and 1 <= len(summary.science_use_cases) <= 5
    assert len(set(items)) == len(items)
    assert sum(len(item.split()) for item in items) <= 80
    assert all(1 <= len(item.split()) <= 15 for item in items)
    banned = re.compile(r"[,;]|\bHST\b|Hubble Space|\bCycle \d|\bMpc\b|\bGyr\b|\borbits\b")
    assert not any(banned.search(item) for item in items)
    first = summary.science_use_cases[0]
    assert not summary.derived or first == f"study {summary.objects_and_phenomena[0]}"

    assert len(summary.evidence) == len(items)
    for item, evidence in zip(items, summary.evidence, strict=True):
        assert evidence in text
        extra = {"study"} if summary.derived and item == first else set()
        allowed = {word.stem for word in words(evidence)} | GRAMMAR | extra
        assert {word.stem for word in words(item)} <= allowed, (item, evidence)


@given(abstracts)
def test_every_item_can_be_traced(text: str) -> None:
    summary = summarize(text)
    if summary is not None:
        assert_lawful(summary, text)
        assert summarize(text) == summary
        assert (
            KeywordSummarizer().summarize(Proposal(mission="hst", proposal_id=1, abstract=text))
            == summary
        )


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    summary = summarize(text)
    if summary is not None:
        assert_lawful(summary, text)


def real_abstracts(sample: Path) -> list[str]:
    catalogues = [sample / "hst" / "abstracts.cat", sample / "deepsky" / "abstracts.cat"]
    with_id = [
        proposal.abstract
        for path in catalogues
        for proposal in read_catalogue(path, "hst").proposals
    ]
    lines = (sample / "hst" / "abstracts_without_id.jsonl").read_text("utf-8").splitlines()
    return with_id + [json.loads(line)["abstract"] for line in lines]


def test_real_abstracts(real_sample: Path) -> None:
    found = {text: summarize(text) for text in real_abstracts(real_sample)}
    for text, summary in found.items():
        if summary is not None:
            assert_lawful(summary, text)
    without = [text for text, summary in found.items() if summary is None]
    assert len(without) <= 3, without
    hst = [summary for text, summary in found.items() if summary is not None and "propose" in text]
    assert sum(summary.derived for summary in hst) <= 0.05 * len(hst)


def test_classes_come_with_names() -> None:
    summary = summarize(
        "SN 1987A, the brightest supernova, has a circumstellar ring. "
        "We will measure the expansion of SN 1987A."
    )
    assert summary is not None
    assert set(summary.objects_and_phenomena) == {"SN 1987A", "supernova", "circumstellar ring"}
    assert summary.science_use_cases == ("measure expansion of SN 1987A",)
    assert not summary.derived


def test_the_full_name_stands_for_its_acronym() -> None:
    summary = summarize("Planetary nebulae {PNe} are shed by AGB stars. PNe glow. We study LIRGs.")
    assert summary is not None
    assert {"planetary nebulae", "AGB stars", "LIRGs"} == set(summary.objects_and_phenomena)


def test_capitals_and_hyphens_are_those_of_the_vocabulary() -> None:
    summary = summarize(
        "Luminous Infrared Galaxies, Kuiper Belt Objects, Active Galactic Nuclei, X-ray Binaries, "
        "star-formation."
    )
    assert summary is not None
    assert set(summary.objects_and_phenomena) == {
        "luminous infrared galaxies",
        "Kuiper belt objects",
        "active galactic nuclei",
        "X-ray binaries",
        "star formation",
    }


def test_a_narrower_class_takes_the_place_of_the_wider() -> None:
    summary = summarize(
        "Galaxies host black holes. Black holes grow. Supermassive black holes are rare."
    )
    assert summary is not None
    assert summary.objects_and_phenomena == ("supermassive black holes",)


def test_without_an_aim_one_is_derived() -> None:
    summary = summarize("This is an image of NGC 7822, an emission nebula in Cepheus.")
    assert summary is not None and summary.derived
    assert summary.text == "emission nebula, NGC 7822; study emission nebula"
    assert summary.evidence == ("emission nebula", "NGC 7822", "emission nebula")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "This is a test proposal.",
        "We will observe several galaxies with a mosaic.",
        "Faint objects and their kinematics.",
    ],
)
def test_nothing_specific_gives_no_summary(text: str) -> None:
    assert summarize(text) is None


def test_the_method_s_version_is_in_every_summary() -> None:
    summary = summarize("planetary nebulae")
    assert summary is not None
    assert (summary.backend, summary.model) == ("keywords", "")
    assert re.fullmatch(r"\d+-[0-9a-f]{8}", summary.version)
