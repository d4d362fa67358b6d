"""A vocabulary of astronomical classes, and their mentions in a text.

The list itself is `vocabulary.txt`; its head explains the format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from paperclip_cli.summaries.keywords.wordlists import word_list
from paperclip_cli.text.words import Word, are_bound, stem, words

SECTIONS = ("objects", "phenomena", "properties", "calibration")
OBJECTS, PHENOMENA, PROPERTIES, CALIBRATION = SECTIONS
HEADS, MODIFIERS, TAILS = "heads", "modifiers", "tails"
_MOST_MODIFIERS = 3
_DENIALS = frozenset(("no", "not", "without", "lack", "absence", "neither", "nor"))
_PREFIXES = ("non", "post", "anti")


@dataclass(frozen=True, slots=True)
class Term:
    """A line of the vocabulary, identified by its first name."""

    name: str
    section: str


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write a term, in the singular with its capitals.

    An `ambiguous` acronym has other meanings too.
    """

    term: Term
    name: str
    acronym: bool = False
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Mention:
    """Words `first` to `last` (exclusive) of a text that mention a term.

    Modifiers come first, then from `core` on the term itself, then a tail.
    """

    form: Form
    first: int
    core: int
    last: int


@dataclass(slots=True)
class _Node:
    """A word in the tree of all forms, with the words that follow and the form that ends here."""

    following: dict[str, _Node] = field(default_factory=dict)
    form: Form | None = None


class Vocabulary:
    """Every form of every term in a tree of words; one walk finds the longest match."""

    def __init__(self, text: str) -> None:
        self._trees = {"terms": _Node(), MODIFIERS: _Node(), TAILS: _Node()}
        self.terms: list[Term] = []
        section = ""
        for line in (line.strip() for line in text.splitlines()):
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                self._add(line, section)

    def _add(self, line: str, section: str) -> None:
        full, _, short = line.partition("=")
        names = [name.strip() for name in full.split("|")]
        term = Term(names[0], section)
        self.terms.append(term)
        tree = self._trees.get(section, self._trees["terms"])
        for name in names:
            _plant(tree, [_key(word.text) for word in words(name)], Form(term, name))
        for acronym in filter(None, (part.strip() for part in short.split(","))):
            form = Form(term, acronym, acronym=True, ambiguous=acronym.endswith("?"))
            _plant(tree, [word.text for word in words(acronym)], form)

    def mentions(self, text: str, run: Sequence[Word]) -> list[Mention]:
        """The mentions of terms in a text, from left to right, not overlapping.

        `run` holds the words of the text.
        A mention is the longest term that starts at a word, with the modifiers before it and a tail
        after it. Nouns of the section `heads` count only with a modifier.
        """
        return list(self._scan(text, run))

    def _scan(self, text: str, run: Sequence[Word]) -> Iterator[Mention]:
        modifiers = self._modifiers(text, run)
        at = free = 0
        while at < len(run):
            found = self._longest("terms", text, run, at)
            if found is None:
                at += 1
                continue
            inner = self._longer_inside(text, run, at, found[0], modifiers)
            if inner is not None:
                at = inner
                continue
            last, form = found
            first = _modified(text, run, at, free, modifiers)
            last, stop = self._with_tail(text, run, last), last
            mention = Mention(form, first, at, last)
            if _is_meant(text, run, mention):
                yield mention
                stop = free = last
            at = stop

    def _modifiers(self, text: str, run: Sequence[Word]) -> dict[int, int]:
        """The end of each modifier -> its start; the earliest start where several end together."""
        found: dict[int, int] = {}
        for at in reversed(range(len(run))):
            longest = self._longest(MODIFIERS, text, run, at)
            if longest:
                found[longest[0]] = at
        return found

    def _longer_inside(
        self, text: str, run: Sequence[Word], at: int, last: int, modifiers: dict[int, int]
    ) -> int | None:
        """The start of another term inside this one, if that one is preferred.

        It must be at least as long and take the first words of this one as its modifiers: massive
        [star] cluster.
        """
        for inner in range(at + 1, last):
            found = self._longest("terms", text, run, inner)
            is_longer = found is not None and found[0] - inner >= last - at
            if is_longer and _modified(text, run, inner, at, modifiers) == at:
                return inner
        return None

    def _with_tail(self, text: str, run: Sequence[Word], last: int) -> int:
        """The end of a mention with the noun that narrows it.

        A noun that begins a term of its own is not part of it.
        """
        if last == len(run) or not are_bound(text, run[last - 1], run[last]):
            return last
        tail, term = self._longest(TAILS, text, run, last), self._longest("terms", text, run, last)
        return tail[0] if tail and (term is None or term[0] <= tail[0]) else last

    def _longest(
        self, tree: str, text: str, run: Sequence[Word], at: int
    ) -> tuple[int, Form] | None:
        """The end and the form of the longest match that starts at word `at`."""
        best, reached = None, [(self._trees[tree], at)]
        while reached:
            node, end = reached.pop()
            if node.form and (best is None or end > best[0]):
                best = end, node.form
            if end < len(run) and (end == at or are_bound(text, run[end - 1], run[end])):
                word = run[end]
                keys = dict.fromkeys((word.stem, word.text, word.text.removesuffix("s")))
                reached += [(node.following[key], end + 1) for key in keys if key in node.following]
        return best


def _key(word: str) -> str:
    """The key of a word of a name: its stem, or itself if it is in capitals (UV, OB, X)."""
    return word if word.isupper() else stem(word)


def _plant(node: _Node, keys: Sequence[str], form: Form) -> None:
    for key in keys:
        node = node.following.setdefault(key, _Node())
    node.form = node.form or form


def _modified(text: str, run: Sequence[Word], at: int, free: int, modifiers: dict[int, int]) -> int:
    """The first of the modifiers that end right before word `at` and start at `free` or later.

    `at` where there is none.
    """
    first = at
    for _ in range(_MOST_MODIFIERS):
        start = modifiers.get(first)
        if start is None or start < free or not are_bound(text, run[first - 1], run[first]):
            break
        first = start
    return first


def _is_meant(text: str, run: Sequence[Word], mention: Mention) -> bool:
    """Whether a text means the term itself.

    It may mean something else that begins or ends with the same words ("young star counts",
    "post-main sequence").
    """
    section = mention.form.term.section
    if section == HEADS and mention.first == mention.core:
        return False
    if _is_denied(text, run, mention.first):
        return False
    return section not in (HEADS, PROPERTIES) or not _is_compound(text, run, mention.last)


def _is_denied(text: str, run: Sequence[Word], first: int) -> bool:
    """Whether one of the two words before denies the term, or a prefix changes its meaning."""
    before: list[str] = []
    for at in range(first - 1, max(first - 3, -1), -1):
        if not are_bound(text, run[at], run[at + 1]):
            break
        before.append(run[at].stem)
    prefixed = bool(before) and before[0] in _PREFIXES and text[run[first].start - 1] == "-"
    return prefixed or (not _DENIALS.isdisjoint(before) and "only" not in before)


def _is_compound(text: str, run: Sequence[Word], last: int) -> bool:
    """Whether a noun in the singular begins a longer noun ("emission-line objects")."""
    is_plural = run[last - 1].text.endswith("s")
    if last == len(run) or is_plural or not are_bound(text, run[last - 1], run[last]):
        return False
    grammar = word_list("left out", "stops", "breaks", "finite verbs", "dangling")
    return run[last].text.casefold() not in grammar


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary of the package."""
    path = resources.files("paperclip_cli.summaries.keywords").joinpath("vocabulary.txt")
    return Vocabulary(path.read_text(encoding="utf-8"))
