"""What is asked of the runtime of a language model: it writes one answer an abstract, in a form that it cannot leave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.install import extra_line
from paperclip_cli.text.sentences import sentences

MOST_TOKENS = 512  # of an answer: three times what 80 words in JSON need
_SAMPLE = 2**20


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn: the likeliest at temperature 0."""

    temperature: float
    seed: int


@dataclass(frozen=True)
class Answer:
    """What a model wrote, and how many tokens it read and wrote. `is_whole`: it ended by itself."""

    text: str
    is_whole: bool
    prompt_tokens: int = 0
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The form of an answer, as JSON Schema for servers and for runtimes on this machine.

    Every answer begins with `opening` and ends with `end`. `grammar` (llama.cpp's GBNF) is that of an answer from behind its opening,
    `expression` gives a regular expression for the whole, in which items are at most so many characters long (None: of any length).
    """

    name: str
    schema: dict
    opening: str
    end: str
    grammar: str
    expression: Callable[[int | None], str]


class Writer(Protocol):
    """The runtime of a language model. `backend`, `model`, `batch` and `workers` are those of a `Summarizer`."""

    backend: str
    model: str
    batch: int
    workers: int

    def prepare(self) -> None:
        """Loads the model, or reaches the server. PaperclipError where that cannot be done."""

    @property
    def room(self) -> int:
        """Tokens that an abstract may have beside the rest of the prompt and the answer."""

    def count(self, text: str) -> int:
        """Tokens of a text."""

    def write(self, abstracts: Sequence[str], sampling: Sampling) -> list[Answer]:
        """One answer an abstract. BadItem where there is none; PaperclipError where there will not be one for any abstract."""

    def stop(self) -> None:
        """Lets go of whatever waits."""


def fitting(abstract: str, room: int, count: Callable[[str], int]) -> tuple[str, int]:
    """As many sentences from the start as have at most `room` tokens, and how many were left out. BadItem where not even one has."""
    abstract = " ".join(abstract.split())
    if count(abstract) <= room:
        return abstract, 0
    pieces = sentences(abstract)
    fits, too_many = 0, len(pieces)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if count(" ".join(pieces[:middle])) <= room:
            fits = middle
        else:
            too_many = middle
    if not fits:
        raise BadItem("the model's context has no room for the first sentence")
    return " ".join(pieces[:fits]), len(pieces) - fits


def require_room(writer: Writer, context: int | None) -> None:
    """PaperclipError where a context of so many tokens has no room for an abstract."""
    if writer.room < 1:
        raise PaperclipError(
            f"the prompt leaves no room for an abstract in a context of {context:,} tokens",
            "give a larger --context, or a shorter --prompt",
        )


def fingerprint(path: Path) -> str:
    """Eight hexadecimal digits of a file's size, beginning and end: a model of many gigabytes is told apart at once."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_SAMPLE)
        file.seek(max(0, size - _SAMPLE))
        return hashlib.sha256(b"%d:" % size + start + file.read(_SAMPLE)).hexdigest()[:8]


def not_installed(backend: str, extra: str, error: ImportError) -> PaperclipError:
    """What to say where the library of a backend is missing."""
    return PaperclipError(
        f"--backend {backend} needs a library that is not installed ({error.name})",
        extra_line(extra),
    )
