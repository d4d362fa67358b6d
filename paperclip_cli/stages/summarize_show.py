"""Reads existing summaries, to print them: `summarize --show`."""

from __future__ import annotations

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.records import Summary
from paperclip_cli.summaries.files import chosen_summaries
from paperclip_cli.workspace import Workspace


def run(config: SummarizeConfig, workspace: Workspace) -> list[Summary]:
    """The summaries of a set that `config` selects.

    Raises:
        MissingStage: there are none.
    """
    return chosen_summaries(config, workspace)
