"""Clauses cut out of a sentence, from the verb to the end, at most 15 words.

Articles and brackets are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from paperclip_cli.summaries.keywords.wordlists import word_list
from paperclip_cli.text.words import words

MOST_WORDS = 15
_COMFORTABLE = 12  # a longer clause is cut here if it can be cut before a preposition
_LEAST_WORDS = 3

_ENUMERATOR = re.compile(r"(?<![^\s:;,])[({\[]?(?:\d|[ivx]{1,4}|[a-h])[)}\]](?=[\s:]|[A-Za-z])")
_BRACKETS = re.compile(r"[({\[][^(){}\[\]]*[)}\]]")
_DASH = re.compile(r"[-–—]+")
_INSTRUMENT = re.compile(
    r"(?:HST|JWST|Hubble|WF/?P?C-?[123]?|WFC3|ACS|STIS|COS|NICMOS|FOC|FOS|GHRS|HRC|HRS|SBC|UVIS|"
    r"Chandra|CXO|Spitzer|XMM|VLT|ALMA|Keck|VLA|VLBA|VLBI|Gaia|ROSAT|AXAF|NIRSpec|NIRCam|MIRI|"
    r"NIRISS|TESS|SDSS|Euclid|LSST|F\d{3,4}\w+|CVZ|SNAP\w*|GO-?\d+)(?:\W.*)?"
    r"|(?i:snapshots?|cycles?|orbits?|epochs?|exposures?|visits?|archival|ground-based|filters?|"
    r"proprietary)"
)
_HUBBLE_TERM = re.compile(
    r"(?:constant|diagram|sequence|types?|flow|time|law|expansion|tension|residuals?|parameter)"
)
_NUMBER = re.compile(r"[~<>=≈≤≥±+-]*\d[\d.,/^x-]*")
_UNITS = (
    r"[kMGT]?pc|[kMG]?yrs?|years?|AU|km|cm|mm|nm|um|microns?|[Aa]ngstroms?|Å|AA?|arcsec\w*|"
    r"arcmin\w*|deg\w*|mags?|magnitudes?|days?|hours?|k?s|k?sec|seconds?|[kM]?eV|GHz|K|M_?sun|"
    r"M_?odot|L_?sun|solar|sigma|percent|%|ergs?|dex|minutes?|mas|milliarcsec\w*|Jy"
)
_UNIT = re.compile(rf"(?:{_UNITS})(?:\W.*)?")
_NUMBER_WITH_UNIT = re.compile(rf"[~<>=≤≥+-]*\d[\d.,-]*(?:['\"]|-?(?!A|s)(?:{_UNITS})(?!\w)).*")
_NEVER_IN_LISTS = frozenset(("of", "it", "they", "each", "not"))
_PRONOUNS = ("it", "they", "them", "itself", "this", "these", "those", "one")
_OPENING, _CLOSING = "\\([{'\"`“‘$", ")]}'\"”’$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The text between two spaces, without the punctuation around it.

    `start` and `end` are positions in the sentence. `begins`: a list item begins here
    ("{1} measure"). `after` is ",", ";" (for anything that ends a clause) or empty.
    """

    core: str
    start: int
    end: int
    begins: bool = False
    after: str = ""

    @property
    def low(self) -> str:
        return self.core.casefold()


@dataclass(frozen=True, slots=True)
class Clause:
    """A phrase, and the end of its last word in the sentence."""

    phrase: str
    end: int


def pieces_of(sentence: str) -> list[Piece]:
    """Split a sentence into pieces, leaving out the text in brackets."""
    hidden = _ENUMERATOR.sub(lambda found: "¦" + " " * (len(found[0]) - 1), sentence)
    while _BRACKETS.search(hidden):
        hidden = _BRACKETS.sub(lambda found: " " * len(found[0]), hidden)

    found: list[Piece] = []
    begins = False
    for match in re.finditer(r"[^\s¦]+|¦", hidden):
        core = match[0].lstrip(_OPENING + ",;:").rstrip(_CLOSING + ".,;:?!")
        if not core or core == "¦" or _DASH.fullmatch(core):
            begins = begins or core == "¦"
            if found:
                last = found[-1]
                ends_clause = core or last.after == ";"
                after = ";" if ends_clause else _after(match[0]) or last.after
                found[-1] = replace(last, after=after)
            continue

        start = match.start() + match[0].index(core)
        after = "" if core == "vs" else _after(match[0][start - match.start() + len(core) :])
        found.append(
            Piece(core=core, start=start, end=start + len(core), begins=begins, after=after)
        )
        begins = False
    return found


