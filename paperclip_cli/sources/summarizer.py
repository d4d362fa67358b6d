"""What `summarize` asks of a backend."""

from __future__ import annotations

from typing import Protocol

from paperclip_cli.records import Proposal, Summary

MOST_ITEMS = 5
MOST_WORDS = 80


class Summarizer(Protocol):
    """Makes structured summaries. What `backend`, `model` and `version` name is enough to tell whether two summaries were made alike."""

    @property
    def backend(self) -> str:
        """`keywords`, or the kind of the language model's runtime."""

    @property
    def model(self) -> str:
        """The language model; blank where there is none."""

    @property
    def version(self) -> str:
        """Changes when the same abstract may get another summary: the prompt, the vocabulary, the method."""

    def summarize(self, proposal: Proposal) -> Summary | None:
        """The summary, or None where the abstract has nothing to summarize. BadItem where there should be one and is none."""
