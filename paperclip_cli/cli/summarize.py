"""`paperclip summarize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from paperclip_cli.cli.complete import fetched_missions
from paperclip_cli.cli.session import Format, form_of, session, spin_no_threads
from paperclip_cli.config import SummarizeConfig, configure
from paperclip_cli.config.choices import Backend
from paperclip_cli.errors import UsageError

if TYPE_CHECKING:
    from paperclip_cli.records import Summary
    from paperclip_cli.stages.summarize_report import Rates

DEFAULTS = SummarizeConfig()


def summarize(
    backend: Annotated[
        Backend,
        typer.Option(
            help="Backend that writes the summaries; keywords needs no model and no download."
        ),
    ] = DEFAULTS.backend,
    llm: Annotated[
        Optional[str],
        typer.Option(
            help="Language model: a GGUF file or org/name:file.gguf (llama-cpp), a folder or Hub "
            "name (outlines), or its name on the server (openai). [default: PAPERCLIP_LLM]"
        ),
    ] = None,
    base_url: Annotated[
        Optional[str],
        typer.Option(
            help="URL of a server (openai), whose key is in OPENAI_API_KEY. "
            "[default: OPENAI_BASE_URL]",
            metavar="URL",
        ),
    ] = None,
    set_name: Annotated[
        Optional[str],
        typer.Option("--set", help="Name of the set of summaries. [default: the backend's name]"),
    ] = None,
    mission: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Missions to include. [default: all that were fetched]",
            autocompletion=fetched_missions,
        ),
    ] = None,
    limit: Annotated[Optional[int], typer.Option(help="Only the first N proposals.")] = None,
    prompt: Annotated[
        Optional[Path],
        typer.Option(
            help="Text file with another prompt, which contains {abstract}.", metavar="FILE"
        ),
    ] = None,
    tries: Annotated[
        int, typer.Option(help="Attempts before a proposal is marked as failed.")
    ] = DEFAULTS.tries,
    temperature: Annotated[
        float, typer.Option(help="Temperature of the first attempt; 0 takes the likeliest tokens.")
    ] = DEFAULTS.temperature,
    seed: Annotated[
        int, typer.Option(help="Seed of the first attempt; each further attempt adds 1.")
    ] = DEFAULTS.seed,
    context: Annotated[
        Optional[int],
        typer.Option(
            help="Limit of prompt and answer in tokens; longer abstracts are cut at a sentence. "
            "[default: 4096; openai: no limit]"
        ),
    ] = None,
    max_tokens: Annotated[
        Optional[int],
        typer.Option(
            help="Limit of an answer in tokens; models that reason before they answer need "
            "thousands. [default: 512]"
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Number of concurrent requests (openai).")
    ] = DEFAULTS.workers,
    batch_size: Annotated[
        int, typer.Option(help="Number of abstracts per batch (outlines).")
    ] = DEFAULTS.batch_size,
    threads: Annotated[
        Optional[int], typer.Option(help="Number of processors to use (llama-cpp). [default: all]")
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for an answer of the server (openai).")
    ] = DEFAULTS.timeout,
    show: Annotated[bool, typer.Option("--show", help="Print the existing summaries.")] = False,
    report: Annotated[
        bool,
        typer.Option(
            "--report",
            help="Print how often each quality rule was broken, by every set or by that of --set.",
        ),
    ] = False,
    export: Annotated[Optional[Path], typer.Option(help="Write the set to this CSV file.")] = None,
    take: Annotated[
        Optional[Path], typer.Option("--import", help="Read a set from this CSV file.")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="Output format of --show and --report.")
    ] = Format.table,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write all summaries again.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try proposals again that failed before.")
    ] = False,
    max_failures: Annotated[
        Optional[int],
        typer.Option(help="Exit with 1 instead of 3 if more proposals than this failed."),
    ] = None,
) -> int:
    """Summarize each proposal: its objects and science use cases.

    A language model is constrained to the schema while it writes. Phrases that break a quality rule
    are dropped, and an answer that is then useless is requested again. Every summary is written to
    disk at once, and an interrupted run continues where it stopped. All summaries of a set come
    from one model and one prompt; use --set to keep several sets.
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
            "--show, --report, --export and --import exclude each other", "use one of them"
        )
    here = session()
    llm, base_url = here.language_model(backend, llm, base_url)
    config = configure(
        SummarizeConfig,
        backend=backend,
        set=set_name,
        mission=mission,
        limit=limit,
        llm=llm,
        base_url=base_url,
        prompt=prompt,
        tries=tries,
        temperature=temperature,
        seed=seed,
        context=context,
        max_tokens=max_tokens,
        workers=workers,
        batch_size=batch_size,
        threads=threads,
        timeout=timeout,
        retry_failed=retry_failed,
        force=force,
    )

    spin_no_threads(backend)
    form = form_of(form, as_json)
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
    if made is None:
        return shown
    return shown | {
        "seed": made.seed,
        "temperature": made.temperature,
        "max_tokens": made.max_tokens,
        "varied": list(made.varied),
        "tries": made.tries,
        "tokens": made.tokens,
        "seconds": made.seconds,
        "dropped": list(made.dropped),
    }


def _print_rates(sets: list[Rates], form: Format) -> None:
    from paperclip_cli.output import console

    if form is not Format.table:
        rows = [found.values(flat=form is Format.csv) for found in sets]
        console.emit(console.rows(rows, form.value))
        return

    cells = [found.cells() for found in sets]
    labels = list(dict.fromkeys(label for one in cells for label in one))
    columns = [console.TableColumn("Set", 30), *(console.TableColumn(one.name) for one in sets)]
    console.table(columns, [[label, *(one.get(label, "-") for one in cells)] for label in labels])