def _after(punctuation: str) -> str:
    return ";" if re.search(r"[.;:?!]", punctuation) else "," if "," in punctuation else ""


def clause(pieces: Sequence[Piece], start: int, starts: Sequence[int]) -> Clause | None:
    """The phrase that begins at `start`, or None if too little is left of it.

    `starts` are the positions where others begin.
    """
    run = _without_instruments(list(_run(pieces, start, set(starts))))
    kept = _trimmed(_shortened([piece for piece in run if not _is_left_out(piece)]))
    if len(kept) < _LEAST_WORDS or kept[1].low in ("and", "or") or not _says_something(kept):
        return None
    if any(piece.low in _PRONOUNS for piece in kept[1:3]):
        return None  # "determine if it" makes no sense by itself
    if kept[1].low in word_list("questions") and not _is_whole_question(kept):
        return None  # "determine whether dwarf galaxies", cut before its verb

    phrase = " ".join([kept[0].low, *(piece.core for piece in kept[1:])])
    return Clause(re.sub(r"^\W+|['’]$", "", phrase), kept[-1].end)


def _is_whole_question(kept: Sequence[Piece]) -> bool:
    return bool(kept[-1].after) or any(piece.low in word_list("finite verbs") for piece in kept)


def _is_left_out(piece: Piece) -> bool:
    return piece.low in word_list("left out") and piece.core != "A"  # Cas A


def _run(pieces: Sequence[Piece], start: int, starts: set[int]) -> Iterator[Piece]:
    """The pieces of a clause, with "and" for the commas of a list."""
    at = start
    while at < len(pieces):
        piece = pieces[at]
        if at > start and _stops(pieces, at, start, starts):
            return
        if [other.low for other in pieces[at : at + 3]] == ["as", "well", "as"]:
            if _next_is_start(pieces, at + 2, starts):
                return
            yield replace(piece, core="and")
            at += 3
            continue
        yield piece
        if piece.after == ";" or (piece.after == "," and not _is_list(pieces, at + 1, starts)):
            return
        if piece.after == "," and pieces[at + 1].low not in ("and", "or"):
            yield Piece(core="and", start=piece.end, end=piece.end)
        at += 1


def _stops(pieces: Sequence[Piece], at: int, start: int, starts: set[int]) -> bool:
    low, before = pieces[at].low, pieces[at - 1]
    has_that = any(piece.low == "that" for piece in pieces[start:at])
    question = has_that or pieces[start + 1].low in word_list("questions")
    if at in starts or (pieces[at].begins and at > start + 1):
        return True
    if low in word_list("questions") and at == start + 1:
        return False
    if low == "that":
        return before.low not in word_list("claims")
    if low in word_list("stops") or (low in word_list("finite verbs") and not question):
        return True
    is_article = low in word_list("articles") and pieces[at].core != "A"
    if is_article and at > start + 2 and not question and not _awaits_noun(pieces, at, start):
        return True
    following = [piece.low for piece in pieces[at + 1 : at + 3]]
    if low == "such" and following[:1] == ["as"]:
        return True
    if low == "in" and following in (["order", "to"], ["order", "that"]):
        return True
    return low in ("to", "and", "or", "then") and _next_is_start(pieces, at, starts)


def _awaits_noun(pieces: Sequence[Piece], at: int, start: int) -> bool:
    """Whether an article belongs to the clause: after a preposition, a conjunction or a comma.

    Otherwise a new subject begins with it.
    """
    before = pieces[at - 1]
    is_pointing = pieces[at].low in ("these", "this", "those")
    if is_pointing and at - start > 3 and before.low in word_list("breaks"):
        return False
    joints = word_list("breaks", "dangling", "questions") | {"detail"}
    is_joint = before.low in joints or before.low.endswith("ly") or bool(before.after)
    return is_joint or at - 1 == start


def _next_is_start(pieces: Sequence[Piece], at: int, starts: set[int]) -> bool:
    """Whether another phrase begins after the word at `at`."""
    skipped = word_list("skipped") | {"to"}
    following = at + 1
    while following < len(pieces) and (
        pieces[following].low.endswith("ly") or pieces[following].low in skipped
    ):
        following += 1
    if following >= len(pieces):
        return False

    low = pieces[following].low
    if following in starts or low in _other_verbs():
        return True
    if low.endswith("ing") and {low[:-3], low[:-3] + "e"} & _other_verbs():
        return True
    if pieces[following].after or low in word_list("breaks", "dangling"):
        return False
    objects = word_list("articles") | {"to"}
    return following + 1 < len(pieces) and pieces[following + 1].low in objects


