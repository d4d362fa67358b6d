"""What `summarize` asks of a backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from paperclip_cli.records import FailedSummary, Proposal, Summary

MOST_ITEMS = 5
LONGEST_ITEM = 120  # characters: what goes on longer is not an item
MOST_WORDS = 80

Outcome = Summary | FailedSummary | None
"""What became of a proposal; None where its abstract has nothing to summarize."""


class Backend(Protocol):
    """Makes something of abstracts. What `backend`, `model` and `version` name is enough to tell whether two results were made alike."""

    @property
    def backend(self) -> str:
        """`keywords`, or the kind of the language model's runtime."""

    @property
    def model(self) -> str:
        """The language model; blank where there is none."""

    @property
    def version(self) -> str:
        """Changes when the same abstract may have another result: the prompt, the vocabulary, the method."""

    def prepare(self) -> None:
        """Loads what is needed, before anything is written. PaperclipError where it is missing."""


class Summarizer(Backend, Protocol):
    """Makes structured summaries."""

    @property
    def batch(self) -> int:
        """How many proposals are best summarized together."""

    @property
    def workers(self) -> int:
        """How many threads may summarize at the same time."""

    def summaries(self, proposals: Sequence[Proposal]) -> Iterator[Outcome]:
        """One outcome a proposal, in the order in which they are made."""

    def stop(self) -> None:
        """The run ends: threads that wait let go."""
