"""`paperclip train`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from paperclip_cli.cli.session import session
from paperclip_cli.config import PAPER_PRESET as PAPER
from paperclip_cli.config import TINY_PRESET as TINY
from paperclip_cli.config import TrainConfig

DEFAULTS = TrainConfig()


def _preset(name: str) -> str:
    return f"[default: {getattr(PAPER, name)}; scratch:tiny: {getattr(TINY, name)}]"


def train(
    init: Annotated[str, typer.Option(help="Start: a Hub name, a model folder, scratch:tiny or scratch:base.")] = DEFAULTS.init,
    dataset: Annotated[str, typer.Option(help="A dataset's name in the cache, or its folder.")] = DEFAULTS.dataset,
    name: Annotated[str, typer.Option(help="Name of the model in the cache.")] = DEFAULTS.name,
    steps: Annotated[Optional[int], typer.Option(help=f"Optimiser steps. {_preset('steps')}")] = None,
    batch_size: Annotated[Optional[int], typer.Option(help=f"Pairs a step. {_preset('batch_size')}")] = None,
    learning_rate: Annotated[Optional[float], typer.Option(help=f"Peak learning rate. {_preset('learning_rate')}")] = None,
    warmup_steps: Annotated[Optional[int], typer.Option(help="Linear warm-up. [default: a tenth of the steps, at most "
                                                             f"{PAPER.warmup_steps}; scratch:tiny: {TINY.warmup_steps}]")] = None,
    weight_decay: Annotated[Optional[float], typer.Option(help=f"AdamW's decay. {_preset('weight_decay')}")] = None,
    schedule: Annotated[Optional[str], typer.Option(help=f"constant or cosine, after the warm-up. {_preset('schedule')}")] = None,
    view: Annotated[Optional[str], typer.Option(help=f"What of a frame is seen: centre or whole. {_preset('view')}")] = None,
    crop: Annotated[Optional[float], typer.Option(help=f"Side of the crop as a share of the frame's. {_preset('crop')}")] = None,
    caption_tokens: Annotated[Optional[int], typer.Option(help="Tokens of a caption. [default: the text encoder's length]")] = None,
    caption_runs: Annotated[Optional[str], typer.Option(help="Sentences a caption takes: the longest run that fits, or any. "
                                                             f"{_preset('caption_runs')}")] = None,
    ema_decay: Annotated[Optional[float], typer.Option(help=f"Decay of the weights' average, 0: none. {_preset('ema_decay')}")] = None,
    keep: Annotated[Optional[str], typer.Option(help=f"Weights to keep: best (validation loss) or last. {_preset('keep')}")] = None,
    eval_every: Annotated[Optional[int], typer.Option(help=f"Steps between evaluations. {_preset('eval_every')}")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, order, captions and crops.")] = DEFAULTS.seed,
    devices: Annotated[Optional[int], typer.Option(help="Local devices to use. [default: all]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with this model's training, perhaps for more --steps.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Train anew.")] = False,
) -> int:
    """Train a CLIP model on a dataset. A training that was stopped goes on where it was."""
    from paperclip_cli.stages import train as stage

    here = session()
    config = TrainConfig(
        init=init, dataset=dataset, name=name, steps=steps, batch_size=batch_size, learning_rate=learning_rate, warmup_steps=warmup_steps,
        weight_decay=weight_decay, schedule=schedule, view=view, crop=crop, caption_tokens=caption_tokens, caption_runs=caption_runs,
        ema_decay=ema_decay, keep=keep, eval_every=eval_every, seed=seed, devices=devices, resume=resume, force=force)
    return here.finish(stage.run(config, here.workspace, here.progress))
