"""`paperclip train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from paperclip_cli.cli.session import (
    DatasetOption,
    GroupColumnOption,
    ImageColumnOption,
    TextColumnOption,
    session,
)
from paperclip_cli.config import PAPER_PRESET as PAPER
from paperclip_cli.config import TINY_PRESET as TINY
from paperclip_cli.config import TrainConfig, choices, configure
from paperclip_cli.errors import ExitCode, UsageError

DEFAULTS = TrainConfig()


def _preset(name: str) -> str:
    paper, tiny = getattr(PAPER, name), getattr(TINY, name)
    return f"[default: {paper}; scratch:tiny: {tiny}]" if tiny != paper else f"[default: {paper}]"


def train(
    ctx: typer.Context,
    init: Annotated[
        str,
        typer.Option(
            help="Model to start from: a Hub name, a folder, scratch:tiny or scratch:base. A model "
            "trained here keeps the defaults of its own training."
        ),
    ] = DEFAULTS.init,
    dataset: DatasetOption = DEFAULTS.dataset,
    image_column: ImageColumnOption = None,
    text_column: TextColumnOption = None,
    group_column: GroupColumnOption = None,
    name: Annotated[str, typer.Option(help="Name of the model in the cache.")] = DEFAULTS.name,
    recipe: Annotated[
        Optional[choices.RecipeName],
        typer.Option(help="Use the settings of the paper's code, whatever --init is."),
    ] = None,
    mode: Annotated[
        Optional[choices.Mode],
        typer.Option(
            "--train", help="Weights to train; head: an MLP on each frozen tower. [default: full]"
        ),
    ] = None,
    loss: Annotated[
        Optional[choices.Loss],
        typer.Option(help="Loss: softmax (InfoNCE) or sigmoid (SigLIP). [default: softmax]"),
    ] = None,
    multi_positive: Annotated[
        bool,
        typer.Option(
            "--multi-positive", help="Count all pairs of a proposal in a batch as positives."
        ),
    ] = False,
    unique_proposals: Annotated[
        bool,
        typer.Option("--unique-proposals", help="Never put two pairs of a proposal in one batch."),
    ] = False,
    shuffle_pairs: Annotated[
        bool, typer.Option("--shuffle-pairs", help="Control: exchange texts between proposals.")
    ] = False,
    logit_scale: Annotated[
        Optional[choices.LogitScale],
        typer.Option(
            help="Multiply similarities by exp(logit scale) (clip), or by the parameter itself "
            "(reference). [default: clip]"
        ),
    ] = None,
    head_views: Annotated[
        Optional[int],
        typer.Option(help=f"Random views of each pair for --train head. {_preset('head_views')}"),
    ] = None,
    steps: Annotated[
        Optional[int], typer.Option(help=f"Number of optimiser steps. {_preset('steps')}")
    ] = None,
    batch_size: Annotated[
        Optional[int], typer.Option(help=f"Pairs per step. {_preset('batch_size')}")
    ] = None,
    learning_rate: Annotated[
        Optional[float], typer.Option(help=f"Peak learning rate. {_preset('learning_rate')}")
    ] = None,
    warmup_steps: Annotated[
        Optional[int],
        typer.Option(
            help="Steps of linear warm-up. [default: a tenth of the steps, at most "
            f"{PAPER.warmup_steps}; scratch:tiny: {TINY.warmup_steps}]"
        ),
    ] = None,
    weight_decay: Annotated[
        Optional[float],
        typer.Option(
            help="Weight decay of matrices and embeddings; of all with --recipe paper. "
            f"{_preset('weight_decay')}"
        ),
    ] = None,
    schedule: Annotated[
        Optional[choices.Schedule],
        typer.Option(help=f"Learning rate after the warm-up. {_preset('schedule')}"),
    ] = None,
    view: Annotated[
        Optional[choices.ViewKind], typer.Option(help=f"Part of an image to see. {_preset('view')}")
    ] = None,
    crop: Annotated[
        Optional[float],
        typer.Option(help=f"Side of the crop as a fraction of the image's side. {_preset('crop')}"),
    ] = None,
    caption_tokens: Annotated[
        Optional[int],
        typer.Option(help="Length of a caption in tokens. [default: the text encoder's length]"),
    ] = None,
    caption_runs: Annotated[
        Optional[choices.CaptionRuns],
        typer.Option(
            help="Sentences of a caption: the longest run that fits, any run, or 77 words. "
            f"{_preset('caption_runs')}"
        ),
    ] = None,
    optimiser: Annotated[
        Optional[choices.Optimiser],
        typer.Option(
            help=f"adamw for all weights, or muon for the matrices. {_preset('optimiser')}"
        ),
    ] = None,
    ema_decay: Annotated[
        Optional[float],
        typer.Option(
            help=f"Decay of the moving average of weights; 0: none. {_preset('ema_decay')}"
        ),
    ] = None,
    keep: Annotated[
        Optional[choices.Keep], typer.Option(help=f"Weights to keep. {_preset('keep')}")
    ] = None,
    best_by: Annotated[
        Optional[choices.BestBy],
        typer.Option(
            help=f"Validation score that decides which weights are best. {_preset('best_by')}"
        ),
    ] = None,
    eval_every: Annotated[
        Optional[int], typer.Option(help=f"Steps between evaluations. {_preset('eval_every')}")
    ] = None,
    log_every: Annotated[
        int, typer.Option(help="Steps between progress lines.")
    ] = DEFAULTS.log_every,
    seed: Annotated[
        int, typer.Option(help="Seed of weights, order, captions and crops.")
    ] = DEFAULTS.seed,
    dtype: Annotated[
        choices.Dtype,
        typer.Option(
            help="Type the towers compute in; auto: bfloat16 on a TPU or a GPU that has it."
        ),
    ] = DEFAULTS.dtype,
    cache: Annotated[
        choices.Cache,
        typer.Option(
            help="Where decoded images are kept: on the device, or in a file on the host."
        ),
    ] = DEFAULTS.cache_images,
    accumulate: Annotated[
        int, typer.Option(help="Number of parts to embed a batch in: less memory, the same update.")
    ] = DEFAULTS.accumulate,
    remat: Annotated[
        bool, typer.Option("--remat", help="Recompute layers instead of storing them: less memory.")
    ] = False,
    devices: Annotated[
        Optional[int], typer.Option(help="Number of local devices to use. [default: all]")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue this model's training, perhaps for more --steps. All else stays.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train the model again from the start.")
    ] = False,
    print_sbatch: Annotated[
        bool,
        typer.Option(
            "--print-sbatch", help="Print a job of SLURM that does this training, and do nothing."
        ),
    ] = False,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes of --print-sbatch.")] = 1,
    gpus_per_node: Annotated[
        int, typer.Option(min=1, help="GPUs of each node of --print-sbatch.")
    ] = 1,
) -> int:
    """Train a CLIP model on a dataset.

    An interrupted training continues where it stopped.
    """
    here = session()
    config = configure(
        TrainConfig,
        init=init,
        dataset=dataset,
        image_column=image_column,
        text_column=text_column,
        group_column=group_column,
        name=name,
        recipe=recipe,
        train=mode,
        loss=loss,
        multi_positive=multi_positive,
        unique_proposals=unique_proposals,
        shuffle_pairs=shuffle_pairs,
        logit_scale=logit_scale,
        head_views=head_views,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=warmup_steps,
        weight_decay=weight_decay,
        schedule=schedule,
        view=view,
        crop=crop,
        caption_tokens=caption_tokens,
        caption_runs=caption_runs,
        ema_decay=ema_decay,
        optimiser=optimiser,
        keep=keep,
        best_by=best_by,
        eval_every=eval_every,
        log_every=log_every,
        seed=seed,
        dtype=dtype,
        cache_images=cache,
        accumulate=accumulate,
        remat=remat,
        devices=devices,
        resume=resume,
        force=force,
    )
    if print_sbatch:
        return _print_job(ctx, config, nodes, gpus_per_node)
    if (nodes, gpus_per_node) != (1, 1):
        raise UsageError("--nodes and --gpus-per-node are of --print-sbatch", "add it")
    here.prepare_jax()
    from paperclip_cli.malloc import keep_freed_pages
    from paperclip_cli.stages import train as stage

    keep_freed_pages()
    return here.finish(stage.run(config, here.workspace, here.progress, owns_process=True))


_NOT_IN_A_JOB = ("print_sbatch", "nodes", "gpus_per_node", "cache_dir")


def _print_job(ctx: typer.Context, config: TrainConfig, nodes: int, gpus: int) -> int:
    from paperclip_cli.config import training_recipe
    from paperclip_cli.output import console
    from paperclip_cli.output.sbatch import Job, sbatch_file

    size = training_recipe(config).batch_size
    if size % (nodes * gpus):
        raise UsageError(
            f"a batch of {size} does not divide by {nodes * gpus} GPUs",
            "give another --batch-size, or other --nodes and --gpus-per-node",
        )
    if config.force:
        raise UsageError(
            "--force would start over whenever the job continues",
            "remove the model first: paperclip cache rm model NAME",
        )
    here = session()
    job = Job(
        name=f"paperclip-{config.name}",
        command=[*_program(), *_typed(ctx.parent), "train", *_typed(ctx)],
        environment={"PAPERCLIP_CACHE_DIR": str(here.workspace.root)},
        nodes=nodes,
        gpus=gpus,
    )
    console.emit(sbatch_file(job))
    return ExitCode.OK


def _program() -> list[str]:
    """The program, as it is found from any directory."""
    installed = Path(sys.executable).with_name("paperclip")
    return [str(installed)] if installed.is_file() else [sys.executable, "-m", "paperclip_cli"]


def _typed(ctx: Any) -> list[str]:
    """The options that were typed, without those of the job, and of the cache, which it exports."""
    found: list[str] = []
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name)
        if source is None or source.name != "COMMANDLINE" or option.name in _NOT_IN_A_JOB:
            continue
        value = ctx.params[option.name]
        if isinstance(value, bool):
            found.append((option.opts if value else option.secondary_opts)[0])
        else:
            found += [option.opts[0], str(getattr(value, "value", value))]
    return found