@cache
def _other_verbs() -> frozenset[str]:
    """Verbs that, after "and", begin a phrase of their own."""
    verbs = word_list("aim verbs", "weak verbs", "method verbs", "other verbs")
    return verbs - word_list("verbs that are nouns too")


def _is_list(pieces: Sequence[Piece], at: int, starts: set[int]) -> bool:
    """Whether a comma is followed, from `at` on, by the next member of a list.

    An example is "ages, masses, and colors".
    """
    grammar = word_list("stops", "breaks", "finite verbs", "questions", "skipped")
    never = grammar | _other_verbs() | _NEVER_IN_LISTS
    members = 0
    while at < len(pieces) and members < 5:
        conjunction = pieces[at].low in ("and", "or")
        at += conjunction
        if at >= len(pieces) or at in starts:
            return False
        if pieces[at].low in never or pieces[at].low.endswith(("ing", "ly")):
            return False
        if conjunction:
            return not _next_is_start(pieces, at - 1, starts)

        length = next((n for n, piece in enumerate(pieces[at : at + 7]) if piece.after), None)
        member = pieces[at : at + 7] if length is None else pieces[at : at + length + 1]
        if any(piece.low in ("and", "or") for piece in member[1:]):
            return True
        if length is None or member[-1].after == ";":
            return False
        at += len(member)
        members += 1
    return False


def _without_instruments(taken: list[Piece]) -> list[Piece]:
    """Cut before the first phrase with an instrument, a unit, a comma or a formula."""
    for at, piece in enumerate(taken):
        following = taken[at + 1].core if at + 1 < len(taken) else ""
        is_law = piece.core == "Hubble" and _HUBBLE_TERM.fullmatch(following)
        named = _INSTRUMENT.fullmatch(piece.core) and not is_law
        number = _NUMBER.fullmatch(piece.core) and _UNIT.fullmatch(following)
        measured = number or _NUMBER_WITH_UNIT.fullmatch(piece.core)
        if named or measured or re.search(r"[,;$\\]", piece.core):
            joints = word_list("breaks") | {"of", "that"}
            last = next((n for n in range(at - 1, 0, -1) if taken[n].low in joints), 0)
            return taken[:last]
    return taken


def _shortened(kept: list[Piece]) -> list[Piece]:
    """Cut a clause with more than a comfortable number of words.

    The cut is before a preposition, else before "of", else at the limit.
    """
    if len(kept) <= _COMFORTABLE:
        return kept
    last = min(len(kept) - 1, MOST_WORDS)
    for joints in (word_list("breaks"), {"of"}):
        cuts = [at for at in range(4, last + 1) if kept[at].low in joints]
        if cuts:
            comfortable = [at for at in cuts if at <= _COMFORTABLE]
            return kept[: comfortable[-1] if comfortable else cuts[0]]
    return kept[:MOST_WORDS]


def _trimmed(kept: list[Piece]) -> list[Piece]:
    while kept and _ends_loosely(kept):
        kept = kept[:-1]
    return kept[:-2] if len(kept) > 1 and kept[-2].low == "that" else kept


def _ends_loosely(kept: Sequence[Piece]) -> bool:
    if kept[-1].low in word_list("dangling", "breaks") or _is_left_out(kept[-1]):
        return True
    return _is_loose_participle(kept) or _is_bare_figure(kept)


def _is_loose_participle(kept: Sequence[Piece]) -> bool:
    """Whether the last piece belongs to the part that was cut off ("disks powered").

    After a finite verb it belongs to that verb ("disks are powered").
    """
    in_verb = len(kept) > 1 and kept[-2].low in word_list("finite verbs")
    return kept[-1].low.endswith("ly") or (kept[-1].low.endswith("ed") and not in_verb)


def _is_bare_figure(kept: Sequence[Piece]) -> bool:
    """Whether the last piece is a number or a letter whose rest was cut off.

    Examples are "between 0.02" and "at z", but not the name "NGC 1850".
    """
    last, before = kept[-1].core, kept[-2].core if len(kept) > 1 else ""
    in_name = before[:1].isupper() and re.search(r"\d$|^[b-e]$", last)
    return not in_name and not re.search(r"[^\W\d_]{2}|[A-Z]|[<>=~]\S", last)


def _says_something(kept: Sequence[Piece]) -> bool:
    """Whether two words besides the verb are neither general nor grammar."""
    grammar = word_list("dangling", "breaks", "left out", "stops", "questions")
    telling = [piece.core for piece in kept[1:] if piece.low not in grammar]
    stems = {word.stem for core in telling for word in words(core)} - word_list("general")
    return sum(len(found) > 1 and not found.isdigit() for found in stems) >= 2
