"""`paperclip summarize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from paperclip_cli.cli.session import Format, session, values
from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import UsageError

if TYPE_CHECKING:
    from paperclip_cli.records import Summary

DEFAULTS = SummarizeConfig()


def summarize(
    backend: Annotated[str, typer.Option(help="What makes the summaries: keywords (no model, no download).")] = DEFAULTS.backend,
    set_name: Annotated[Optional[str], typer.Option("--set", help="Name of the set. [default: the backend's]")] = None,
    mission: Annotated[Optional[list[str]], typer.Option(help="Missions to take. [default: all that were fetched]")] = None,
    limit: Annotated[Optional[int], typer.Option(help="Only the first N proposals.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the summaries that there are.")] = False,
    export: Annotated[Optional[Path], typer.Option(help="Write the set to a CSV file.")] = None,
    take: Annotated[Optional[Path], typer.Option("--import", help="Read a set from a CSV file.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How --show prints.")] = Format.table,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Make them all again.")] = False,
) -> int:
    """Make one structured summary a proposal: its objects and phenomena, and what they are observed for."""
    from paperclip_cli.stages import summarize as stage

    if sum((show, export is not None, take is not None)) > 1:
        raise UsageError("--show, --export and --import exclude each other", "give one of them")
    here = session()
    config = SummarizeConfig(backend=backend, set_name=set_name, missions=values(mission), limit=limit, force=force)
    if show:
        _print(stage.show(config, here.workspace), Format.json if as_json else form)
        return 0
    if export is not None:
        return here.finish(stage.export(config, here.workspace, export))
    if take is not None:
        return here.finish(stage.take(config, here.workspace, take))
    return here.finish(stage.run(config, here.workspace, here.progress))


def _print(summaries: list[Summary], form: Format) -> None:
    from paperclip_cli import render

    if form is not Format.table:
        render.emit(render.rows([_values(summary) for summary in summaries], form.value))
        return
    for summary in summaries:
        render.emit(f"{summary.key}\n"
                    f"  {render.printable(', '.join(summary.objects_and_phenomena))}\n"
                    f"  {render.printable('; '.join(summary.science_use_cases))}\n")


def _values(summary: Summary) -> dict:
    return {"mission": summary.mission, "proposal_id": summary.proposal_id, "objects_and_phenomena": list(summary.objects_and_phenomena),
            "science_use_cases": list(summary.science_use_cases), "evidence": list(summary.evidence), "derived": summary.derived,
            "backend": summary.backend, "model": summary.model, "version": summary.version}
