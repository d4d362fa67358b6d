"""Settings of `train`: the user's options, and the recipe they result in."""

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
from paperclip_cli.config.models import DEFAULT_MODEL
from paperclip_cli.errors import UsageError

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
}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The options of one training.

    Fields that are None take their value from the preset of `init` (`training_recipe`), which for a
    model trained here is that of its own training; `Recipe` explains them. `recipe` "paper" takes
    the settings of the paper's reference code, whatever `init` is.

    `dataset` is a name in the cache, a folder or a Hub name. `image_column`, `text_column` and
    `group_column` name columns of a dataset that others made (`dataset.columns`).

    The other fields change how a training is computed but, apart from rounding, not its result.
    `dtype` is the type the towers compute in (`auto`: bfloat16 on a TPU or a GPU that has it,
    else float32).
    `accumulate` is the number of parts in which a batch passes through the towers. `remat`
    recomputes layers instead of storing them. `cache_images` (`--cache`) is where decoded images
    are kept. `devices` None uses all devices. `resume` continues a training, whose number of steps
    and learning rate may have changed.
    """

    init: str = DEFAULT_MODEL
    dataset: str = "default"
    image_column: str | None = None
    text_column: str | None = None
    group_column: str | None = None
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
    cache_images: Cache = "auto"
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
        self._check_ranges()
        for name, choice in _CHOICES.items():
            one_of(option(name), getattr(self, name), choice)
        one_of("--cache", self.cache_images, Cache)
        if self.resume and self.force:
            raise UsageError(
                "--resume and --force exclude each other",
                "--resume continues a training, --force starts over",
            )
        if self.train == "head" and self.init.startswith("scratch:"):
            raise UsageError(
                f"--train head freezes the towers, and those of {self.init} are untrained",
                "give --init a trained model",
            )
        if self.batch_size is not None and self.batch_size % self.accumulate:
            raise UsageError(
                f"--accumulate {self.accumulate} does not divide --batch-size {self.batch_size}",
                "give a divisor of the batch size",
            )

    def _check_ranges(self) -> None:
        rate, decay, average = self.learning_rate, self.weight_decay, self.ema_decay
        within("--learning-rate", rate, "greater than 0", lambda value: 0 < value < math.inf)
        within("--weight-decay", decay, "0 or greater", lambda value: 0 <= value < math.inf)
        within("--crop", self.crop, "greater than 0 and at most 1", lambda value: 0 < value <= 1)
        within(
            "--ema-decay", average, "from 0 (no average) to below 1", lambda value: 0 <= value < 1
        )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is trained: a preset, overridden by the user's options.

    `optimiser` is adamw, or muon for the matrices (`training.optimisers`). `weight_decay` acts on
    matrices and tables of embeddings, and with `decays_all` on every parameter, as in the paper's
    code: on norms, biases and the logit scale too. `schedule` is the
    learning rate after the warm-up. `crop` is the side of the crop as a fraction of the canvas's
    side, for the view `centre`; the view `whole` sees the whole canvas. `caption_tokens` includes
    the start and the end token; None is the length of the text encoder.

    `caption_runs` is how each caption is drawn. `longest` takes the longest run of sentences that
    fits, from a random start. `any` takes a run of any length. `words` follows the reference code:
    the longest run of at most 77 words, which the tokenizer then truncates.

    `keep` chooses the weights that become the model: the `last`, or the `best` by validation
    `loss` or retrieval `accuracy` (`best_by`). `ema_decay` is the decay of a moving average of the
    weights, which is then evaluated and becomes the model; 0 means no average.

    `train` is `full`, or only a `head` on each frozen tower, which sees `head_views` fixed random
    views of every pair. `loss` is softmax (InfoNCE) or sigmoid (SigLIP). Similarities are
    multiplied by the exponential of the logit scale (`clip`), or by the parameter itself as in the
    paper's code (`reference`). With `multi_positive`, all pairs of a proposal in a batch are
    positives. With `unique_proposals`, no batch holds two pairs of the same proposal.
    `shuffle_pairs` is a control in which proposals exchange their texts.
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
    decays_all: bool = False


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
REFERENCE_RECIPE = replace(
    PAPER_PRESET, caption_runs="words", logit_scale="reference", decays_all=True
)
TRAIN_PRESETS = {
    "pretrained": PAPER_PRESET,
    "scratch:base": PAPER_PRESET,
    "scratch:tiny": TINY_PRESET,
}


def training_preset(init: str) -> Recipe:
    """The preset of an `--init`: `scratch:tiny`, `scratch:base`, a folder or a Hub name."""
    if init.startswith("scratch:") and init not in TRAIN_PRESETS:
        raise UsageError(
            f"unknown --init {init!r}",
            "choose scratch:tiny, scratch:base, a model folder or a Hub name",
        )
    return TRAIN_PRESETS.get(init, TRAIN_PRESETS["pretrained"])


def training_recipe(config: TrainConfig, preset: str | None = None) -> Recipe:
    """The preset or the paper's recipe, overridden by the options that were given.

    `preset` is its name; None means that of `config.init`.
    A warm-up that was not given takes at most a tenth of the steps, the paper's fraction.
    """
    chosen = training_preset(preset or config.init)
    usual = REFERENCE_RECIPE if config.recipe == "paper" else chosen
    options = vars(config)
    given = {name: value for name in vars(usual) if (value := options.get(name)) is not None}
    steps = given.get("steps", usual.steps)
    return replace(usual, **{"warmup_steps": min(usual.warmup_steps, steps // 10)} | given)
