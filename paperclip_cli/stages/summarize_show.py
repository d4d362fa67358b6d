"""Shows the summaries that there are: `summarize --show`."""

from __future__ import annotations

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.records import Summary
from paperclip_cli.summaries.files import chosen_summaries
from paperclip_cli.workspace import Workspace


def run(config: SummarizeConfig, workspace: Workspace) -> list[Summary]:
    """The summaries of a set, as far as `config` selects them. MissingStage where there is none."""
    return chosen_summaries(config, workspace)
