"""Cuts a clause out of a sentence: from its verb to where it ends, without articles and brackets, at most 15 words."""

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
    r"(?:HST|JWST|Hubble|WF/?P?C-?[123]?|WFC3|ACS|STIS|COS|NICMOS|FOC|FOS|GHRS|HRC|HRS|SBC|UVIS|Chandra|CXO|Spitzer|XMM|"
    r"VLT|ALMA|Keck|VLA|VLBA|VLBI|Gaia|ROSAT|AXAF|NIRSpec|NIRCam|MIRI|NIRISS|TESS|SDSS|Euclid|LSST|"
    r"F\d{3,4}\w+|CVZ|SNAP\w*|GO-?\d+)(?:\W.*)?"
    r"|(?i:snapshots?|cycles?|orbits?|epochs?|exposures?|visits?|archival|ground-based|filters?|proprietary)"
)
_HUBBLE_TERM = re.compile(
    r"(?:constant|diagram|sequence|types?|flow|time|law|expansion|tension|residuals?|parameter)"
)
_NUMBER = re.compile(r"[~<>=≈≤≥±+-]*\d[\d.,/^x-]*")
_UNITS = (
    r"[kMGT]?pc|[kMG]?yrs?|years?|AU|km|cm|mm|nm|um|microns?|[Aa]ngstroms?|Å|AA?|arcsec\w*|arcmin\w*|deg\w*|mags?|magnitudes?|days?|"
    r"hours?|k?s|k?sec|seconds?|[kM]?eV|GHz|K|M_?sun|M_?odot|L_?sun|solar|sigma|percent|%|ergs?|dex|minutes?|mas|milliarcsec\w*|Jy"
)
_UNIT = re.compile(rf"(?:{_UNITS})(?:\W.*)?")
_NUMBER_WITH_UNIT = re.compile(rf"[~<>=≤≥+-]*\d[\d.,-]*(?:['\"]|-?(?!A|s)(?:{_UNITS})(?!\w)).*")
_NEVER_IN_LISTS = frozenset(("of", "it", "they", "each", "not"))
_PRONOUNS = ("it", "they", "them", "itself", "this", "these", "those", "one")
_OPENING, _CLOSING = "\\([{'\"`“‘$", ")]}'\"”’$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What stands between two blanks, without the punctuation around it; `start` and `end` in the sentence.

    `begins`: a list item begins here ("{1} measure"). `after`: "," or ";" (for anything that ends a clause) or nothing.
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
    """A phrase, and where the last word that it took ends in the sentence."""

    phrase: str
    end: int


def pieces_of(sentence: str) -> list[Piece]:
    """The pieces of a sentence. What stands in brackets is passed over."""
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
                found[-1] = replace(
                    found[-1],
                    after=";"
                    if core or found[-1].after == ";"
                    else _after(match[0]) or found[-1].after,
                )
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
    """The phrase that begins at `start`; `starts` are where others begin. None where too little is left of it."""
    taken = [
        piece
        for piece in _without_instruments(list(_run(pieces, start, set(starts))))
        if not _is_left_out(piece)
    ]
    kept = _trimmed(_shortened(taken))
    if len(kept) < _LEAST_WORDS or kept[1].low in ("and", "or") or not _says_something(kept):
        return None
    if any(piece.low in _PRONOUNS for piece in kept[1:3]):
        return None  # "determine if it", which nobody can know alone
    if kept[1].low in word_list("questions") and not (
        kept[-1].after or any(piece.low in word_list("finite verbs") for piece in kept)
    ):
        return None  # "determine whether dwarf galaxies", cut before its verb
    phrase = " ".join([kept[0].low, *(piece.core for piece in kept[1:])])
    return Clause(re.sub(r"^\W+|['’]$", "", phrase), kept[-1].end)


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
    question = pieces[start + 1].low in word_list("questions") or any(
        piece.low == "that" for piece in pieces[start:at]
    )
    if at in starts or (pieces[at].begins and at > start + 1):
        return True
    if low in word_list("questions") and at == start + 1:
        return False
    if low == "that":
        return before.low not in word_list("claims")
    if low in word_list("stops") or (low in word_list("finite verbs") and not question):
        return True
    if (
        low in word_list("articles")
        and pieces[at].core != "A"
        and at > start + 2
        and not question
        and not _awaits_noun(pieces, at, start)
    ):
        return True
    following = [piece.low for piece in pieces[at + 1 : at + 3]]
    if (low == "such" and following[:1] == ["as"]) or (
        low == "in" and following in (["order", "to"], ["order", "that"])
    ):
        return True
    return low in ("to", "and", "or", "then") and _next_is_start(pieces, at, starts)


def _awaits_noun(pieces: Sequence[Piece], at: int, start: int) -> bool:
    """Whether an article belongs to the clause: after a preposition, a conjunction, a comma. Else a new subject begins with it."""
    before = pieces[at - 1]
    joints = word_list("breaks", "dangling", "questions")
    if (
        before.low in word_list("breaks")
        and at - start > 3
        and pieces[at].low in ("these", "this", "those")
    ):
        return False
    return (
        before.low in joints
        or before.low == "detail"
        or bool(before.after)
        or before.low.endswith("ly")
        or at - 1 == start
    )


