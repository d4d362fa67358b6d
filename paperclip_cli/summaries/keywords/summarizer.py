"""Summaries without a language model: the object classes and the aims that an abstract states.

Every item is made of words of the abstract. Exceptions are number, hyphens, spelling and the
"study" of a use case that was derived.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

from paperclip_cli.records import Proposal, Summary
from paperclip_cli.summaries.base import MOST_ITEMS, MOST_WORDS
from paperclip_cli.summaries.keywords.designations import designations
from paperclip_cli.summaries.keywords.purposes import Aim, find_aims
from paperclip_cli.summaries.keywords.vocabulary import (
    CALIBRATION,
    HEADS,
    OBJECTS,
    PHENOMENA,
    PROPERTIES,
    Mention,
    vocabulary,
)
from paperclip_cli.text.words import Word, span, stem, words

Span = tuple[int, int]

METHOD = "1"
NAME = "name"
WEIGHTS = {OBJECTS: 3.0, HEADS: 2.4, NAME: 2.2, PHENOMENA: 2.0, PROPERTIES: 1.0, CALIBRATION: 0.8}
MOST_OF_KIND = {NAME: 2, PHENOMENA: 3, PROPERTIES: 2}
MOST_OF_NOUN = 2  # items that end with the same noun
LEAST_STRENGTH = 1.0
STRENGTH_RANGE = 1.25  # aims weaker than the strongest by more than this are left out
ALIKE = 0.6  # one of two aims that share more of their words than this (Jaccard) is left out
_PROPER = ("Galactic", "Magellanic", "Milky", "Way")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A phrase that may become an item.

    `evidence` holds the words of the abstract that support it, `stems` their stems.
    """

    phrase: str
    evidence: str
    stems: frozenset[str]
    kind: str
    score: float

    @property
    def noun(self) -> str:
        """The stem of its last word."""
        return stem(self.phrase.split()[-1])

    def narrows(self, other: Candidate) -> bool:
        """Whether this is the other candidate with modifiers before it."""
        same = self.kind == other.kind or {self.kind, other.kind} == {OBJECTS, HEADS}
        return same and self.stems > other.stems and self.noun == other.noun


class KeywordSummarizer:
    """The backend `keywords`: deterministic, no model, no download."""

    backend = "keywords"
    model = ""
    batch = workers = 1

    @cached_property
    def version(self) -> str:
        """The method, and a digest of the vocabulary and word lists."""
        folder = resources.files("paperclip_cli.summaries.keywords")
        terms, english = folder.joinpath("vocabulary.txt"), folder.joinpath("english.txt")
        lists = terms.read_bytes() + english.read_bytes()
        return f"{METHOD}-{hashlib.sha256(lists).hexdigest()[:8]}"

    def prepare(self) -> None:
        return None

    def stop(self) -> None:
        return None

    def summaries(self, proposals: Sequence[Proposal]) -> Iterator[Summary | None]:
        return map(self.summarize, proposals)

    def summarize(self, proposal: Proposal) -> Summary | None:
        """The summary, or None if the abstract names no object or phenomenon."""
        abstract = Abstract.read(proposal.abstract)
        objects = choose_objects(abstract)
        if not objects:
            return None

        aims = choose_aims(abstract, objects)
        uses = [(aim.phrase, abstract.text[aim.start : aim.end]) for aim in aims]
        if not aims:
            uses = [(f"study {objects[0].phrase}", objects[0].evidence)]
        items = [(found.phrase, found.evidence) for found in objects]
        return Summary(
            mission=proposal.mission,
            proposal_id=proposal.proposal_id,
            objects_and_phenomena=tuple(phrase for phrase, _ in items),
            science_use_cases=tuple(phrase for phrase, _ in uses),
            backend=self.backend,
            model=self.model,
            version=self.version,
            evidence=tuple(evidence for _, evidence in [*items, *uses]),
            derived=not aims,
        )


