"""Titles and abstracts of simulated proposals, from the phrase lists in `phrases/`.

A phrase is expanded from the inside out. `{a|b}` is a choice, and `<name>` stands for another list
or a value of the proposal. The lists of a class override the shared ones; those of a subtype are
added to the lists of its class.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from paperclip_cli.simulation.drawing import Random
from paperclip_cli.simulation.plan import Plan

Lists = Mapping[str, Sequence[str]]

_CHOICE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"<(\w+)>")
_MODERN = 25  # the cycle from which categories are no longer written in capitals
_WORDS = tuple("two three four five six seven eight nine ten eleven twelve".split())
_VOWEL = re.compile(
    r"\b([Aa]) (?=(?!uni|use|usu|one\b|eur|u-)[aeiou]|HII|SNR|X-ray|NGC)", re.IGNORECASE
)


def write_text(random: Random, plan: Plan) -> tuple[str, str, str]:
    """Title, abstract (4 to 8 sentences) and category of a proposal."""
    lists = {**_shared(), **_class_lists(plan.kind.phrases, plan.subtype), **_values(random, plan)}
    in_capitals = plan.cycle < _MODERN
    in_style = [name for name in lists["categories"] if name.isupper() == in_capitals]

    title = _sentence(random, _pick(random, lists["title"]), lists).rstrip(".")
    outline = _outline(random, plan, lists)
    abstract = " ".join(_sentence(random, phrase, lists) for phrase in outline)
    return title, abstract, _pick(random, in_style or lists["categories"])


def _outline(random: Random, plan: Plan, lists: Lists) -> list[str]:
    """The phrases of an abstract in order: 4 to 8 phrases, at least three about the object."""
    subject = "single" if len(plan.targets) == 1 and plan.kind.label != "planet" else "state"
    context = _several(random, lists["context"], int(random.choice((1, 1, 2))))
    state = _several(random, lists[subject], 1)
    aims = _several(random, lists["aim"], int(random.choice((1, 2))))
    method = _several(random, lists["method"], int(random.choice((0, 1, 1))))
    asides = _several(random, lists["distraction"], int(random.choice((0, 1, 1, 2))))
    middle = aims + method + asides + _several(random, lists["closing"], int(random.random() < 0.2))
    body = context + state + [middle[i] for i in random.permutation(len(middle))]

    order = random.random()
    if order < 0.25:
        body = state + context + body[len(context) + 1 :]
    elif order < 0.4:
        body = [body[i] for i in random.permutation(len(body))]

    spare = [phrase for phrase in lists["distraction"] if phrase not in body]
    return (body + _several(random, spare, max(0, 4 - len(body))))[:8]


def _several(random: Random, phrases: Sequence[str], count: int) -> list[str]:
    chosen = random.permutation(len(phrases))[:count]
    return [phrases[int(i)] for i in chosen]


def _pick(random: Random, phrases: Sequence[str]) -> str:
    return phrases[int(random.integers(len(phrases)))]


def _sentence(random: Random, phrase: str, lists: Lists) -> str:
    """Expand a phrase into a sentence with a capital, single spaces and the right article."""
    # Choices first: their texts may hold names, and a name's list may hold further choices.
    while match := _CHOICE.search(phrase) or _NAME.search(phrase):
        is_choice = match.re is _CHOICE
        texts = match[1].split("|") if is_choice else lists[match[1]]
        phrase = phrase[: match.start()] + _pick(random, texts) + phrase[match.end() :]

    phrase = re.sub(r"\s+([.,;:?])", r"\1", " ".join(phrase.split()))
    return _VOWEL.sub(r"\1n ", phrase[0].upper() + phrase[1:])


def _values(random: Random, plan: Plan) -> dict[str, list[str]]:
    """Values of the proposal itself: instrument, filters, counts."""
    cameras = sorted({frame.pointing.camera.instrument for frame in plan.frames})
    filters = sorted({name for frame in plan.frames for name in frame.band.names})[:3]
    leading, last = ", ".join(filters[:-1]), filters[-1]
    targets = len(plan.targets)
    exposure = sum(frame.exposure for frame in plan.frames)
    in_words = _WORDS[targets - 2] if targets > 1 else "two"
    return {
        "instrument": cameras,
        "filters": [f"{leading} and {last}" if leading else last],
        "first": filters[:1],
        "target": [plan.targets[0].name],
        "n": [in_words, str(int(random.integers(targets + 1, 60)))],
        "orbits": [str(max(2, round(exposure / 2400)))],  # 2,400 s of exposure an orbit
        "few": [str(random.choice(_WORDS))],
        "ratio": [str(int(random.integers(5, 80)))],
        "before": [str(max(plan.cycle - 1, 1))],
    }


@cache
def _file(name: str) -> dict:
    path = resources.files("paperclip_cli.simulation").joinpath("phrases", f"{name}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def _shared() -> dict[str, list[str]]:
    return _file("shared")


@cache
def _class_lists(phrases: str, subtype: str) -> dict[str, list[str]]:
    """The lists of a class with those of a subtype added.

    A subtype's own names for the object are twice as likely as those of its class.
    """
    files = map(_file, ("galaxies", "stars", "nebulae", "solar"))
    section = next(data[phrases] for data in files if phrases in data)
    lists = {name: list(values) for name, values in section.items() if name != "kinds"}

    for name, values in section["kinds"][subtype].items():
        if name == "name":
            lists["planet"] = [values]
        else:
            times = max(1, 2 * len(lists[name]) // len(values)) if name in ("one", "many") else 1
            lists[name] = lists.get(name, []) + list(values) * times
    return lists