def _next_is_start(pieces: Sequence[Piece], at: int, starts: set[int]) -> bool:
    following = at + 1
    while following < len(pieces) and (
        pieces[following].low.endswith("ly")
        or pieces[following].low in word_list("skipped") | {"to"}
    ):
        following += 1
    if following >= len(pieces):
        return False
    low = pieces[following].low
    if (
        following in starts
        or low in _other_verbs()
        or (low.endswith("ing") and {low[:-3], low[:-3] + "e"} & _other_verbs())
    ):
        return True
    object_follows = following + 1 < len(pieces) and pieces[following + 1].low in word_list(
        "articles"
    ) | {"to"}
    return (
        object_follows
        and not pieces[following].after
        and low not in word_list("breaks", "dangling")
    )


@cache
def _other_verbs() -> frozenset[str]:
    """Verbs that, after "and", begin what is no part of the phrase."""
    verbs = word_list("aim verbs", "weak verbs", "method verbs", "other verbs")
    return verbs - word_list("verbs that are nouns too")


def _is_list(pieces: Sequence[Piece], at: int, starts: set[int]) -> bool:
    """Whether what follows a comma, from `at` on, is the next member of a list ("ages, masses, and colors")."""
    never = (
        word_list("stops", "breaks", "finite verbs", "questions", "skipped")
        | _other_verbs()
        | _NEVER_IN_LISTS
    )
    members = 0
    while at < len(pieces) and members < 5:
        conjunction = pieces[at].low in ("and", "or")
        at += conjunction
        if (
            at >= len(pieces)
            or at in starts
            or pieces[at].low in never
            or pieces[at].low.endswith(("ing", "ly"))
        ):
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
    """Cut before the first phrase that names an instrument or a unit, or holds a comma or a formula."""
    for at, piece in enumerate(taken):
        following = taken[at + 1].core if at + 1 < len(taken) else ""
        named = _INSTRUMENT.fullmatch(piece.core) and not (
            piece.core == "Hubble" and _HUBBLE_TERM.fullmatch(following)
        )
        measured = _NUMBER_WITH_UNIT.fullmatch(piece.core) or (
            _NUMBER.fullmatch(piece.core) and _UNIT.fullmatch(following)
        )
        if named or measured or re.search(r"[,;$\\]", piece.core):
            joints = word_list("breaks") | {"of", "that"}
            last = next((n for n in range(at - 1, 0, -1) if taken[n].low in joints), 0)
            return taken[:last]
    return taken


def _shortened(kept: list[Piece]) -> list[Piece]:
    """Cut before a preposition if there are more than a comfortable number of words; else before "of", else at the limit."""
    if len(kept) <= _COMFORTABLE:
        return kept
    for joints in (word_list("breaks"), {"of"}):
        cuts = [
            at
            for at in range(4, min(len(kept), MOST_WORDS) + 1)
            if at < len(kept) and kept[at].low in joints
        ]
        if cuts:
            comfortable = [at for at in cuts if at <= _COMFORTABLE]
            return kept[: comfortable[-1] if comfortable else cuts[0]]
    return kept[:MOST_WORDS]


def _trimmed(kept: list[Piece]) -> list[Piece]:
    loose = word_list("dangling", "breaks")
    while kept and (
        kept[-1].low in loose
        or _is_left_out(kept[-1])
        or _is_loose_participle(kept)
        or _is_bare_figure(kept)
    ):
        kept = kept[:-1]
    return kept[:-2] if len(kept) > 1 and kept[-2].low == "that" else kept


def _is_loose_participle(kept: Sequence[Piece]) -> bool:
    """Whether the last piece belongs to what was cut off ("disks powered"), and not to a verb before it ("disks are powered")."""
    in_verb = len(kept) > 1 and kept[-2].low in word_list("finite verbs")
    return kept[-1].low.endswith("ly") or (kept[-1].low.endswith("ed") and not in_verb)


def _is_bare_figure(kept: Sequence[Piece]) -> bool:
    """Whether the last piece is a figure or a letter whose rest was cut off ("between 0.02", "at z"), and no name ("NGC 1850")."""
    last, before = kept[-1].core, kept[-2].core if len(kept) > 1 else ""
    in_name = before[:1].isupper() and re.search(r"\d$|^[b-e]$", last)
    return not in_name and not re.search(r"[^\W\d_]{2}|[A-Z]|[<>=~]\S", last)


def _says_something(kept: Sequence[Piece]) -> bool:
    """Whether two words beside the verb are neither general nor grammar."""
    grammar = word_list("dangling", "breaks", "left out", "stops", "questions")
    stems = {
        word.stem for piece in kept[1:] if piece.low not in grammar for word in words(piece.core)
    }
    return (
        len(
            {found for found in stems if len(found) > 1 and not found.isdigit()}
            - word_list("general")
        )
        >= 2
    )
