"""What a language model is asked."""

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
    """A text with a place for the abstract: `head` + abstract + `tail`. The head is the same for all, so that it is evaluated once."""

    head: str
    tail: str

    @classmethod
    def read(cls, path: Path | None) -> Prompt:
        """The prompt in a file, else the one that comes with the package. UsageError where it has no one place for the abstract."""
        if path is None:
            return cls.parse(
                resources.files("paperclip_cli.summaries.llm")
                .joinpath("prompt.txt")
                .read_text(encoding="utf-8")
            )
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
                f"write {PLACE} once, where the abstract is to stand",
            )
        head, tail = text.split(PLACE)
        return cls(head, tail)

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that change with the text."""
        return hashlib.sha256(f"{self.head}{PLACE}{self.tail}".encode()).hexdigest()[:8]

    def filled(self, abstract: str) -> str:
        return f"{self.head}{abstract}{self.tail}"
