"""Counts with their nouns in the singular or the plural, and sizes."""

from __future__ import annotations

# Verbs after a count of one: `1 file that is no image`, `1 row that repeats another`.
_VERBS = {
    "are": "is",
    "were": "was",
    "have": "has",
    "do": "does",
    "belong": "belongs",
    "lead": "leads",
    "repeat": "repeats",
}


def counted(count: int, plural: str) -> str:
    """`1 proposal without an image`, `1,000 proposals without an image`, `1 new`, `once`.

    `plural` names what is counted, as it reads after any number but 1.
    """
    if count == 1 and plural == "times":
        return "once"
    return f"{count:,} {noun(count, plural)}"


def in_bytes(count: float) -> str:
    """`1.5 GB`, `0.3 MB`."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def noun(count: float, plural: str) -> str:
    """The words of `counted` without the number: `model` or `models`."""
    return _one(plural) if count == 1 else plural


def _one(plural: str) -> str:
    """The phrase with its first noun, and the verb that belongs to it, in the singular."""
    words = plural.split(" ")
    places = iter(range(len(words)))

    for place in places:
        if _is_plural(words[place]):
            words[place] = singular(words[place])
            break

    for place in places:
        if _is_plural(words[place]):  # a verb after a second noun is not the first noun's
            break
        if words[place] in _VERBS:
            words[place] = _VERBS[words[place]]
            break
    return " ".join(words)


def _is_plural(word: str) -> bool:
    return word.islower() and singular(word) != word


def singular(word: str) -> str:
    """The singular of a lower-case English word, by rule: `galaxies` -> `galaxy`, `class` stays."""
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word
