"""The prompt of a language model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from paperclip_cli.errors import UsageError
from paperclip_cli.wording import counted

PLACE = "{abstract}"
_MOST = 100_000  # characters


@dataclass(frozen=True)
class Prompt:
    """A text with a place for the abstract: `head` + abstract + `tail`.

    The head is the same for all abstracts, so that it is evaluated once.
    """

    head: str
    tail: str

    @classmethod
    def read(cls, path: Path | None) -> Prompt:
        """The prompt in a file, or without a path the prompt of the package.

        Raises:
            UsageError: the text is not UTF-8, or does not have exactly one place for the abstract.
        """
        if path is None:
            default = resources.files("paperclip_cli.summaries.llm").joinpath("prompt.txt")
            return cls.parse(default.read_text(encoding="utf-8"))

        try:
            with path.open(encoding="utf-8-sig") as file:
                return cls.parse(file.read(_MOST), str(path))
        except UnicodeDecodeError as error:
            raise UsageError(f"--prompt {path} is not a text in UTF-8") from error

    @classmethod
    def parse(cls, text: str, name: str = "the prompt") -> Prompt:
        if text.count(PLACE) != 1:
            raise UsageError(
                f"{name} holds {PLACE} {counted(text.count(PLACE), 'times')}",
                f"write {PLACE} once, at the place for the abstract",
            )
        head, tail = text.split(PLACE)
        return cls(head, tail)

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that change with the text."""
        return hashlib.sha256(f"{self.head}{PLACE}{self.tail}".encode()).hexdigest()[:8]

    def filled(self, abstract: str) -> str:
        return f"{self.head}{abstract}{self.tail}"
