"""The interface of a language model's runtime: one answer per abstract, in a constrained form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from paperclip_cli.errors import BadItem, PaperclipError, Unreachable
from paperclip_cli.install import extra_line
from paperclip_cli.records import MOST_TOKENS
from paperclip_cli.text.sentences import sentences

_SAMPLE = 2**20


@dataclass(frozen=True)
class Sampling:
    """The way to draw the next token; temperature 0 takes the likeliest."""

    temperature: float
    seed: int


@dataclass(frozen=True)
class Sent:
    """What a request for an answer said, where None was not sent, and what refusals changed."""

    temperature: float | None
    seed: int | None
    max_tokens: int | None
    varied: tuple[str, ...] = ()


class Unanswered(BadItem):
    """No answer came to a request, which said `sent`."""

    def __init__(self, reason: str, sent: Sent) -> None:
        super().__init__(reason)
        self.sent = sent


class UnansweredYet(Unanswered, Unreachable):
    """The same, where another day may bring one."""


@dataclass(frozen=True)
class Asked:
    """What was asked for: `sent` is None where the request said all that it was told to say."""

    sent: Sent | None = field(default=None, kw_only=True, compare=False)


@dataclass(frozen=True)
class Answer(Asked):
    """A model's answer, and the numbers of tokens read and written. `is_whole`: it ended itself."""

    text: str
    is_whole: bool
    prompt_tokens: int = 0
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The form of an answer: JSON Schema for servers, grammar and expression for local runtimes.

    Every answer begins with `opening` and ends with `end`. `grammar` (llama.cpp's GBNF) describes
    an answer after its opening. `expression` returns a regular expression for the whole answer; its
    argument is the maximum length of an item in characters (None: no limit).
    """

    name: str
    schema: dict
    opening: str
    end: str
    grammar: str
    expression: Callable[[int | None], str]


class Writer(Protocol):
    """The runtime of a language model.

    `backend`, `model`, `batch` and `workers` are those of a `Summarizer`.
    """

    backend: str
    model: str
    batch: int
    workers: int

    def prepare(self) -> None:
        """Load the model, or reach the server.

        Raises:
            PaperclipError: that is not possible.
        """

    @property
    def room(self) -> int:
        """The number of tokens left for an abstract by the rest of the prompt and the answer."""

    def count(self, text: str) -> int:
        """The number of tokens of a text."""

    def write(self, abstracts: Sequence[str], sampling: Sampling) -> list[Answer]:
        """Write one answer per abstract.

        Raises:
            BadItem: there is no answer for these abstracts.
            PaperclipError: there will be no answer for any abstract.
        """

    def stop(self) -> None:
        """Release all threads that wait."""


def fitting(abstract: str, room: int, count: Callable[[str], int]) -> tuple[str, int]:
    """The first sentences that fit into `room` tokens, and the number of sentences left out.

    Raises:
        BadItem: not even the first sentence fits.
    """
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
    """Check that a context of `context` tokens has room for an abstract.

    Raises:
        PaperclipError: it has none.
    """
    if writer.room < 1:
        raise PaperclipError(
            f"the prompt leaves no room for an abstract in a context of {context:,} tokens",
            "use a larger --context, a smaller --max-tokens or a shorter --prompt",
        )


def told_version(version: str, max_tokens: int | None) -> str:
    """The version of a method, with the limit of its answers where that is not the usual one."""
    return version if max_tokens in (None, MOST_TOKENS) else f"{version}-{max_tokens}"


def fingerprint(path: Path) -> str:
    """Eight hexadecimal digits of a file's size, beginning and end.

    This identifies a model of many gigabytes without reading all of it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_SAMPLE)
        file.seek(max(0, size - _SAMPLE))
        return hashlib.sha256(b"%d:" % size + start + file.read(_SAMPLE)).hexdigest()[:8]


def not_installed(backend: str, extra: str, error: ImportError) -> PaperclipError:
    """The error for a backend whose library is missing."""
    return PaperclipError(
        f"--backend {backend} needs a library that is not installed ({error.name})",
        extra_line(extra),
    )
