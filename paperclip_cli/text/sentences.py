"""Sentence boundaries in English prose as astronomers write it.

Handles `et al.`, `Fig. 3`, `J. Smith` and a forgotten space: `NGC 3664.Investigations`.
"""

from __future__ import annotations

import re

_ABBREVIATIONS = frozenset(
    "e.g i.e cf vs viz ca approx resp incl al etc sec sect fig figs eq eqs eqn ref refs no nos vol"
    " pp ch tab app pop dr prof st mr mrs ms jr sr".split()
)
_INITIALS = re.compile(r"(?:[A-Z]\.)*[A-Z]")  # J. Smith, U.S. Navy; but not a unit: 10,000 K. In
_TAKES_A_CAPITAL = frozenset(("al", "etc"))  # a capital begins a new sentence: `et al. We propose`
_STOP = re.compile(
    r"""
    [.?!]{1,5} ['")\]}”’]{0,3}
    (?: # a space, then a capital or a number, perhaps in brackets
        (?P<blank> \s ) (?= [^\s\w]{0,4}[A-Z0-9] )
      | # or the space was forgotten: NGC 3664.Investigations
        (?<= [a-z0-9)\]}][.?!] ) (?= [A-Z](?:[a-z]|\s) ) )
""",
    re.VERBOSE,
)


def sentences(text: str) -> list[str]:
    """Split a text into sentences.

    Runs of white space become one space. Joined with spaces, the sentences give the text back,
    except that forgotten spaces are added.
    """
    text = " ".join(text.split())
    found, start = [], 0
    for match in _STOP.finditer(text):
        if _ends_sentence(text, match):
            found.append(text[start : match.end()].rstrip())
            start = match.end()
    return [*found, text[start:]] if text[start:] else found


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if match[0].strip() != ".":  # other stops, and a full stop followed by a bracket or a quote
        return True

    before, _, word = text[max(0, match.start() - 40) : match.start()].rpartition(" ")
    word = word.lstrip("([{'\"“‘")
    if word.lower() in _TAKES_A_CAPITAL:
        return text[match.end() : match.end() + 1].isalpha()
    if _INITIALS.fullmatch(word):
        return before[-1:].isdigit()
    return word.lower() not in _ABBREVIATIONS
