"""The aims of a proposal ("we propose to ...", "will allow us to determine ...") as short phrases.

A phrase begins at a verb that states an aim and runs to the end of its clause, without articles and
brackets. All its words occur in the text, in this order; only the comma of a list becomes "and".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from paperclip_cli.summaries.keywords.clauses import Piece, clause, pieces_of
from paperclip_cli.summaries.keywords.wordlists import word_list
from paperclip_cli.text.sentences import sentences
from paperclip_cli.text.words import stem

_PROPOSED = re.compile(
    r"\b(?:(?<!been )propos(?:e|es|ing|ed)|request|aims?|aimed|goals?|objectives?|purposes?|plan|"
    r"planned|intend|seek|wish|hope|want|designed|in order to|"
    r"(?:this|our) (?:proposal|program\w*|project|study|survey|snapshot))\b",
    re.IGNORECASE,
)
_HOPED = re.compile(
    r"\b(?:will|allow\w*|enabl\w*|permit\w*|necessary|need(?:ed)?|ideal|opportunity)\b",
    re.IGNORECASE,
)
_KNOWN = re.compile(
    r"\b(?:has|have|had) (?:\w+ly |now |also |already |long |recently )?"
    r"(?:\w+ed|been|shown|led|found|made|begun)\b|"
    r"\b(?:previous|recent) (?:studies|observations|work)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Aim:
    """A phrase, and the part of the text (`start` to `end`) that it was cut from.

    `strength` is the confidence that it is an aim of this proposal: 3 in a sentence that proposes,
    1 in one that only has the form.
    """

    phrase: str
    start: int
    end: int
    strength: float


def find_aims(text: str) -> list[Aim]:
    """The aims in a text (one line, single spaces), in its order.

    If it states none, its plans (observe, obtain ...).
    """
    verbs = word_list("aim verbs", "weak verbs")
    return list(_aims(text, verbs)) or list(_aims(text, word_list("method verbs")))


def _aims(text: str, verbs: frozenset[str]) -> Iterator[Aim]:
    weak = word_list("weak verbs", "method verbs")
    at = 0
    for sentence in sentences(text):
        at = text.index(sentence, at)
        pieces = pieces_of(sentence)
        starts = verb_positions(pieces, verbs)
        asked = noun_positions(pieces) if _strength(sentence) > 2 else []
        for start in sorted({*starts, *asked}):
            found = clause(pieces, start, starts)
            if found:
                is_weak = stem(pieces[start].low) in weak or start in asked
                strength = _strength(sentence) - 0.75 * is_weak
                yield Aim(found.phrase, at + pieces[start].start, at + found.end, strength)
        at += len(sentence)


def _strength(sentence: str) -> float:
    if _PROPOSED.search(sentence):
        return 3.0
    return (2.5 if _HOPED.search(sentence) else 1.0) - 1.75 * bool(_KNOWN.search(sentence))


def verb_positions(pieces: Sequence[Piece], verbs: frozenset[str]) -> list[int]:
    """Positions of verbs that state an aim.

    They follow "to", "will", "we" or "goal of", or continue a list that such a verb began.
    """
    found: list[int] = []
    for at, piece in enumerate(pieces):
        as_verb = _is_verb(piece, verbs) and _is_aim(pieces, at, bool(found))
        if as_verb or (_is_gerund(piece, verbs) and _names_purpose(pieces, at)):
            found.append(at)
    return found


def noun_positions(pieces: Sequence[Piece]) -> list[int]:
    """Positions of nouns that state an aim: `we propose a survey of`, `will allow a study of`."""
    return [at for at in range(len(pieces) - 1) if _is_asked_for(pieces, at)]


def _is_asked_for(pieces: Sequence[Piece], at: int) -> bool:
    if pieces[at].low not in word_list("aim nouns") or pieces[at + 1].low != "of":
        return False
    before = (piece.low for piece in pieces[max(at - 8, 0) : at])
    return not word_list("words of asking").isdisjoint(before)


def _is_verb(piece: Piece, verbs: frozenset[str]) -> bool:
    return stem(piece.low) in verbs and (piece.low in verbs or not piece.low.endswith("s"))


def _is_gerund(piece: Piece, verbs: frozenset[str]) -> bool:
    root = piece.low.removesuffix("ing")
    return root != piece.low and not verbs.isdisjoint((root, root + "e"))


def _is_aim(pieces: Sequence[Piece], at: int, in_list: bool) -> bool:
    back = at - 1
    while back >= 0 and _is_skipped(pieces[back]) and not pieces[back].after:
        back -= 1
    if back < 0:
        return False

    cue, before = pieces[back], pieces[back - 1].low if back else ""
    if cue.low == "to":
        to_be_used = before == "used" and back > 1 and pieces[back - 2].low == "be"
        return to_be_used or before not in word_list("not before an aim")
    if cue.low in word_list("modals") or cue.low == "we":
        return True
    if cue.low in word_list("modals after we"):
        return before == "we"
    begins = any(piece.begins for piece in pieces[back + 1 : at + 1])
    joined = begins or cue.low in ("and", "or") or bool(cue.after)
    return in_list and joined and _reads_as_verb(pieces, at)


def _is_skipped(piece: Piece) -> bool:
    return piece.low in word_list("skipped") or piece.low.endswith("ly")


def _reads_as_verb(pieces: Sequence[Piece], at: int) -> bool:
    """Whether a word in a list is a verb: `study the` is one, `study of` is not."""
    if pieces[at].low not in word_list("verbs that are nouns too") or pieces[at].begins:
        return True
    following = pieces[at + 1].low if at + 1 < len(pieces) else ""
    return following in word_list("articles", "questions") | {"for"}


def _names_purpose(pieces: Sequence[Piece], at: int) -> bool:
    """Whether a gerund states an aim.

    Examples are `with the goal of measuring`, `aimed at finding` and `we propose measuring`.
    """
    before = [piece.low for piece in pieces[max(at - 6, 0) : at]]
    last = before[-1] if before else ""
    if last in ("propose", "proposing"):
        return True
    return last in ("of", "at", "for") and not word_list("words of purpose").isdisjoint(before)
