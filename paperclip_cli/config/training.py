"""Train: what is asked for, and the recipe that it becomes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from paperclip_cli.config.checks import at_least, one_of, option, within
from paperclip_cli.errors import UsageError

DEFAULT_MODEL = "openai/clip-vit-base-patch16"


@dataclass(frozen=True)
class TrainConfig:
    """Fields that are None are for the preset of the `--init` kind to fill (`training_recipe`); `Recipe` says what they mean.

    `devices` None means all local ones. `resume` continues a training whose number of steps may have changed.
    """

    init: str = DEFAULT_MODEL
    dataset: str = "default"
    name: str = "default"
    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    warmup_steps: int | None = None
    weight_decay: float | None = None
    schedule: str | None = None
    crop: float | None = None
    view: str | None = None
    caption_tokens: int | None = None
    caption_runs: str | None = None
    ema_decay: float | None = None
    keep: str | None = None
    eval_every: int | None = None
    seed: int = 42
    devices: int | None = None
    resume: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch_size", 2), ("warmup_steps", 0), ("eval_every", 1), ("caption_tokens", 3), ("seed", 0)):
            at_least(option(name), getattr(self, name), least)
        within("--learning-rate", self.learning_rate, "greater than 0", lambda rate: 0 < rate < math.inf)
        within("--weight-decay", self.weight_decay, "0 or greater", lambda decay: 0 <= decay < math.inf)
        within("--crop", self.crop, "greater than 0 and at most 1", lambda crop: 0 < crop <= 1)
        within("--ema-decay", self.ema_decay, "from 0 (no average) to below 1", lambda decay: 0 <= decay < 1)
        one_of("--schedule", self.schedule, ("constant", "cosine"))
        one_of("--view", self.view, ("centre", "whole"))
        one_of("--keep", self.keep, ("best", "last"))
        one_of("--caption-runs", self.caption_runs, ("longest", "any"))
        if self.resume and self.force:
            raise UsageError("--resume and --force exclude each other", "--resume goes on, --force starts over")


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: a preset, with what the user asked for in its place.

    `schedule`: constant or cosine, after the warm-up. `crop` is the side of the crop as a fraction of the canvas's (view `centre`; the view
    `whole` sees all of it). `caption_tokens` includes the start and the end token; None is the text encoder's length. `caption_runs`:
    each time a caption is the `longest` run of sentences that fits, from a random start, or a run of `any` length. `keep` is which weights
    become the model: `best` (validation loss) or `last`. `ema_decay` is that of a moving average of the weights, which then is
    evaluated and becomes the model; 0 means none.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    schedule: str
    crop: float
    view: str
    caption_tokens: int | None
    caption_runs: str
    ema_decay: float
    keep: str
    eval_every: int


PAPER_PRESET = Recipe(steps=20_000, batch_size=32, learning_rate=1e-5, warmup_steps=2_000, weight_decay=1e-3, schedule="constant",
                      crop=0.4375, view="centre", caption_tokens=None, caption_runs="longest", ema_decay=0.0, keep="best", eval_every=200)
TINY_PRESET = Recipe(steps=150, batch_size=64, learning_rate=1e-3, warmup_steps=15, weight_decay=0.05, schedule="cosine",
                     crop=0.55, view="centre", caption_tokens=None, caption_runs="any", ema_decay=0.95, keep="last", eval_every=50)
TRAIN_PRESETS = {"pretrained": PAPER_PRESET, "scratch:base": PAPER_PRESET, "scratch:tiny": TINY_PRESET}


def training_preset(init: str) -> Recipe:
    """The preset of an `--init`: `scratch:tiny`, `scratch:base`, or a folder or Hub name."""
    if init.startswith("scratch:") and init not in TRAIN_PRESETS:
        raise UsageError(f"unknown --init {init!r}", "choose scratch:tiny, scratch:base, a model folder or a Hub name")
    return TRAIN_PRESETS.get(init, TRAIN_PRESETS["pretrained"])


def training_recipe(config: TrainConfig) -> Recipe:
    """The preset with every field that was given in its place. Explicit options win.

    A warm-up that was not given takes at most a tenth of the steps, which is the paper's share.
    """
    preset = training_preset(config.init)
    given = {name: value for name in vars(preset) if (value := getattr(config, name)) is not None}
    steps = given.get("steps", preset.steps)
    return replace(preset, **{"warmup_steps": min(preset.warmup_steps, steps // 10)} | given)
