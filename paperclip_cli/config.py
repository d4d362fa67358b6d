"""One frozen dataclass a stage. Defaults live here, once; what must hold is checked when one is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from paperclip_cli.errors import UsageError

DEFAULT_MODEL = "openai/clip-vit-base-patch16"
PREVIEW_SIZE = 512


@dataclass(frozen=True)
class FetchConfig:
    """`size` is the longest side in pixels of what is kept; `max_images` a proposal, drawn without replacement."""

    source: Path | None = None
    simulate: int | None = None
    mission: str | None = None
    catalog: Path | None = None
    proposals: tuple[int, ...] = ()
    cycles: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    limit: int | None = None
    max_images: int = 20
    size: int = PREVIEW_SIZE
    include_color: bool = False
    keep_originals: bool = False
    seed: int = 42
    workers: int = 4
    force: bool = False

    def __post_init__(self) -> None:
        _at_least("--size", self.size, 16)
        _at_least("--max-images", self.max_images, 1)
        _at_least("--workers", self.workers, 1)
        if self.source is not None and self.simulate is not None:
            raise UsageError("--from and --simulate exclude each other", "give one of them")

    @property
    def resolved_mission(self) -> str:
        """`--mission`, else `local` for a folder, `sim` for the simulated sky, `hst` for the archive."""
        if self.mission is not None:
            return self.mission
        return "sim" if self.simulate is not None else "local" if self.source is not None else "hst"


@dataclass(frozen=True)
class SummarizeConfig:
    """`set_name` names the set of summaries; the backend's name if not given."""

    backend: str = "keywords"
    set_name: str | None = None
    missions: tuple[str, ...] = ()
    limit: int | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.backend != "keywords":
            raise UsageError(f"unknown summarizer backend {self.backend!r}", "choose keywords")

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
        if min(both) < 0 or sum(both) > 1:
            raise UsageError("--val-fraction and --test-fraction must be shares that add up to at most 1")


@dataclass(frozen=True)
class TrainConfig:
    """Fields that are None are filled from the preset of the `--init` kind by `resolve_training`."""

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
    ema_decay: float | None = None
    keep: str | None = None
    eval_every: int | None = None
    seed: int = 42
    devices: int | None = None
    resume: bool = False
    force: bool = False


@dataclass(frozen=True)
class TrainPreset:
    """What a kind of starting point trains with unless told otherwise.

    `crop` is the side of the crop as a fraction of the canvas's; `keep` is which weights become the model: `best` (validation
    loss) or `last`; `ema_decay` 0 means no averaging. `caption_tokens` includes the start and the end token; None is
    the text encoder's length.
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
    ema_decay: float
    keep: str
    eval_every: int


PAPER_PRESET = TrainPreset(steps=20_000, batch_size=32, learning_rate=1e-5, warmup_steps=2_000, weight_decay=1e-3, schedule="constant",
                           crop=0.4375, view="centre", caption_tokens=None, ema_decay=0.0, keep="best", eval_every=200)
TINY_PRESET = TrainPreset(steps=300, batch_size=64, learning_rate=1e-3, warmup_steps=50, weight_decay=0.05, schedule="cosine",
                          crop=0.875, view="centre", caption_tokens=64, ema_decay=0.98, keep="last", eval_every=50)
TRAIN_PRESETS = {"pretrained": PAPER_PRESET, "scratch:base": PAPER_PRESET, "scratch:tiny": TINY_PRESET}


def training_preset(init: str) -> TrainPreset:
    """The preset of an `--init`: `scratch:tiny`, `scratch:base`, or a folder or Hub name."""
    if init.startswith("scratch:") and init not in TRAIN_PRESETS:
        raise UsageError(f"unknown --init {init!r}", "choose scratch:tiny, scratch:base, a model folder or a Hub name")
    return TRAIN_PRESETS.get(init, TRAIN_PRESETS["pretrained"])


def resolve_training(config: TrainConfig) -> TrainConfig:
    """Fills every field that was not given from the preset. Explicit options win."""
    preset = training_preset(config.init)
    missing = {name: value for name, value in vars(preset).items() if getattr(config, name) is None}
    return replace(config, **missing)


@dataclass(frozen=True)
class EvaluateConfig:
    """`split` None means test, or validation where there is no test split."""

    model: str | None = None
    dataset: str = "default"
    split: str | None = None
    protocol: str = "unique"
    batch_size: int = 32


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


@dataclass(frozen=True)
class QueryConfig:
    """`near` is (ra, dec) in degrees and `radius` in degrees. `k` hits a query."""

    texts: tuple[str, ...] = ()
    images: tuple[Path, ...] = ()
    index: str = "default"
    k: int = 10
    min_score: float | None = None
    missions: tuple[str, ...] = ()
    proposals: tuple[int, ...] = ()
    instruments: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    cycles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    near: tuple[float, float] | None = None
    radius: float | None = None
    after: float | None = None
    before: float | None = None
    collapse: str = "target"
    rank_by: str = "semantic"

    def __post_init__(self) -> None:
        _at_least("-k", self.k, 1)


@dataclass(frozen=True)
class DescribeConfig:
    """`labels` None: the paper's 77 phrases."""

    images: tuple[str, ...] = ()
    labels: Path | None = None
    model: str | None = None
    k: int = 4

    def __post_init__(self) -> None:
        _at_least("-k", self.k, 1)


def _at_least(option: str, value: int, least: int) -> None:
    if value < least:
        raise UsageError(f"{option} {value} is too small", f"give at least {least}")
