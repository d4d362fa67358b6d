"""Titles and abstracts."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from paperclip_cli.records import Proposal
from paperclip_cli.simulation.abstracts import write_text
from paperclip_cli.simulation.archive import simulated_sky
from paperclip_cli.simulation.plan import plan_proposal, stream

SKY = simulated_sky(340, 7)
# Words that a text of each class must use in at least one form.
WORDS = {
    "spiral": "spiral|disk",
    "elliptical": "elliptical|early-type|spheroid",
    "edge_on": "edge-on|disk|dust|midplane",
    "dwarf": "dwarf|irregular",
    "merger": "merg|interacting|collid",
    "cluster": "cluster",
    "lens": "lens|Einstein|arcs|quad|quasar images",
    "quasar": "quasar|QSO|active|nucle|accretion",
    "globular": "globular|cluster",
    "open_cluster": "cluster|association",
    "crowded_field": "field|bulge",
    "planetary": "planetary|PN|nebula",
    "remnant": "remnant|SNR",
    "emission": "nebul|HII|star-forming|pillar|nurser|bubble|cloud",
    "young_star": "disk|jet|young star|proplyd|protostar|outflow|T Tauri",
    "planet": "planet|rings|Jupiter|Saturn|Mars|Venus|Neptune",
    "comet": "comet|COMET|coma",
}


@pytest.fixture(scope="module")
def proposals() -> list[Proposal]:
    return list(SKY.proposals())


def test_an_abstract_has_four_to_eight_whole_sentences(proposals: list[Proposal]) -> None:
    for proposal in proposals:
        sentences = re.split(r"(?<=[.?]) (?=[A-Z[])", proposal.abstract)
        assert 4 <= len(sentences) <= 8, proposal.abstract
        assert len(set(sentences)) == len(sentences)
        for sentence in sentences:
            assert sentence[-1] in ".?", proposal.abstract
            assert sentence[0].isupper() or sentence[0] == "[", proposal.abstract


def test_no_template_shows_through(proposals: list[Proposal]) -> None:
    for proposal in proposals:
        for text in (proposal.title, proposal.abstract, proposal.category):
            assert text and not re.search(r"[{}<>|_]|\s\s|\s[.,;]|\.\.", text), text
            assert not re.search(r"\b[Aa] [aeio]\w", text), text
            assert not re.search(r"\b[Aa]n [bcdfgjklmpqrtvwxyz]\w", text), text


def test_texts_vary(proposals: list[Proposal]) -> None:
    assert len({proposal.abstract for proposal in proposals}) == len(proposals)
    sentences = Counter(
        sentence for proposal in proposals for sentence in proposal.abstract.split(". ")
    )
    assert sum(count == 1 for count in sentences.values()) > 0.6 * len(sentences)
    titles = Counter(proposal.title for proposal in proposals)
    assert len(titles) > 0.5 * len(proposals)


def test_an_abstract_speaks_of_its_object_in_several_sentences(proposals: list[Proposal]) -> None:
    for index, proposal in enumerate(proposals):
        words = WORDS[plan_proposal(SKY.seed, index).kind.phrases]
        sentences = proposal.abstract.split(". ")
        naming = sum(bool(re.search(words, sentence, re.IGNORECASE)) for sentence in sentences)
        assert naming >= 2, (words, proposal.abstract)


def test_a_text_never_holds_a_file_name(proposals: list[Proposal]) -> None:
    for proposal in proposals:
        text = f"{proposal.title} {proposal.abstract}".lower()
        for candidate in SKY.previews(proposal.key):
            root = candidate.name.split("_")[-2]
            for word in (candidate.name, root, str(proposal.proposal_id)):
                assert word not in text


def test_categories_are_written_as_in_their_cycle(proposals: list[Proposal]) -> None:
    assert all(proposal.category.isupper() == (int(proposal.cycle) < 25) for proposal in proposals)


@pytest.mark.parametrize(
    ("subtype", "words"),
    [
        ("barred", "bar"),
        ("bipolar", "bipolar|butterfly"),
        ("ring", "Einstein ring"),
        ("quad", "quad|four"),
        ("shells", "shell"),
        ("ringed", "Saturn"),
        ("outflow", "jet|outflow"),
        ("fragments", "[Ff]ragment|[Ss]plit"),
        ("jet", "jet"),
        ("pillars", "[Pp]illar|dusty columns"),
    ],
)
def test_a_subtype_is_named(subtype: str, words: str) -> None:
    plans = (plan_proposal(1, index) for index in range(400))
    plan = next(plan for plan in plans if plan.subtype == subtype)
    texts = [" ".join(write_text(stream(0, "text", number), plan)) for number in range(40)]
    assert sum(bool(re.search(words, text)) for text in texts) >= 20
