"""The options of each stage as keyword arguments: their names and the types they may have.

They are those of the command, whose `--help` explains them. The defaults are in `config/`. None is
an option that is not given.
"""

import datetime
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypedDict

from paperclip_cli.config import choices
from paperclip_cli.config.search import QueryImage


class Quantity(Protocol):
    """What can be converted to degrees, as astropy's Quantity and Angle."""

    def to_value(self, unit: Any, /) -> Any: ...


class Instant(Protocol):
    """What has a Modified Julian Date, as astropy's Time."""

    @property
    def mjd(self) -> Any: ...


class Direction(Protocol):
    """What can be converted to ICRS, as astropy's SkyCoord."""

    @property
    def icrs(self) -> Any: ...


PathLike: TypeAlias = str | os.PathLike[str]
Texts: TypeAlias = str | Iterable[str]  # one or several, or several with commas between them
Numbers: TypeAlias = int | str | Iterable[int | str]  # 25, "25-26,28" or [25, 26, 28]
Angle: TypeAlias = str | Quantity  # "2arcmin"
Date: TypeAlias = str | datetime.date | float | Instant  # "2015-03-20", or an MJD
Place: TypeAlias = str | tuple[float, float] | Direction  # "M 51", or (ra, dec) in degrees
Hdu: TypeAlias = int | str
Paths: TypeAlias = PathLike | Iterable[PathLike]
Image: TypeAlias = PathLike | QueryImage  # a file, an array, or an image of Pillow


class FetchOptions(TypedDict, total=False):
    """Options of `fetch`. `source` is `--from`, which is a word of the language."""

    source: PathLike | None
    simulate: int | None
    all: bool
    mission: str | None
    catalog: PathLike | None
    proposal: Numbers | None
    cycle: Numbers | None
    instrument: Texts | None
    near: Place | None
    radius: Angle
    after: Date | None
    before: Date | None
    limit: int | None
    max_images: int
    size: int
    include_color: bool
    include_calibration: bool
    include_proprietary: bool
    keep_originals: bool
    seed: int
    workers: int
    force: bool
    retry_failed: bool
    verify: bool
    dry_run: bool
    rate: float
    timeout: float
    shard: str | tuple[int, int] | None
    refresh: bool


class SummarizeOptions(TypedDict, total=False):
    """Options of `summarize`."""

    backend: choices.Backend
    set: str | None
    mission: Texts | None
    limit: int | None
    llm: PathLike | None
    base_url: str | None
    prompt: PathLike | None
    tries: int
    temperature: float
    seed: int
    context: int | None
    max_tokens: int | None
    workers: int
    batch_size: int
    threads: int | None
    timeout: float
    retry_failed: bool
    force: bool


class SetOptions(TypedDict, total=False):
    """Options of `summarize --export` and `--import`: which summaries."""

    set: str | None
    mission: Texts | None


class BuildDatasetOptions(TypedDict, total=False):
    """Options of `build-dataset`."""

    captions: choices.Captions
    summaries: str | None
    mission: Texts | None
    val_fraction: float
    test_fraction: float
    seed: int
    name: str
    out: PathLike | None
    force: bool


class TrainOptions(TypedDict, total=False):
    """Options of `train`. `cache_images` is `--cache`; `cache` is the cache directory."""

    init: PathLike
    dataset: PathLike
    image_column: str | None
    text_column: str | None
    group_column: str | None
    name: str
    recipe: choices.RecipeName | None
    train: choices.Mode | None
    loss: choices.Loss | None
    logit_scale: choices.LogitScale | None
    multi_positive: bool
    unique_proposals: bool
    shuffle_pairs: bool
    head_views: int | None
    steps: int | None
    batch_size: int | None
    learning_rate: float | None
    warmup_steps: int | None
    weight_decay: float | None
    schedule: choices.Schedule | None
    crop: float | None
    view: choices.ViewKind | None
    caption_tokens: int | None
    caption_runs: choices.CaptionRuns | None
    ema_decay: float | None
    optimiser: choices.Optimiser | None
    keep: choices.Keep | None
    best_by: choices.BestBy | None
    eval_every: int | None
    log_every: int
    seed: int
    dtype: choices.Dtype
    cache_images: choices.Cache
    accumulate: int
    remat: bool
    devices: int | None
    resume: bool
    force: bool


class EvaluateOptions(TypedDict, total=False):
    """Options of `evaluate`. `plots` is the folder that figures are drawn into."""

    model: PathLike | Iterable[PathLike] | None
    baseline: PathLike | None
    dataset: PathLike
    image_column: str | None
    text_column: str | None
    group_column: str | None
    split: choices.Split | None
    protocol: choices.Ranking
    direction: choices.Direction
    controls: bool
    plots: PathLike | None
    batch_size: int
    judge: bool
    judge_backend: choices.Backend
    llm: PathLike | None
    base_url: str | None
    max_tokens: int | None
    labels: str | None
    labels_from: PathLike | None
    template: Texts


class BenchmarkOptions(TypedDict, total=False):
    """Options of `evaluate --benchmark`."""

    model: PathLike | Iterable[PathLike] | None
    baseline: PathLike | None
    batch_size: int


class IndexOptions(TypedDict, total=False):
    """Options of `index`. `index` is the name of the index."""

    model: PathLike | None
    index: str
    mission: Texts | None
    batch_size: int
    view: choices.IndexView | None
    hdu: Hdu | None
    stretch: choices.Stretch | None
    hnsw: bool
    shard: str | tuple[int, int] | None
    force: bool


class BundleOptions(TypedDict, total=False):
    """Options of `index --import`. `index` is the name of the new index."""

    index: str
    model: PathLike | None
    force: bool


class DescribeOptions(TypedDict, total=False):
    """Options of `describe`."""

    labels: PathLike | None
    model: PathLike | None
    k: int
    batch: bool
    template: Texts
    hdu: Hdu | None
    stretch: choices.Stretch


class GetOptions(TypedDict, total=False):
    """Options of `get`."""

    out: Path | str
    workers: int
    rate: float
    timeout: float
    dry_run: bool


class QueryOptions(TypedDict, total=False):
    """Options of `query` that say what to find beside the text, and how many hits."""

    image: Image | Sequence[Image] | None
    minus: str | Sequence[str]
    weight: float | Sequence[float]
    k: int
    min_score: float | None
    max_chance: float | None
    mission: Texts | None
    proposal: Numbers | None
    instrument: Texts | None
    filter: Texts | None
    cycle: Numbers | None
    target: Texts | None
    near: Place | None
    frame: choices.Frame
    radius: Angle
    region: PathLike | None
    centre_only: bool
    moving: bool
    after: Date | None
    before: Date | None
    collapse: choices.Collapse
    rank_by: choices.RankBy


class PublishOptions(TypedDict, total=False):
    """Options of `publish`."""

    licence: str | None
    message: str | None
    private: bool
    dry_run: bool


class PullOptions(TypedDict, total=False):
    """Options of `pull`. `name` is the name in the cache."""

    name: str | None
    kind: choices.Artefact | None
    force: bool
    dry_run: bool
