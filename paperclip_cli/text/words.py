"""Words of an English text, and stems that match across number and spelling.

Singular and plural, and British and American spelling, share one stem. A stem need not be pretty:
stems are only compared with one another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from paperclip_cli.wording import singular

_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
# Separators between two words of one term; `oxygen- rich` was once wrapped at the hyphen.
_BOUND = re.compile(r" |[-–/] ?")

_IRREGULAR = {
    "nuclei": "nucleus",
    "radii": "radius",
    "spectra": "spectrum",
    "lenses": "lens",
    "lens": "lens",
    "axes": "axis",
    "dwarves": "dwarf",
    "echoes": "echo",
    "haloes": "halo",
    "volcanoes": "volcano",
    "foci": "focus",
    "indices": "index",
    "phenomena": "phenomenon",
    "maxima": "maximum",
    "minima": "minimum",
    "quanta": "quantum",
    "species": "species",
    "series": "series",
    "novae": "nova",
    "strata": "stratum",
    "gases": "gas",
    "biases": "bias",
    "gas": "gas",
    "debris": "debris",
}
_SPELLING = (
    # colour, neighbour, behaviour
    (re.compile(r"(?<=[a-z]{2})our(?=$|ed$|ing$|less$|hood$)"), "or"),
    (
        re.compile(r"^(cent|met|fib|lust|spect|kilomet|millimet|submillimet|calib)re(?=$|d$)"),
        r"\1er",
    ),
    (re.compile(r"is(?=ation$|e$|ed$|er$|ing$)"), "iz"),  # ionised, polarisation
    (re.compile(r"^(anal|catal)ys(?=e$|ed$|ing$)"), r"\1yz"),
    (re.compile(r"ll(?=ed$|ing$|er$)"), "l"),  # modelling, travelled
    (re.compile(r"ogue$"), "og"),  # catalogue, analogue
    (re.compile(r"^disc$"), "disk"),
    (re.compile(r"^grey$"), "gray"),
    (re.compile(r"^programme$"), "program"),
    (re.compile(r"^sulph"), "sulf"),
    (re.compile(r"^alumini"), "alumin"),
    (re.compile(r"aeo"), "eo"),
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word, its position in the text (`start` to `end`) and its stem."""

    text: str
    start: int
    end: int
    stem: str


def words(text: str) -> list[Word]:
    """Split a text into words at hyphens and slashes, but not at an apostrophe within a word."""
    return [
        Word(found[0], found.start(), found.end(), stem(found[0])) for found in _WORD.finditer(text)
    ]


def stems(text: str) -> list[str]:
    """The stems of the words of a text."""
    return [word.stem for word in words(text)]


def are_bound(text: str, first: Word, second: Word) -> bool:
    """Whether only a space, a hyphen or a slash separates two neighbouring words."""
    return _BOUND.fullmatch(text, first.end, second.start) is not None


def span(text: str, run: Sequence[Word]) -> str:
    """The original text from the first to the last word of a run."""
    return text[run[0].start : run[-1].end]


def spaced(text: str) -> str:
    """Separate letters from digits, so that `NGC4038` and `NGC 4038` are the same words."""
    return re.sub(r"(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])", " ", text)


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """A singular in American spelling: `Nebulae` -> `nebula`, `ionisation` -> `ionization`."""
    word = re.sub(r"['’].*", "", word.casefold())
    word = _IRREGULAR.get(word) or (
        word[:-1] if len(word) > 3 and word.endswith("ae") else singular(word)
    )
    for british, american in _SPELLING:
        word = british.sub(american, word)
    return word
