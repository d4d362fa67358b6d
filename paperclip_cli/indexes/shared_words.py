"""How many words of a text the proposals of an index have, too."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from paperclip_cli.indexes.database import Observations
from paperclip_cli.wording import singular

# Words that say nothing of what a picture shows.
_EMPTY = frozenset(
    "a an the of with in on at and by for to its from is are as or near around over under like "
    "that this it into".split()
)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text that mean something, each once, in lower case; `NGC4038` is two."""
    words = re.findall(r"[^\W\d_]+|\d+", text.lower())
    return tuple(dict.fromkeys(word for word in words if word not in _EMPTY))


def expression(word: str) -> str:
    """An FTS5 expression for a word in the singular and in the plural."""
    one = singular(word)
    forms = {word, one, f"{one}s"}
    if one.endswith("y"):
        forms.add(f"{one[:-1]}ies")
    if one.endswith("a"):
        forms.add(f"{one}e")  # nebula, nebulae
    if word.endswith("ae"):
        forms.add(word[:-1])
    return " OR ".join(f'"{form}"' for form in sorted(forms))


def shares(text: str, proposals: Sequence[int], observations: Observations) -> np.ndarray:
    """The share of the words of `text` that the title or abstract of each proposal has.

    float64 [n], 0 to 1. `proposals` int [n] are numbers in `observations`, 0 for no proposal.
    """
    words, asked = words_of(text), sorted({int(number) for number in proposals} - {0})
    found = dict.fromkeys(asked, 0)
    marks = ", ".join("?" * len(asked))
    for word in words if asked else ():
        for (number,) in observations.execute(
            f"SELECT rowid FROM proposal_words WHERE proposal_words MATCH ? AND rowid IN ({marks})",
            (expression(word), *asked),
        ):
            found[number] += 1
    return np.array([found.get(int(number), 0) / max(1, len(words)) for number in proposals])


def share_table(texts: Sequence[str], observations: Observations) -> np.ndarray:
    """The shares of the words of each text that each proposal has, uint8 [P + 1, T], 255 for all.

    Row 0 is of images without a proposal.
    """
    ((last,),) = observations.execute("SELECT coalesce(max(id), 0) FROM proposals")
    counts = np.zeros((last + 1, len(texts)), np.float32)
    places: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        for word in words_of(text):
            places.setdefault(word, []).append(place)
    for word, columns in places.items():
        rows = observations.execute(
            "SELECT rowid FROM proposal_words WHERE proposal_words MATCH ?", (expression(word),)
        )
        counts[np.ix_([number for (number,) in rows], columns)] += 1
    totals = np.array([max(1, len(words_of(text))) for text in texts])
    return np.rint(255 * counts / totals).astype(np.uint8)
