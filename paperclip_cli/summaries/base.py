"""The interface of a backend of `summarize`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from paperclip_cli.records import FailedSummary, Proposal, Summary

MOST_ITEMS = 5
LONGEST_ITEM = 120  # characters: longer text is not an item
MOST_WORDS = 80

Outcome = Summary | FailedSummary | None
"""The outcome for a proposal; None where its abstract has nothing to summarize."""


class Backend(Protocol):
    """A processor of abstracts.

    Two results were made in the same way if their `backend`, `model` and `version` agree.
    """

    @property
    def backend(self) -> str:
        """`keywords`, or the kind of the language model's runtime."""

    @property
    def model(self) -> str:
        """The language model; blank where there is none."""

    @property
    def version(self) -> str:
        """The version of prompt, vocabulary and method.

        It changes whenever the same abstract may have another result.
        """

    def prepare(self) -> None:
        """Load the backend, before anything is written.

        Raises:
            PaperclipError: a part of it is missing.
        """


class Summarizer(Backend, Protocol):
    """A backend that makes structured summaries."""

    @property
    def batch(self) -> int:
        """The number of proposals to summarize together."""

    @property
    def workers(self) -> int:
        """The number of threads that may summarize at the same time."""

    def summaries(self, proposals: Sequence[Proposal]) -> Iterator[Outcome]:
        """Yield one outcome per proposal, in the order in which they are made."""

    def stop(self) -> None:
        """End the run: release the threads that wait."""
