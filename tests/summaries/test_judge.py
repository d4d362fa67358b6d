"""Judges of relevance: keywords, and the questions to a language model."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from paperclip_cli.errors import BadItem
from paperclip_cli.summaries.judge import Judge, KeywordJudge
from paperclip_cli.summaries.llm.base import Answer, Sampling
from paperclip_cli.summaries.llm.judge import QUESTION, LanguageJudge, shape

RELEVANT = (
    ("comets", "We image the coma of comet 67P/Churyumov-Gerasimenko."),
    ("strong lensing", "Strong gravitational lensing."),
    ("galaxy clusters", "The most massive clusters of galaxies."),
    ("SN1987A", "The rings of SN 1987A brighten."),
    ("spiral galaxies", "We resolve Cepheids in a spiral galaxy."),
)
IRRELEVANT = (
    ("comets", "We image a galaxy."),
    ("galaxy clusters", "Globular clusters in an elliptical galaxy."),
    ("SN1987A", "Supernovae of type Ia."),
    ("dark matter", "The dark side of Iapetus is covered with organic matter."),
)


@pytest.mark.parametrize(("query", "abstract"), RELEVANT)
def test_what_a_query_names_is_relevant(query: str, abstract: str) -> None:
    assert KeywordJudge().is_relevant(query, abstract)


@pytest.mark.parametrize(("query", "abstract"), IRRELEVANT)
def test_what_it_does_not_name_is_not(query: str, abstract: str) -> None:
    assert not KeywordJudge().is_relevant(query, abstract)


class Reader:
    """A writer that says yes to abstracts that hold the query, or always `says`."""

    backend, model, batch, workers, room = "reader", "1", 1, 1, 40

    def __init__(self, says: str = "", is_whole: bool = True) -> None:
        self.says, self.is_whole = says, is_whole
        self.shown: list[str] = []

    def prepare(self) -> None:
        return None

    def stop(self) -> None:
        return None

    def count(self, text: str) -> int:
        return len(text.split())

    def write(self, abstracts: Sequence[str], sampling: Sampling) -> list[Answer]:
        self.shown += abstracts
        return [Answer(self.says or self._verdict(text), self.is_whole) for text in abstracts]

    def _verdict(self, text: str) -> str:
        asked = re.fullmatch(r"Query: (.*?)\. Abstract: (.*)", text, re.DOTALL)
        assert asked is not None
        return shape().opening + ("true" if asked[1] in asked[2] else "false") + shape().end


def test_a_language_model_is_shown_query_and_abstract() -> None:
    reader = Reader()
    judge: Judge = LanguageJudge(reader)
    assert judge.is_relevant("comet", "A comet near the Sun.")
    assert not judge.is_relevant("comet", "A galaxy.")
    assert (judge.backend, judge.model) == ("reader", "1") and QUESTION.digest in judge.version
    assert "query" in QUESTION.head
    assert reader.shown[0] == "Query: comet. Abstract: A comet near the Sun."


def test_a_long_abstract_is_cut_at_a_sentence_and_keeps_its_query() -> None:
    reader = Reader()
    LanguageJudge(reader).is_relevant("comet", "We observe. " * 30)
    assert reader.shown[0].startswith("Query: comet. Abstract: We observe.")
    assert reader.count(reader.shown[0]) <= reader.room


@pytest.mark.parametrize(
    "says",
    [
        "{",
        "yes",
        '{"relevant": "true"}',
        '{"other": true}',
        "[true]",
        "null",
        '{"relevant": ' * 5_000,
    ],
)
def test_an_answer_that_is_neither_yes_nor_no_is_no_verdict(says: str) -> None:
    reader = Reader(says)
    with pytest.raises(BadItem, match="neither yes nor no"):
        LanguageJudge(reader).is_relevant("comet", "A comet.")


def test_a_verdict_that_was_cut_off_says_so_and_another_limit_is_another_judge() -> None:
    reader = Reader('{"rel', is_whole=False)
    judge = LanguageJudge(reader, 900)
    with pytest.raises(BadItem, match="cut off; --max-tokens"):
        judge.is_relevant("comet", "A comet.")
    assert judge.version == f"{LanguageJudge(reader).version}-900"


def test_the_form_is_the_same_in_all_three_ways() -> None:
    form = shape()
    for verdict in ("true", "false"):
        assert re.fullmatch(form.expression(None), form.opening + verdict + form.end)
        assert f'"{verdict}"' in form.grammar
    assert not re.fullmatch(form.expression(None), form.opening + "maybe}")
    assert form.schema["required"] == ["relevant"]
