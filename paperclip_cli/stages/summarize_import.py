"""Reads a set of summaries from a CSV file: `summarize --import`."""

from __future__ import annotations

from pathlib import Path

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import append_lines, cut_torn_line, lock
from paperclip_cli.previews.records import fetched_missions
from paperclip_cli.records import to_json
from paperclip_cli.report import Report
from paperclip_cli.summaries.files import (
    SUMMARIES,
    finish_set,
    read_csv,
    refuse_altered,
    summaries_left,
)
from paperclip_cli.workspace import Workspace

STAGE = "summarize"


def run(config: SummarizeConfig, workspace: Workspace, path: Path) -> Report:
    """Reads summaries from a CSV file with the columns of `--export` into a set.

    The set is named after the file unless `config` names it.
    """
    missions = config.missions or fetched_missions(workspace)
    if len(missions) != 1:
        raise UsageError(
            f"{path} does not name the mission of its proposals",
            f"give it, for example with --mission {missions[0]}",
        )
    name = config.set_name or path.stem
    summaries, failures = read_csv(path, missions[0])
    with lock(workspace.summaries(name)):
        cut_torn_line(workspace.summaries(name) / SUMMARIES)
        refuse_altered(workspace.summaries(name))
        done = summaries_left(workspace, name)
        backends = (summary.backend for summary in done.values())
        made_here = next((backend for backend in backends if backend != "import"), None)
        if made_here:
            raise PaperclipError(
                f"the summaries {name!r} were made by {made_here}",
                "import into another set with --set NAME",
            )

        new = [summary for summary in summaries if done.get(summary.key) != summary]
        with append_lines(workspace.summaries(name) / SUMMARIES) as append:
            for summary in new:
                append(to_json(summary))
        counts = {"summaries": len(done.keys() | {summary.key for summary in new}), "new": len(new)}
        made_by = {"backend": "import", "model": "", "version": ""}
        finish_set(workspace.summaries(name), made_by, counts)
    return Report(
        stage=STAGE,
        counts=counts,
        failures=tuple(failures),
        output=workspace.summaries(name),
        unchanged=not new,
    )
