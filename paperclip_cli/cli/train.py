"""`paperclip train`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from paperclip_cli.cli.session import session
from paperclip_cli.config import PAPER_PRESET as PAPER
from paperclip_cli.config import TINY_PRESET as TINY
from paperclip_cli.config import TrainConfig, choices

DEFAULTS = TrainConfig()


def _preset(name: str) -> str:
    paper, tiny = getattr(PAPER, name), getattr(TINY, name)
    return f"[default: {paper}; scratch:tiny: {tiny}]" if tiny != paper else f"[default: {paper}]"


def train(
    init: Annotated[
        str, typer.Option(help="Start: a Hub name, a model folder, scratch:tiny or scratch:base.")
    ] = DEFAULTS.init,
    dataset: Annotated[
        str, typer.Option(help="A dataset's name in the cache, or its folder.")
    ] = DEFAULTS.dataset,
    name: Annotated[str, typer.Option(help="Name of the model in the cache.")] = DEFAULTS.name,
    recipe: Annotated[
        Optional[choices.RecipeName],
        typer.Option(help="The reference code's settings, whatever --init is."),
    ] = None,
    mode: Annotated[
        Optional[choices.Mode],
        typer.Option(
            "--train", help="What is trained; head: an MLP on each frozen tower. [default: full]"
        ),
    ] = None,
    loss: Annotated[
        Optional[choices.Loss],
        typer.Option(help="softmax (InfoNCE) or sigmoid (SigLIP). [default: softmax]"),
    ] = None,
    multi_positive: Annotated[
        bool,
        typer.Option("--multi-positive", help="All pairs of a proposal in a batch are true ones."),
    ] = False,
    unique_proposals: Annotated[
        bool, typer.Option("--unique-proposals", help="No batch holds two pairs of a proposal.")
    ] = False,
    shuffle_pairs: Annotated[
        bool, typer.Option("--shuffle-pairs", help="Control: proposals exchange their texts.")
    ] = False,
    logit_scale: Annotated[
        Optional[choices.LogitScale],
        typer.Option(
            help="Similarities are multiplied by its exponential (clip) or by itself (reference). [default: clip]"
        ),
    ] = None,
    head_views: Annotated[
        Optional[int],
        typer.Option(help=f"Random views of each pair that a head sees. {_preset('head_views')}"),
    ] = None,
    steps: Annotated[
        Optional[int], typer.Option(help=f"Optimiser steps. {_preset('steps')}")
    ] = None,
    batch_size: Annotated[
        Optional[int], typer.Option(help=f"Pairs a step. {_preset('batch_size')}")
    ] = None,
    learning_rate: Annotated[
        Optional[float], typer.Option(help=f"Peak learning rate. {_preset('learning_rate')}")
    ] = None,
    warmup_steps: Annotated[
        Optional[int],
        typer.Option(
            help="Linear warm-up. [default: a tenth of the steps, at most "
            f"{PAPER.warmup_steps}; scratch:tiny: {TINY.warmup_steps}]"
        ),
    ] = None,
    weight_decay: Annotated[
        Optional[float], typer.Option(help=f"AdamW's decay. {_preset('weight_decay')}")
    ] = None,
    schedule: Annotated[
        Optional[choices.Schedule],
        typer.Option(help=f"Learning rate after the warm-up. {_preset('schedule')}"),
    ] = None,
    view: Annotated[
        Optional[choices.ViewKind], typer.Option(help=f"What of a frame is seen. {_preset('view')}")
    ] = None,
    crop: Annotated[
        Optional[float],
        typer.Option(help=f"Side of the crop as a share of the frame's. {_preset('crop')}"),
    ] = None,
    caption_tokens: Annotated[
        Optional[int],
        typer.Option(help="Tokens of a caption. [default: the text encoder's length]"),
    ] = None,
    caption_runs: Annotated[
        Optional[choices.CaptionRuns],
        typer.Option(
            help=f"Sentences of a caption: the longest run that fits, any, or 77 words. {_preset('caption_runs')}"
        ),
    ] = None,
    optimiser: Annotated[
        Optional[choices.Optimiser],
        typer.Option(help=f"adamw for all, or muon for the matrices. {_preset('optimiser')}"),
    ] = None,
    ema_decay: Annotated[
        Optional[float],
        typer.Option(help=f"Decay of the weights' average, 0: none. {_preset('ema_decay')}"),
    ] = None,
    keep: Annotated[
        Optional[choices.Keep], typer.Option(help=f"Weights to keep. {_preset('keep')}")
    ] = None,
    best_by: Annotated[
        Optional[choices.BestBy],
        typer.Option(help=f"What makes the best, in validation. {_preset('best_by')}"),
    ] = None,
    eval_every: Annotated[
        Optional[int], typer.Option(help=f"Steps between evaluations. {_preset('eval_every')}")
    ] = None,
    log_every: Annotated[
        int, typer.Option(help="Steps between lines of what is said.")
    ] = DEFAULTS.log_every,
    seed: Annotated[
        int, typer.Option(help="Seed of weights, order, captions and crops.")
    ] = DEFAULTS.seed,
    dtype: Annotated[
        choices.Dtype,
        typer.Option(help="What the towers compute in; auto: bfloat16 on an accelerator."),
    ] = DEFAULTS.dtype,
    cache: Annotated[
        choices.Cache,
        typer.Option(help="Where decoded images are kept: on the device, in a file on the host."),
    ] = DEFAULTS.cache,
    accumulate: Annotated[
        int, typer.Option(help="Embed a batch in so many parts: less memory, the same update.")
    ] = DEFAULTS.accumulate,
    remat: Annotated[
        bool,
        typer.Option("--remat", help="Compute layers twice instead of keeping them: less memory."),
    ] = False,
    devices: Annotated[
        Optional[int], typer.Option(help="Local devices to use. [default: all]")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with this model's training, perhaps for more --steps."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train anew.")] = False,
) -> int:
    """Train a CLIP model on a dataset. A training that was stopped goes on where it was."""
    from paperclip_cli.stages import train as stage

    here = session()
    config = TrainConfig(
        init=init,
        dataset=dataset,
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
        cache=cache,
        accumulate=accumulate,
        remat=remat,
        devices=devices,
        resume=resume,
        force=force,
    )
    return here.finish(stage.run(config, here.workspace, here.progress))
