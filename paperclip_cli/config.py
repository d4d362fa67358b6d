"""One frozen dataclass a stage. Defaults live here, once; what must hold is checked when one is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from paperclip_cli.errors import UsageError

DEFAULT_MODEL = "openai/clip-vit-base-patch16"
PREVIEW_SIZE = 512


@dataclass(frozen=True)
class FetchConfig:
    """`size` is the longest side in pixels of what is kept; `max_images` a proposal, drawn without replacement.

    `retry_failed` reads images again that could not be read before; `verify` compares checksums of what is there already. `catalog` is a
    file or an address. `near` is (ra, dec) and `radius` an angle, in degrees; `after` and `before` are Modified Julian Dates. `rate`
    is in requests a second over all workers, 0 without limit; `timeout` the longest silence of the archive in seconds. `shard` (i, n)
    takes the i-th of n parts of the proposals, counted from 0. `refresh` renews catalogue and listings.
    """

    source: Path | None = None
    simulate: int | None = None
    everything: bool = False
    mission: str | None = None
    catalog: str | None = None
    proposals: tuple[int, ...] = ()
    cycles: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    near: tuple[float, float] | None = None
    radius: float = 2 / 60
    after: float | None = None
    before: float | None = None
    limit: int | None = None
    max_images: int = 20
    size: int = PREVIEW_SIZE
    include_color: bool = False
    include_calibration: bool = False
    include_proprietary: bool = False
    keep_originals: bool = False
    seed: int = 42
    workers: int = 4
    force: bool = False
    retry_failed: bool = False
    verify: bool = False
    dry_run: bool = False
    rate: float = 10.0
    timeout: float = 60.0
    shard: tuple[int, int] | None = None
    refresh: bool = False

    def __post_init__(self) -> None:
        _at_least("--size", self.size, 16)
        _at_least("--max-images", self.max_images, 1)
        _at_least("--workers", self.workers, 1)
        if self.limit is not None:
            _at_least("--limit", self.limit, 1)
        if self.simulate is not None:
            _at_least("--simulate", self.simulate, 1)
        if self.catalog is not None and self.simulate is not None:
            raise UsageError("--catalog does not go with --simulate", "a simulated sky has a catalogue of its own")
        _check_network(self.rate, self.timeout)
        if self.shard is not None and not 0 <= self.shard[0] < self.shard[1]:
            raise UsageError(f"--shard {self.shard[0]}/{self.shard[1]} is not a part", "write i/n with 0 <= i < n, for example 0/8 to 7/8")
        if self.source is not None and self.simulate is not None:
            raise UsageError("--from and --simulate exclude each other", "give one of them")

    @property
    def narrows(self) -> bool:
        """Whether images are selected by what is known of their observations."""
        return bool(self.instruments) or any(value is not None for value in (self.near, self.after, self.before))

    @property
    def selects(self) -> bool:
        """Whether anything says which proposals are wanted."""
        return bool(self.everything or self.proposals or self.cycles or self.narrows or self.limit)

    @property
    def resolved_mission(self) -> str:
        """`--mission`, else `local` for a folder, `sim` for the simulated sky, `hst` for the archive."""
        if self.mission is not None:
            return self.mission
        return "sim" if self.simulate is not None else "local" if self.source is not None else "hst"


@dataclass(frozen=True)
class SummarizeConfig:
    """`set_name` names the set of summaries; the backend's name if not given. `limit`: no more than the first proposals."""

    backend: str = "keywords"
    set_name: str | None = None
    missions: tuple[str, ...] = ()
    limit: int | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.backend != "keywords":
            raise UsageError(f"unknown summarizer backend {self.backend!r}", "choose keywords")
        _at_least("--limit", self.limit, 1)

    @property
    def resolved_set(self) -> str:
        return self.set_name or self.backend


@dataclass(frozen=True)
class BuildDatasetConfig:
    """`captions`: abstract or summary. Fractions are shares of proposals."""

    captions: str = "abstract"
    summaries: str | None = None
    missions: tuple[str, ...] = ()
    val_fraction: float = 0.1
    test_fraction: float = 0.1
    seed: int = 42
    name: str = "default"
    out: Path | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.captions not in ("abstract", "summary"):
            raise UsageError(f"--captions {self.captions!r}", "choose abstract or summary")
        both = (self.val_fraction, self.test_fraction)
        if not (min(both) >= 0 and sum(both) <= 1 + 1e-9):
            raise UsageError("--val-fraction and --test-fraction must be shares that add up to at most 1")


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
        for option, least in (("steps", 1), ("batch_size", 2), ("warmup_steps", 0), ("eval_every", 1), ("caption_tokens", 3), ("seed", 0)):
            _at_least(_option(option), getattr(self, option), least)
        _within("--learning-rate", self.learning_rate, "greater than 0", lambda rate: 0 < rate < math.inf)
        _within("--weight-decay", self.weight_decay, "0 or greater", lambda decay: 0 <= decay < math.inf)
        _within("--crop", self.crop, "greater than 0 and at most 1", lambda crop: 0 < crop <= 1)
        _within("--ema-decay", self.ema_decay, "from 0 (no average) to below 1", lambda decay: 0 <= decay < 1)
        _one_of("--schedule", self.schedule, ("constant", "cosine"))
        _one_of("--view", self.view, ("centre", "whole"))
        _one_of("--keep", self.keep, ("best", "last"))
        _one_of("--caption-runs", self.caption_runs, ("longest", "any"))
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