@dataclass(frozen=True, kw_only=True)
class Abstract:
    """A text in one line with its words, the terms it mentions, the names in it, and its aims."""

    text: str
    words: Sequence[Word]
    mentions: Sequence[Mention]
    names: Sequence[Span]
    aims: Sequence[Aim]

    @classmethod
    def read(cls, abstract: str) -> Abstract:
        text = " ".join(abstract.split())
        run = words(text)
        return cls(
            text=text,
            words=run,
            mentions=vocabulary().mentions(text, run),
            names=designations(text),
            aims=find_aims(text),
        )

    def where(self, mention: Mention) -> Span:
        return self.words[mention.first].start, self.words[mention.last - 1].end

    def stems(self, mention: Mention) -> tuple[str, ...]:
        return tuple(word.stem for word in self.words[mention.first : mention.last])

    def score(self, kind: str, length: int, at: Sequence[Span]) -> float:
        """The worth of a term or name as a description of the proposal.

        It is higher if named often, early, in many words and where the aims are stated.
        """
        aims = [(aim.start, aim.end) for aim in self.aims if aim.strength >= LEAST_STRENGTH]
        aimed = any(_overlap(where, aim) for where in at for aim in aims)
        early = 1 - at[0][0] / len(self.text)
        often, long = 0.6 * math.log2(len(at)), 0.25 * min(length - 1, 3)
        return WEIGHTS[kind] + often + long + 1.0 * aimed + 0.6 * early


def choose_objects(abstract: Abstract) -> list[Candidate]:
    """At most five classes and names, the most telling first.

    A name within a class ("RR Lyrae star") does not count as a name.
    """
    classes = [abstract.where(mention) for mention in abstract.mentions if _is_class(mention)]
    names = [name for name in abstract.names if not any(_within(name, where) for where in classes)]
    mentions = [
        mention
        for mention in abstract.mentions
        if not any(_overlap(abstract.where(mention), name) for name in names)
    ]

    def rank(found: Candidate) -> tuple[float, int, str]:
        return -found.score, abstract.text.index(found.evidence), found.phrase

    candidates = [*_classes(abstract, mentions), *_names(abstract, names)]
    return _most_telling(sorted(candidates, key=rank))


def _is_class(mention: Mention) -> bool:
    return not mention.form.acronym and mention.form.term.section != HEADS


def _classes(abstract: Abstract, mentions: Sequence[Mention]) -> Iterator[Candidate]:
    """One candidate per term, in its most telling form.

    Nouns of the section `heads` are distinguished by their modifiers.
    """
    groups: dict[object, list[Mention]] = {}
    for mention in mentions:
        term = mention.form.term
        group = frozenset(abstract.stems(mention)) if term.section == HEADS else term
        groups.setdefault(group, []).append(mention)

    for found in groups.values():
        if all(mention.form.ambiguous for mention in found):
            continue
        best = _most_telling_form(abstract, found)
        section, stems = best.form.term.section, abstract.stems(best)
        at = [abstract.where(mention) for mention in found]
        yield Candidate(
            phrase=_written(abstract, best),
            evidence=abstract.text[slice(*abstract.where(best))],
            stems=frozenset(stems),
            kind=section,
            score=abstract.score(section, len(stems), at),
        )


def _most_telling_form(abstract: Abstract, mentions: Sequence[Mention]) -> Mention:
    """The most telling form of a term: a full name rather than an acronym.

    One word more counts as much as twice the frequency.
    """
    forms = [abstract.stems(mention) for mention in mentions]
    often = Counter(forms)
    worth = [
        (not mention.form.acronym, len(form) + math.log2(often[form]))
        for mention, form in zip(mentions, forms, strict=True)
    ]
    return mentions[max(range(len(mentions)), key=lambda at: (worth[at], -at))]


def _names(abstract: Abstract, names: Sequence[Span]) -> Iterator[Candidate]:
    """One candidate per name, whatever its spacing (`SN 1987A`, `SN1987A`)."""
    groups: dict[str, list[Span]] = {}
    for name in names:
        groups.setdefault(re.sub(r"[\s-]", "", abstract.text[slice(*name)]), []).append(name)
    for at in groups.values():
        written = abstract.text[slice(*at[0])]
        stems = frozenset(word.stem for word in words(written))
        yield Candidate(
            phrase=re.sub(r"(?<=-) ", "", written),
            evidence=written,
            stems=stems,
            kind=NAME,
            score=abstract.score(NAME, 1, at),
        )


