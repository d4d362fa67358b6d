"""Writes a set of summaries to a CSV file: `summarize --export`."""

from __future__ import annotations

from pathlib import Path

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import UsageError
from paperclip_cli.files import replace_file
from paperclip_cli.report import Report
from paperclip_cli.summaries.files import chosen_summaries, format_csv
from paperclip_cli.workspace import Workspace

STAGE = "summarize"


def run(config: SummarizeConfig, workspace: Workspace, path: Path) -> Report:
    """Writes a set to a CSV file with the columns of the paper's own table.

    That table has no column for the mission, so a file can hold only one mission.
    """
    found = chosen_summaries(config, workspace)
    missions = sorted({summary.mission for summary in found})
    if len(missions) > 1:
        raise UsageError(
            f"the set holds summaries of {', '.join(missions)}", "choose one with --mission"
        )
    replace_file(path, format_csv(found))
    return Report(stage=STAGE, counts={"summaries exported": len(found)}, output=path)
