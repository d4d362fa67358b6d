"""Names of objects: which spellings and which designations name the same one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import TypeAlias

# The words and the numbers of a name in lower case, without leading zeros: ("ngc", "224").
Parts: TypeAlias = tuple[str, ...]

_SHORT_NAMES = {"messier": "m", "caldwell": "c", "abell": "a", "sharpless": "sh"}
_LONG_NAMES = {short: long for long, short in _SHORT_NAMES.items()}
_WIDTHS = (3, 4, 5)  # digits to which catalogues fill their numbers: M031, NGC0224, UGC00454
# The numbers of Messier's objects in the New General Catalogue, in his order; negative in the Index
# Catalogue, 0 in neither.
_MESSIER = (
    "1952 7089 5272 6121 5904 6405 6475 6523 6333 6254 6705 6218 6205 6402 7078 6611 6618 6613 "
    "6273 6514 6531 6656 6494 -4715 -4725 6694 6853 6626 6913 7099 224 221 598 1039 2168 1960 2099 "
    "1912 7092 0 2287 1976 1982 2632 0 2437 2422 2548 4472 2323 5194 7654 5024 6715 6809 6779 "
    "6720 4579 4621 4649 4303 6266 5055 4826 3623 3627 2682 4590 6637 6681 6838 6981 6994 628 "
    "6864 650 1068 2068 1904 6093 3031 3034 5236 4374 4382 4406 4486 4501 4552 4569 4548 6341 "
    "2447 4736 3351 3368 3587 4192 4254 4321 5457 5866 581 4594 3379 4258 6171 3556 3992 205"
)


def parts_of(name: str) -> Parts:
    """The words and the numbers of a name: `NGC0224` -> ("ngc", "224")."""
    return tuple(
        _SHORT_NAMES.get(part, part.lstrip("0") or part[-1:]) for part in _pieces(name.casefold())
    )


def _pieces(text: str) -> list[str]:
    return re.findall(r"\d+|[^\W\d_]+", text)


def designations(name: str) -> set[Parts]:
    """The parts of a name, and of the other designation of one of Messier's objects."""
    own = parts_of(name)
    return {own, *_other_designations().get(own, ())} if own else set()


@lru_cache(maxsize=1)
def _other_designations() -> dict[Parts, tuple[Parts, ...]]:
    pairs: dict[Parts, tuple[Parts, ...]] = {}
    for messier, number in enumerate(map(int, _MESSIER.split()), 1):
        if number:
            ours = "m", str(messier)
            theirs = "ngc" if number > 0 else "ic", str(abs(number))
            pairs |= {ours: (theirs,), theirs: (ours,)}
    return pairs


def spellings(name: str) -> Iterator[Parts]:
    """The ways in which an object's name may be written, as words and numbers in lower case."""
    yield tuple(_pieces(name.casefold()))
    for parts in designations(name):
        yield parts
        # A position in a name is written in one way only.
        if sum(part.isdecimal() for part in parts) == 1:
            yield from product(*map(_written, parts))


def _written(part: str) -> list[str]:
    if part.isdecimal():
        return [part, *(part.zfill(width) for width in _WIDTHS)]
    return _short_and_long(part)


def _short_and_long(word: str) -> list[str]:
    return [word, _LONG_NAMES[word]] if word in _LONG_NAMES else [word]


def names_in(text: str) -> list[str]:
    """What may be the name of an object in a text: designations (`M 31`), and the text itself."""
    found = re.findall(r"[^\W\d_]+[ -]?\d[\w.+-]*", text)
    return list(dict.fromkeys([text.strip(), *(name.rstrip(".-+") for name in found)]))


def is_named(target: str | None, wanted: str) -> bool:
    """Whether a target's name contains the wanted one, however it is spaced.

    `NGC 4038` is in `NGC4038-39`, and `M 31` in `NGC224-DISK`, but `M 5` is not in `M51`.
    """
    pattern = _pattern(wanted)
    return target is not None and pattern is not None and pattern.search(target) is not None


@lru_cache(maxsize=64)
def _pattern(wanted: str) -> re.Pattern[str] | None:
    names = [tuple(_pieces(wanted)), *sorted(designations(wanted))]
    return re.compile("|".join(map(_expression, names)), re.IGNORECASE) if names[0] else None


def _expression(parts: Parts) -> str:
    """A regular expression for the parts of a name, however they are separated."""
    middle = r"[\W_]*".join(map(_either, parts))
    ends = parts[0][0], parts[-1][0]
    before, after = (r"\d" if sign.isdecimal() else r"[^\W\d_]" for sign in ends)
    return f"(?<!{before}){middle}(?!{after})"


def _either(part: str) -> str:
    if part.isdecimal():
        return f"0*{part}"
    return f"(?:{'|'.join(map(re.escape, _short_and_long(part)))})"