def _most_telling(ranked: Iterable[Candidate]) -> list[Candidate]:
    """The first five candidates that do not contain one another, with a limit for each kind.

    A class gives way to a narrower one ("dwarf galaxy").
    """
    chosen: list[Candidate] = []
    for found in ranked:
        wider = next((at for at, other in enumerate(chosen) if found.narrows(other)), None)
        if wider is not None and _adds(found, chosen[:wider] + chosen[wider + 1 :]):
            chosen[wider] = found
        elif wider is None and len(chosen) < MOST_ITEMS and _adds(found, chosen):
            chosen.append(found)
    return chosen


def _adds(found: Candidate, chosen: Sequence[Candidate]) -> bool:
    if any(found.stems <= other.stems or other.stems <= found.stems for other in chosen):
        return False
    most = MOST_OF_KIND.get(found.kind, MOST_ITEMS)
    if sum(other.kind == found.kind for other in chosen) >= most:
        return False
    return found.kind == NAME or sum(other.noun == found.noun for other in chosen) < MOST_OF_NOUN


def _written(abstract: Abstract, mention: Mention) -> str:
    """A mention written as an item.

    Capitals and hyphens are those of the vocabulary, number is that of the text; possessives are
    dropped.
    """
    part = abstract.words[mention.first : mention.last]
    if mention.form.acronym:
        return span(abstract.text, part)

    name = words(mention.form.name)
    inside = dict(zip(range(mention.core - mention.first, len(part)), name, strict=False))
    written = ""
    for at, word in enumerate(part):
        if at - 1 in inside and at in inside:
            written += mention.form.name[inside[at - 1].end : inside[at].start]
        elif at:
            written += abstract.text[part[at - 1].end : word.start].strip() or " "
        written += _cased(re.sub(r"['’]s?$", "", word.text), inside.get(at))
    return written


def _cased(word: str, model: Word | None) -> str:
    """`Luminous` -> `luminous`, unless the vocabulary has a capital; UV and X stay."""
    proper = model.text[0].isupper() if model else word in _PROPER
    return word if proper or not word.istitle() or len(word) == 1 else word.lower()


def choose_aims(abstract: Abstract, objects: Sequence[Candidate]) -> list[Aim]:
    """At most five aims, in the order of the text; at most 80 words together with the objects."""
    least = max([LEAST_STRENGTH, *(aim.strength - STRENGTH_RANGE for aim in abstract.aims)])
    room = MOST_WORDS - sum(len(item.phrase.split()) for item in objects)
    spans = [abstract.where(mention) for mention in abstract.mentions]
    likely = [aim for aim in abstract.aims if aim.strength >= least]

    chosen: list[Aim] = []
    for aim in sorted(likely, key=lambda aim: (-_worth(aim, spans, objects), aim.start)):
        length = len(aim.phrase.split())
        fits = len(chosen) < MOST_ITEMS and length <= room
        if fits and not any(_alike(aim, other) for other in chosen):
            chosen.append(aim)
            room -= length
    return sorted(chosen, key=lambda aim: aim.start)


def _worth(aim: Aim, spans: Sequence[Span], objects: Sequence[Candidate]) -> float:
    stems = {word.stem for word in words(aim.phrase)}
    names_object = any(item.stems <= stems for item in objects)
    names_term = any(_within(where, (aim.start, aim.end)) for where in spans)
    is_short = len(aim.phrase.split()) < 4
    return aim.strength + 0.7 * names_object + 0.5 * names_term - 0.5 * is_short


def _alike(one: Aim, other: Aim) -> bool:
    first, second = ({word.stem for word in words(aim.phrase)} for aim in (one, other))
    return len(first & second) > ALIKE * len(first | second) or first <= second or second <= first


def _within(inner: Span, outer: Span) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
