"""Whether an abstract is about what a query asks for."""

from __future__ import annotations

from typing import Protocol

from paperclip_cli.summaries.base import Backend
from paperclip_cli.summaries.keywords.vocabulary import Term, vocabulary
from paperclip_cli.text.words import spaced, words

_EMPTY = frozenset(("a", "an", "and", "by", "for", "from", "in", "of", "on", "the", "to", "with"))


class Judge(Backend, Protocol):
    """Judges abstracts."""

    def is_relevant(self, query: str, abstract: str) -> bool:
        """BadItem where there is no judgement, PaperclipError where there will be none of any abstract."""


class KeywordJudge:
    """Relevant is an abstract that speaks of a class of objects or phenomena that the query names; where it names none, one that holds all
    of its words."""

    backend, model, version = "keywords", "", "1"

    def prepare(self) -> None:
        return None

    def is_relevant(self, query: str, abstract: str) -> bool:
        classes, stems = _terms(query), _stems(query)
        return not classes.isdisjoint(_terms(abstract)) if classes else stems <= _stems(abstract)


def _terms(text: str) -> set[Term]:
    return {mention.form.term for mention in vocabulary().mentions(text, words(text))}


def _stems(text: str) -> set[str]:
    return {word.stem for word in words(spaced(text))} - _EMPTY
