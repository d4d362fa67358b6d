"""Train: what is asked for, and the recipe that it becomes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from paperclip_cli.config.checks import at_least, one_of, option, within
from paperclip_cli.config.choices import (
    BestBy,
    Cache,
    CaptionRuns,
    Dtype,
    Keep,
    LogitScale,
    Loss,
    Mode,
    Optimiser,
    RecipeName,
    Schedule,
    ViewKind,
)
from paperclip_cli.errors import UsageError

DEFAULT_MODEL = "openai/clip-vit-base-patch16"
_CHOICES: dict[str, object] = {
    "recipe": RecipeName,
    "train": Mode,
    "loss": Loss,
    "logit_scale": LogitScale,
    "schedule": Schedule,
    "optimiser": Optimiser,
    "view": ViewKind,
    "caption_runs": CaptionRuns,
    "keep": Keep,
    "best_by": BestBy,
    "dtype": Dtype,
    "cache": Cache,
}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Fields that are None are for the preset of the `--init` kind to fill (`training_recipe`); `Recipe` says what they mean.

    What is no part of a recipe changes how a training is computed and not, but for rounding, what comes out: `dtype` is what the towers
    compute in (`auto`: bfloat16 on a GPU or TPU, else float32), `accumulate` in how many parts a batch passes through them, `remat`
    computes layers again instead of keeping them, `cache` is where decoded images are kept, `devices` None means all of them. `resume`
    continues a training whose number of steps, or rate, may have changed. `recipe` "paper" takes the reference's settings whatever
    `init` is.
    """

    init: str = DEFAULT_MODEL
    dataset: str = "default"
    name: str = "default"
    recipe: RecipeName | None = None
    train: Mode | None = None
    loss: Loss | None = None
    logit_scale: LogitScale | None = None
    multi_positive: bool = False
    unique_proposals: bool = False
    shuffle_pairs: bool = False
    head_views: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    warmup_steps: int | None = None
    weight_decay: float | None = None
    schedule: Schedule | None = None
    crop: float | None = None
    view: ViewKind | None = None
    caption_tokens: int | None = None
    caption_runs: CaptionRuns | None = None
    ema_decay: float | None = None
    optimiser: Optimiser | None = None
    keep: Keep | None = None
    best_by: BestBy | None = None
    eval_every: int | None = None
    log_every: int = 50
    seed: int = 42
    dtype: Dtype = "auto"
    cache: Cache = "auto"
    accumulate: int = 1
    remat: bool = False
    devices: int | None = None
    resume: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        for name, least in (
            ("steps", 1),
            ("batch_size", 2),
            ("warmup_steps", 0),
            ("eval_every", 1),
            ("caption_tokens", 3),
            ("seed", 0),
            ("head_views", 1),
            ("log_every", 1),
            ("accumulate", 1),
        ):
            at_least(option(name), getattr(self, name), least)
        within(
            "--learning-rate",
            self.learning_rate,
            "greater than 0",
            lambda rate: 0 < rate < math.inf,
        )
        within(
            "--weight-decay", self.weight_decay, "0 or greater", lambda decay: 0 <= decay < math.inf
        )
        within("--crop", self.crop, "greater than 0 and at most 1", lambda crop: 0 < crop <= 1)
        within(
            "--ema-decay",
            self.ema_decay,
            "from 0 (no average) to below 1",
            lambda decay: 0 <= decay < 1,
        )
        for name, choice in _CHOICES.items():
            one_of(option(name), getattr(self, name), choice)
        if self.resume and self.force:
            raise UsageError(
                "--resume and --force exclude each other", "--resume goes on, --force starts over"
            )
        if self.train == "head" and self.init.startswith("scratch:"):
            raise UsageError(
                f"--train head keeps the towers of its start as they are, and those of {self.init} know nothing",
                "give --init a trained model",
            )
        if self.batch_size is not None and self.batch_size % self.accumulate:
            raise UsageError(
                f"--accumulate {self.accumulate} does not divide --batch-size {self.batch_size}",
                "give a divisor of it",
            )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is trained: a preset, with what the user asked for in its place.

    `optimiser`: adamw, or muon for the matrices (`training.optimisers`). `schedule`: constant or cosine, after the warm-up.
    `crop` is the side of the crop as a fraction of the canvas's (view `centre`; the view
    `whole` sees all of it). `caption_tokens` includes the start and the end token; None is the text encoder's length. `caption_runs`:
    each time a caption is the `longest` run of sentences that fits, from a random start, or a run of `any` length; or, after the
    reference's code, the longest of at most 77 `words`, which the tokenizer then cuts. `keep` is which weights become the model: the `last`
    or the `best`, which `best_by` (validation `loss` or retrieval `accuracy`) decides. `ema_decay` is that of a moving average of the
    weights, which then is evaluated and becomes the model; 0 means none.

    `train`: `full`, or only a `head` on each frozen tower, which sees `head_views` fixed random views of every pair. `loss`: softmax
    (InfoNCE) or sigmoid (SigLIP). `logit_scale`: similarities are multiplied by its exponential (`clip`), or by the parameter itself, as
    in the paper's `reference` code. `multi_positive`: all pairs of a proposal within a batch are true ones; `unique_proposals`: no batch
    holds two of one proposal. `shuffle_pairs` is a control: proposals have exchanged their texts.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    schedule: Schedule
    crop: float
    view: ViewKind
    caption_tokens: int | None
    caption_runs: CaptionRuns
    ema_decay: float
    keep: Keep
    eval_every: int
    best_by: BestBy = "loss"
    train: Mode = "full"
    loss: Loss = "softmax"
    logit_scale: LogitScale = "clip"
    multi_positive: bool = False
    unique_proposals: bool = False
    shuffle_pairs: bool = False
    head_views: int = 8
    optimiser: Optimiser = "adamw"


