"""Rules for the phrases of a summary. Pure functions, the same for every backend and every set.

The prompt asks for the same, but a model may not comply. A phrase that breaks a rule is dropped,
however well formed it is. If that leaves a list empty, the model is asked again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from paperclip_cli.summaries.base import LONGEST_ITEM, MOST_WORDS
from paperclip_cli.summaries.keywords.vocabulary import Term, vocabulary
from paperclip_cli.summaries.keywords.wordlists import word_list
from paperclip_cli.text.words import stem, words

RULES = tuple(
    "foreign telescope units cycle generic copied unsupported duplicate long words".split()
)
FOREIGN, TELESCOPE, UNITS, CYCLE, GENERIC, COPIED, UNSUPPORTED, DUPLICATE, LONG, WORDS = RULES
LONGEST_PHRASE = 20  # words

_TELESCOPE = re.compile(
    r"\b(?:HST|JWST|(?:James )?Webb|[Ss]pace [Tt]elescopes?|ACS|WFC3?|UVIS|HRC|SBC|WFPC2?|WF/PC|"
    r"STIS|COS|NICMOS|FOC|FOS|GHRS|HRS|FGS|NIRCam|NIRSpec|NIRISS|MIRI|F\d{3,4}(?:W|M|N|LP)|"
    r"Hubble(?! (?:constant|parameter|flow|diagram|law|time|tension|radius|expansion|type|"
    r"sequence|stage|classification|residual|(?:Ultra )?Deep Field|Frontier Field)))\b"
)
_UNIT = (
    r"(?:%|°|″|′|Å|µm|μm|(?:[kMG]?pc|[GMk]?yrs?|light[ -]years?|years?|days?|hours?|hrs?|minutes?|"
    r"orbits?|AU|[RLM]_?sun|solar (?:mass|radi|luminosit)\w*|mag|magnitudes?|mas|"
    r"arc ?sec(?:ond)?s?|arc ?min(?:ute)?s?|degrees?|(?<= )A|[Aa]ngstroms?|microns?|[nmckµμu]m|"
    r"km ?(?:/|per) ?s(?:ec)?|[kMG]?eV|[kMG]Hz|ergs?|[mµμu]?Jy|K|percent)(?!\w))"
)
_UNITS = re.compile(rf"(?<![\w.])(?!21[ -]?cm\b)\d[\d.,]*(?:[eE^]\^?[+-]?\d+)?[ -]?{_UNIT}")
_CYCLE = re.compile(r"\bcycles? ?\d+", re.IGNORECASE)

# Words that do not describe a proposal, alone or together: "faint objects", "galaxies".
_NOUNS = """galaxy star object source body kinematics motion structure region environment image
    imaging photometry spectroscopy spectrum data sky universe space astronomy astronomical
    astrophysics astrophysical physics telescope instrument camera mission program abstract
    astronomer researcher faint bright nearby near new old some various certain interesting small
    big high low known unknown individual specific general radio infrared optical ultraviolet uv x
    ray wavelength redshift and or of in on for to with from at by as a an the its their this that
    these those it they which is are be will can"""
_GENERAL = word_list("general", "left out", "aim nouns", "words of asking")
_VAGUE = _GENERAL - {"first", "field", "light"} | set(map(stem, _NOUNS.split()))
_VERBS = word_list("aim verbs", "weak verbs", "method verbs", "other verbs")


@dataclass(frozen=True)
class Judgement:
    """The phrases of an answer that keep the rules, and the others, each with the rule it broke."""

    objects: tuple[str, ...]
    uses: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]

    @property
    def is_summary(self) -> bool:
        """Whether neither list is empty."""
        return bool(self.objects and self.uses)

    @property
    def reason(self) -> str:
        """The reason why it is no summary: the empty list, and the rule broken most often."""
        broken = [rule for rule, _ in self.dropped]
        worst = max(dict.fromkeys(broken), key=broken.count, default="empty")
        return f"no {'use case' if self.objects else 'object'} left ({worst})"


def judge(
    objects: Iterable[str], uses: Iterable[str], abstract: str, instructions: str = ""
) -> Judgement:
    """Apply the rules to an answer. `instructions` is the prompt without the abstract."""
    source = _Source(abstract, instructions)
    kept: tuple[list[str], list[str]] = ([], [])
    dropped: list[tuple[str, str]] = []
    seen: set[tuple[str, ...]] = set()
    room = MOST_WORDS

    phrases = [*((True, text) for text in objects), *((False, text) for text in uses)]
    for is_object, phrase in phrases:
        phrase = clean(phrase)
        stems = tuple(word.stem for word in words(phrase))
        length = len(phrase.split())
        rule = source.broken(phrase, is_object)
        if not rule and stems in seen:
            rule = DUPLICATE
        if not rule and length > room:
            rule = WORDS
        if rule:
            dropped.append((rule, phrase))
            continue
        kept[not is_object].append(phrase)
        seen.add(stems)
        room -= length
    return Judgement(tuple(kept[0]), tuple(kept[1]), tuple(dropped))


def clean(phrase: str) -> str:
    """A phrase in one line, without a stop at its end.

    Commas and semicolons are removed, because they separate items in a caption.
    """
    phrase = re.sub(r"(?<=\d),(?=\d)", "", phrase)
    return re.sub(r"[,;\s]+", " ", phrase).strip(" .:")


class _Source:
    """The texts that the phrases of one answer may come from."""

    def __init__(self, abstract: str, instructions: str) -> None:
        self._known, self._instructions = (
            frozenset(word.stem for word in words(text)) for text in (abstract, instructions)
        )
        self._terms = _terms(abstract)

    def broken(self, phrase: str, is_object: bool) -> str:
        """The first rule that a phrase breaks by itself, or blank."""
        return next((rule for rule, is_broken in self._rules(phrase, is_object) if is_broken), "")

    def _rules(self, phrase: str, is_object: bool) -> Iterator[tuple[str, bool]]:
        stems = [word.stem for word in words(phrase)]
        content = [
            found
            for found in stems
            if found not in _VAGUE and not found.isdigit() and (is_object or found not in _VERBS)
        ]
        yield FOREIGN, any(_is_foreign(sign) for sign in phrase)
        yield TELESCOPE, _TELESCOPE.search(phrase) is not None
        yield UNITS, _UNITS.search(phrase) is not None
        yield CYCLE, _CYCLE.search(phrase) is not None
        yield GENERIC, not content
        yield LONG, len(phrase) >= LONGEST_ITEM or len(phrase.split()) > LONGEST_PHRASE

        copied = [
            found for found in content if found in self._instructions and found not in self._known
        ]
        yield COPIED, 2 * len(copied) >= len(content)
        unknown = is_object and self._known.isdisjoint(content)
        yield UNSUPPORTED, unknown and self._terms.isdisjoint(_terms(phrase))


def _terms(text: str) -> frozenset[Term]:
    """The terms in a text, by full name or acronym: AGN supports "active galactic nuclei"."""
    return frozenset(mention.form.term for mention in vocabulary().mentions(text, words(text)))


def _is_foreign(sign: str) -> bool:
    """Whether it is a letter of a script that English text and its formulas do not use."""
    scripts = ("LATIN", "GREEK", "MICRO", "ANGSTROM", "SCRIPT")
    return sign.isalpha() and not unicodedata.name(sign, "").startswith(scripts)
