"""`paperclip evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from paperclip_cli.cli.complete import model_names
from paperclip_cli.cli.session import (
    DatasetOption,
    Format,
    GroupColumnOption,
    ImageColumnOption,
    Session,
    TextColumnOption,
    form_of,
    session,
    spin_no_threads,
)
from paperclip_cli.config import BenchmarkConfig, EvaluateConfig, SummarizeConfig, configure
from paperclip_cli.config.choices import Backend, Direction, Ranking, Split
from paperclip_cli.errors import UsageError
from paperclip_cli.wording import counted

DEFAULTS = EvaluateConfig()
JUDGE = SummarizeConfig()


def evaluate(
    model: Annotated[
        Optional[list[str]],
        typer.Option(
            help="A trained model, a folder or a Hub name; repeat it to compare several. "
            "[default: the only model]",
            autocompletion=model_names,
        ),
    ] = None,
    baseline: Annotated[
        Optional[str], typer.Option(help="A model to compare with.", autocompletion=model_names)
    ] = None,
    dataset: DatasetOption = DEFAULTS.dataset,
    image_column: ImageColumnOption = None,
    text_column: TextColumnOption = None,
    group_column: GroupColumnOption = None,
    split: Annotated[
        Optional[Split], typer.Option(help="Split to measure on. [default: test, else validation]")
    ] = None,
    protocol: Annotated[
        Ranking,
        typer.Option(
            help="unique ranks distinct captions; the paper's protocols are paper-full (all pairs "
            "at once) and paper-batch (batches of 100)."
        ),
    ] = DEFAULTS.protocol,
    direction: Annotated[
        Direction, typer.Option(help="Direction of retrieval.")
    ] = DEFAULTS.direction,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls", help="Also measure baselines that do not see what an image shows."
        ),
    ] = False,
    plots: Annotated[
        Optional[Path],
        typer.Option(
            help="Draw the paper's figures into this folder, as PNG and PDF.", metavar="DIR"
        ),
    ] = None,
    judge: Annotated[
        bool,
        typer.Option(
            "--judge", help="Judge the best images for the paper's queries by their abstracts."
        ),
    ] = False,
    judge_backend: Annotated[
        Backend, typer.Option(help="Backend that judges, as for `summarize`.")
    ] = JUDGE.backend,
    llm: Annotated[
        Optional[str], typer.Option(help="Language model that judges, as for `summarize`.")
    ] = None,
    base_url: Annotated[
        Optional[str], typer.Option(help="URL of the server that judges (openai).", metavar="URL")
    ] = None,
    max_tokens: Annotated[
        Optional[int],
        typer.Option(help="Limit of an answer of the judge in tokens, as for `summarize`."),
    ] = None,
    labels: Annotated[
        Optional[str],
        typer.Option(
            help="Also retrieve by class: a column of the dataset, such as category or instrument.",
            metavar="COLUMN",
        ),
    ] = None,
    labels_from: Annotated[
        Optional[Path],
        typer.Option(
            help="CSV file with that column, and a column image or proposal_id.", metavar="TABLE"
        ),
    ] = None,
    template: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Text around the name of a class, as for `describe`. [default: the name alone]"
        ),
    ] = None,
    benchmark: Annotated[
        Optional[tuple[str, Path]],
        typer.Option(
            help="Measure on a benchmark of others instead. hisp DIR: rank correlation of image "
            "distances with those that people see, in the files of the Hubble Image Similarity "
            "Project and their images.",
            metavar="hisp DIR",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(help="Number of images embedded at once.")
    ] = DEFAULTS.batch_size,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> int:
    """Measure retrieval accuracy of models on held-out pairs.

    The loss and the similarity of true and shuffled pairs are measured, too.
    """
    here = session()
    if judge:
        llm, base_url = here.language_model(judge_backend, llm, base_url)
    config = configure(
        EvaluateConfig,
        model=model,
        baseline=baseline,
        dataset=dataset,
        image_column=image_column,
        text_column=text_column,
        group_column=group_column,
        split=split,
        protocol=protocol,
        direction=direction,
        controls=controls,
        plots=plots,
        batch_size=batch_size,
        judge=judge,
        judge_backend=judge_backend,
        llm=llm,
        base_url=base_url,
        max_tokens=max_tokens,
        labels=labels,
        labels_from=labels_from,
        template=template,
    )

    shown = form_of(form, json)
    if benchmark is not None:
        return _benchmark(here, benchmark, config, model, shown)

    here.prepare_jax()
    spin_no_threads(judge_backend)
    from paperclip_cli.malloc import keep_freed_pages
    from paperclip_cli.output import plots as figures
    from paperclip_cli.output import scores
    from paperclip_cli.stages import evaluate as stage

    keep_freed_pages()
    if plots is not None:
        figures.require_matplotlib()
    done = stage.run(config, here.workspace, here.progress)
    scores.show(done.rows, done.judgement, "+".join(done.splits), shown, done.classes, done.seeds)
    if plots is not None and done.figures is not None:
        files = figures.draw(done.figures, plots)
        here.progress.note(f"{counted(len(files), 'figures')} in {plots}")
    return here.finish(done.report)


def _benchmark(
    here: Session,
    benchmark: tuple[str, Path],
    given: EvaluateConfig,
    model: list[str] | None,
    form: Format,
) -> int:
    """`evaluate --benchmark`, which takes the options on models alone."""
    plain = EvaluateConfig(
        model=given.model, others=given.others, baseline=given.baseline, batch_size=given.batch_size
    )
    if given != plain:
        raise UsageError(
            "--benchmark measures models on images of its own",
            "give it with --model, --baseline, --batch-size and --format only",
        )
    config = configure(
        BenchmarkConfig,
        kind=benchmark[0],
        folder=benchmark[1],
        model=model,
        baseline=given.baseline,
        batch_size=given.batch_size,
    )
    here.prepare_jax()
    from paperclip_cli.malloc import keep_freed_pages
    from paperclip_cli.output import agreement_scores
    from paperclip_cli.stages import evaluate_benchmark as stage

    keep_freed_pages()
    done = stage.run(config, here.workspace, here.progress)
    rows = [(row.name, row.role, row.agreement) for row in done.rows]
    agreement_scores.show(done.kind, rows, done.images, done.missing, form, done.seeds)
    return here.finish(done.report)