PAPER_PRESET = Recipe(
    steps=20_000,
    batch_size=32,
    learning_rate=1e-5,
    warmup_steps=2_000,
    weight_decay=1e-3,
    schedule="constant",
    crop=0.4375,
    view="centre",
    caption_tokens=None,
    caption_runs="longest",
    ema_decay=0.0,
    keep="best",
    eval_every=200,
)
TINY_PRESET = Recipe(
    steps=150,
    batch_size=64,
    learning_rate=1e-3,
    warmup_steps=60,
    weight_decay=0.05,
    schedule="cosine",
    crop=0.8,
    view="centre",
    caption_tokens=None,
    caption_runs="any",
    ema_decay=0.95,
    keep="last",
    eval_every=50,
    optimiser="muon",
)
REFERENCE_RECIPE = replace(PAPER_PRESET, caption_runs="words", logit_scale="reference")
TRAIN_PRESETS = {
    "pretrained": PAPER_PRESET,
    "scratch:base": PAPER_PRESET,
    "scratch:tiny": TINY_PRESET,
}


def training_preset(init: str) -> Recipe:
    """The preset of an `--init`: `scratch:tiny`, `scratch:base`, or a folder or Hub name."""
    if init.startswith("scratch:") and init not in TRAIN_PRESETS:
        raise UsageError(
            f"unknown --init {init!r}",
            "choose scratch:tiny, scratch:base, a model folder or a Hub name",
        )
    return TRAIN_PRESETS.get(init, TRAIN_PRESETS["pretrained"])


def training_recipe(config: TrainConfig) -> Recipe:
    """The preset, or the paper's recipe, with every field that was given in its place. Explicit options win.

    A warm-up that was not given takes at most a tenth of the steps, which is the paper's share.
    """
    preset = REFERENCE_RECIPE if config.recipe == "paper" else training_preset(config.init)
    given = {name: value for name in vars(preset) if (value := getattr(config, name)) is not None}
    steps = given.get("steps", preset.steps)
    return replace(preset, **{"warmup_steps": min(preset.warmup_steps, steps // 10)} | given)
