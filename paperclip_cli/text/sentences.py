"""Where the sentences of English prose end, as astronomers write it: `et al.`, `Fig. 3`, `J. Smith`, `NGC 3664.Investigations`."""

from __future__ import annotations

import re

_ABBREVIATIONS = frozenset(
    (
        "e.g",
        "i.e",
        "cf",
        "vs",
        "viz",
        "ca",
        "approx",
        "resp",
        "incl",
        "al",
        "etc",
        "sec",
        "sect",
        "fig",
        "figs",
        "eq",
        "eqs",
        "eqn",
        "ref",
        "refs",
        "no",
        "nos",
        "vol",
        "pp",
        "ch",
        "tab",
        "app",
        "pop",
        "dr",
        "prof",
        "st",
        "mr",
        "mrs",
        "ms",
        "jr",
        "sr",
    )
)
_INITIALS = re.compile(r"(?:[A-Z]\.)*[A-Z]")  # J. Smith, U.S. Navy; but not a unit: 10,000 K. In
_TAKES_A_CAPITAL = frozenset(
    ("al", "etc")
)  # `et al. We propose`: what follows in capitals is a new sentence
_STOP = re.compile(
    r"""
    [.?!]{1,5} ['")\]}”’]{0,3}
    (?: (?P<blank> \s ) (?= [^\s\w]{0,4}[A-Z0-9] )                   # a blank, and a capital or a number (perhaps in brackets)
      | (?<= [a-z0-9)\]}][.?!] ) (?= [A-Z](?:[a-z]|\s) ) )           # or the blank was forgotten: NGC 3664.Investigations
""",
    re.VERBOSE,
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, with white space runs made one blank; joined with blanks they are the text (save for blanks put in)."""
    text = " ".join(text.split())
    found, start = [], 0
    for match in _STOP.finditer(text):
        if _ends_sentence(text, match):
            found.append(text[start : match.end()].rstrip())
            start = match.end()
    return [*found, text[start:]] if text[start:] else found


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if match[0].strip() != ".":  # also where a bracket or a quotation ends with it
        return True
    before, _, word = text[max(0, match.start() - 40) : match.start()].rpartition(" ")
    word = word.lstrip("([{'\"“‘")
    if word.lower() in _TAKES_A_CAPITAL:
        return text[match.end() : match.end() + 1].isalpha()
    if _INITIALS.fullmatch(word):
        return before[-1:].isdigit()
    return word.lower() not in _ABBREVIATIONS
