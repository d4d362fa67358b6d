"""Measures how often sets of summaries break the quality rules: `summarize --report`."""

from __future__ import annotations

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import MissingStage
from paperclip_cli.previews.records import read_proposals
from paperclip_cli.summaries.files import choose_set, read_failures, read_summaries
from paperclip_cli.summaries.llm.report import Rates, rates_of
from paperclip_cli.workspace import Workspace


def run(config: SummarizeConfig, workspace: Workspace) -> list[Rates]:
    """The rates of every set, or of the one that `config` names.

    Raises:
        MissingStage: there are no summaries.
    """
    chosen: list[str | None] = [*workspace.names("summaries")]
    if config.set_name:
        chosen = [choose_set(workspace, config.set_name)]

    proposals = read_proposals(workspace, workspace.names("proposals"))
    found = [
        (name, read_summaries(workspace, name), read_failures(workspace, name))
        for name in chosen
        if name
    ]
    rated = [
        rates_of(name, list(summaries.values()), list(failures.values()), proposals)
        for name, summaries, failures in found
        if summaries or failures
    ]
    if not rated:
        raise MissingStage("there are no summaries yet", "paperclip summarize")
    return rated
