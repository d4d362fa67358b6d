"""Judges of the relevance of an abstract to a query."""

from __future__ import annotations

from typing import Protocol

from paperclip_cli.summaries.base import Backend
from paperclip_cli.summaries.keywords.vocabulary import Term, vocabulary
from paperclip_cli.text.words import spaced, words

_EMPTY = frozenset(("a", "an", "and", "by", "for", "from", "in", "of", "on", "the", "to", "with"))


class Judge(Backend, Protocol):
    """A backend that judges abstracts."""

    def is_relevant(self, query: str, abstract: str) -> bool:
        """Whether an abstract is relevant to a query.

        Raises:
            BadItem: there is no judgement of this abstract.
            PaperclipError: there will be no judgement of any abstract.
        """


class KeywordJudge:
    """A judge that compares words.

    An abstract is relevant if it mentions a class of objects or phenomena that the query names. If
    the query names none, the abstract must hold all words of the query.
    """

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