@dataclass(frozen=True)
class EvaluateConfig:
    """`split` None means test, or validation where there is no test split. `baseline` is a second model, to compare with."""

    model: str | None = None
    baseline: str | None = None
    dataset: str = "default"
    split: str | None = None
    protocol: str = "unique"
    direction: str = "image-to-text"
    batch_size: int = 32

    def __post_init__(self) -> None:
        _at_least("--batch-size", self.batch_size, 1)
        _one_of("--split", self.split, ("validation", "test", "all"))
        _one_of("--protocol", self.protocol, ("unique",))
        _one_of("--direction", self.direction, ("image-to-text", "text-to-image"))


@dataclass(frozen=True)
class IndexConfig:
    """`paths` empty: the cached previews of `missions` (all if empty)."""

    paths: tuple[Path, ...] = ()
    model: str | None = None
    name: str = "default"
    missions: tuple[str, ...] = ()
    batch_size: int = 32
    view: str | None = None
    force: bool = False

    def __post_init__(self) -> None:
        _at_least("--batch-size", self.batch_size, 1)
        if self.paths and self.missions:
            raise UsageError("--mission selects cached previews and goes with no path", "leave out one of the two")


@dataclass(frozen=True)
class QueryConfig:
    """One query is the sum of its `texts` and `images` less its `minus`; it gives `k` hits.

    `index` None: `default`, or the only one. `near` is (ra, dec) in degrees and `radius` in degrees; `after` and `before` are Modified
    Julian Dates. `collapse` says what one hit stands for: `target` (a proposal's images of one target), `proposal`, or `none`.
    """

    texts: tuple[str, ...] = ()
    images: tuple[Path, ...] = ()
    minus: tuple[str, ...] = ()
    index: str | None = None
    k: int = 10
    min_score: float | None = None
    missions: tuple[str, ...] = ()
    proposals: tuple[int, ...] = ()
    instruments: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    cycles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    near: tuple[float, float] | None = None
    radius: float = 2 / 60
    centre_only: bool = False
    include_moving: bool = False
    after: float | None = None
    before: float | None = None
    collapse: str = "target"
    rank_by: str = "semantic"

    def __post_init__(self) -> None:
        _at_least("-k", self.k, 1)
        if self.collapse not in ("target", "proposal", "none"):
            raise UsageError(f"--collapse {self.collapse!r}", "choose target, proposal or none")
        if self.rank_by not in ("semantic", "keyword", "hybrid"):
            raise UsageError(f"--rank-by {self.rank_by!r}", "choose semantic, keyword or hybrid")


@dataclass(frozen=True)
class DescribeConfig:
    """`labels` None: the paper's 77 phrases."""

    images: tuple[str, ...] = ()
    labels: Path | None = None
    model: str | None = None
    k: int = 4

    def __post_init__(self) -> None:
        _at_least("-k", self.k, 1)


@dataclass(frozen=True)
class GetConfig:
    """`hits` as they were typed. `rate` is in requests a second over all workers, `timeout` in seconds."""

    hits: tuple[str, ...] = ()
    out: Path = Path()
    workers: int = 4
    rate: float = 10.0
    timeout: float = 60.0
    dry_run: bool = False

    def __post_init__(self) -> None:
        _at_least("--workers", self.workers, 1)
        _check_network(self.rate, self.timeout)


@dataclass(frozen=True)
class CiteConfig:
    """`hits` as they were typed; without any, the proposals of an index, else all that was fetched."""

    hits: tuple[str, ...] = ()
    index: str | None = None


def _check_network(rate: float, timeout: float) -> None:
    if not 0 <= rate < float("inf"):
        raise UsageError(f"--rate {rate:g} is not a number of requests a second", "give 10, or 0 for no limit")
    if not 0 < timeout < float("inf"):
        raise UsageError(f"--timeout {timeout:g} is not a number of seconds", "give for example 60")


def _at_least(option: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise UsageError(f"{option} {value} is too small", f"give at least {least}")


def _within(option: str, value: float | None, what: str, holds: Callable[[float], bool]) -> None:
    if value is not None and not holds(value):
        raise UsageError(f"{option} {value} is out of range", f"give a number {what}")


def _one_of(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise UsageError(f"{option} {value!r}", f"choose {' or '.join(choices)}")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
