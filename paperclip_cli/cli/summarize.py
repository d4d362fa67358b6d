"""`paperclip summarize`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from paperclip_cli.cli.session import Format, session, values
from paperclip_cli.config import SummarizeConfig
from paperclip_cli.config.choices import Backend
from paperclip_cli.config.summaries import OPENAI
from paperclip_cli.errors import UsageError

if TYPE_CHECKING:
    from paperclip_cli.records import Summary
    from paperclip_cli.stages.summarize_report import Rates

DEFAULTS = SummarizeConfig()


def summarize(
    backend: Annotated[
        Backend,
        typer.Option(help="What makes the summaries; keywords needs no model and no download."),
    ] = DEFAULTS.backend,
    llm: Annotated[
        Optional[str],
        typer.Option(
            help="The language model: a GGUF file or org/name:file.gguf (llama-cpp), a folder or a Hub "
            "name (outlines), the server's name for it (openai)."
        ),
    ] = None,
    base_url: Annotated[
        Optional[str],
        typer.Option(
            help="Address of a server (openai), whose key is in OPENAI_API_KEY. "
            "[default: OPENAI_BASE_URL]",
            metavar="URL",
        ),
    ] = None,
    set_name: Annotated[
        Optional[str], typer.Option("--set", help="Name of the set. [default: the backend's]")
    ] = None,
    mission: Annotated[
        Optional[list[str]], typer.Option(help="Missions to take. [default: all that were fetched]")
    ] = None,
    limit: Annotated[Optional[int], typer.Option(help="Only the first N proposals.")] = None,
    prompt: Annotated[
        Optional[Path],
        typer.Option(help="Another prompt: a text with {abstract} in it.", metavar="FILE"),
    ] = None,
    tries: Annotated[
        int, typer.Option(help="Answers that are asked for until one is usable.")
    ] = DEFAULTS.tries,
    temperature: Annotated[
        float, typer.Option(help="Of the first answer; 0 takes the likeliest.")
    ] = DEFAULTS.temperature,
    seed: Annotated[
        int, typer.Option(help="Of the first answer; the next try takes the next.")
    ] = DEFAULTS.seed,
    context: Annotated[
        Optional[int],
        typer.Option(
            help="Tokens of prompt and answer at the most; longer abstracts are cut at a "
            "sentence. [default: 4096; openai: no limit]"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Requests in flight (openai).")] = DEFAULTS.workers,
    batch_size: Annotated[
        int, typer.Option(help="Abstracts that go through the model together (outlines).")
    ] = DEFAULTS.batch_size,
    threads: Annotated[
        Optional[int], typer.Option(help="Processors to use (llama-cpp). [default: all]")
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds that a server may take for an answer (openai).")
    ] = DEFAULTS.timeout,
    show: Annotated[
        bool, typer.Option("--show", help="Print the summaries that there are.")
    ] = False,
    report: Annotated[
        bool,
        typer.Option(
            "--report",
            help="Print how often each quality rule was broken, for every set or that of --set.",
        ),
    ] = False,
    export: Annotated[Optional[Path], typer.Option(help="Write the set to a CSV file.")] = None,
    take: Annotated[
        Optional[Path], typer.Option("--import", help="Read a set from a CSV file.")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="How --show and --report print.")
    ] = Format.table,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Make them all again.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again for those that failed before.")
    ] = False,
    max_failures: Annotated[
        Optional[int],
        typer.Option(help="Exit with 1, not 3, where more proposals than this failed."),
    ] = None,
) -> int:
    """Make one structured summary a proposal: its objects and phenomena, and what they are observed for.

    A language model is held to the form while it writes, and its phrases to rules of quality; what breaks one is dropped, and a useless
    answer is asked for again. Every summary is on disk as soon as it is made, and a run that was stopped goes on where it was. A set is of
    one model and one prompt: others go beside it with --set.
    """
    from paperclip_cli.stages import summarize as stage
    from paperclip_cli.stages import (
        summarize_export,
        summarize_import,
        summarize_report,
        summarize_show,
    )

    if sum((show, report, export is not None, take is not None)) > 1:
        raise UsageError(
            "--show, --report, --export and --import exclude each other", "give one of them"
        )
    here = session()
    config = SummarizeConfig(
        backend=backend,
        set_name=set_name,
        missions=values(mission),
        limit=limit,
        llm=llm,
        base_url=base_url or usual_url(backend),
        prompt=prompt,
        tries=tries,
        temperature=temperature,
        seed=seed,
        context=context,
        workers=workers,
        batch_size=batch_size,
        threads=threads,
        timeout=timeout,
        retry_failed=retry_failed,
        force=force,
    )
    form = Format.json if as_json else form
    if show:
        _print(summarize_show.run(config, here.workspace), form)
        return 0
    if report:
        _print_rates(summarize_report.run(config, here.workspace), form)
        return 0
    if export is not None:
        return here.finish(summarize_export.run(config, here.workspace, export))
    if take is not None:
        return here.finish(summarize_import.run(config, here.workspace, take))
    return here.finish(stage.run(config, here.workspace, here.progress), max_failures)


def usual_url(backend: str) -> str | None:
    """The address of a server where none is given."""
    return os.environ.get("OPENAI_BASE_URL") or None if backend == OPENAI else None


def _print(summaries: list[Summary], form: Format) -> None:
    from paperclip_cli.output import console

    if form is not Format.table:
        console.emit(console.rows([_values(summary) for summary in summaries], form.value))
        return
    for summary in summaries:
        console.emit(
            f"{summary.key}\n"
            f"  {console.printable(', '.join(summary.objects_and_phenomena))}\n"
            f"  {console.printable('; '.join(summary.science_use_cases))}\n"
        )


def _values(summary: Summary) -> dict:
    shown = {
        "mission": summary.mission,
        "proposal_id": summary.proposal_id,
        "objects_and_phenomena": list(summary.objects_and_phenomena),
        "science_use_cases": list(summary.science_use_cases),
        "evidence": list(summary.evidence),
        "derived": summary.derived,
        "backend": summary.backend,
        "model": summary.model,
        "version": summary.version,
    }
    made = summary.made
    return shown | (
        {
            "seed": made.seed,
            "tries": made.tries,
            "tokens": made.tokens,
            "seconds": made.seconds,
            "dropped": list(made.dropped),
        }
        if made
        else {}
    )


def _print_rates(sets: list[Rates], form: Format) -> None:
    from paperclip_cli.output import console

    if form is not Format.table:
        console.emit(
            console.rows([found.values(flat=form is Format.csv) for found in sets], form.value)
        )
        return
    cells = [found.cells() for found in sets]
    labels = list(dict.fromkeys(label for one in cells for label in one))
    console.table(
        [
            console.TableColumn("Set", labels, 30),
            *(
                console.TableColumn(found.name, [one.get(label, "-") for label in labels])
                for found, one in zip(sets, cells, strict=True)
            ),
        ]
    )
