"""Settings of `evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import paperclip_cli.config.readers as readers
from paperclip_cli.config.checks import at_least, each_has_a_place, one_of
from paperclip_cli.config.choices import Benchmark, Direction, Ranking, Split, values_of
from paperclip_cli.config.given import configure, given, switch
from paperclip_cli.config.search import DescribeConfig
from paperclip_cli.config.summaries import SummarizeConfig
from paperclip_cli.errors import UsageError

UNIQUE, PAPER_FULL, PAPER_BATCH = PROTOCOLS = values_of(Ranking)
IMAGE_TO_TEXT, TEXT_TO_IMAGE = DIRECTIONS = values_of(Direction)[:2]  # the third is both


def _first(models: object, option: str) -> str | None:
    return next(iter(readers.values(models, option)), None)


def _further(models: object, option: str) -> tuple[str, ...]:
    return readers.values(models, option)[1:]


def _judge(
    judge: object, backend: object, llm: object, base_url: object, max_tokens: object, option: str
) -> SummarizeConfig | None:
    """The backend that judges, or None if nothing is judged."""
    if judge is not None and switch(judge, option):
        return configure(
            SummarizeConfig, backend=backend, llm=llm, base_url=base_url, max_tokens=max_tokens
        )
    if llm or base_url or max_tokens or backend not in (None, SummarizeConfig.backend):
        raise UsageError(
            "--judge-backend, --llm, --base-url and --max-tokens need --judge", "add --judge"
        )
    return None


def _drawn(folder: object, option: str) -> bool:
    """Whether figures are drawn: their folder is the caller's matter."""
    return folder is not False


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What to measure, on which data, and how.

    `dataset` and its columns are named as for a training.

    `split` None is the test split, or the validation split of a dataset without one. `others` are
    further models for the same table, and `baseline` is a model to compare with. `controls` adds
    rows that retrieve without seeing what an image shows. `plots` collects the data of the figures.
    `judge` is the backend that judges the best images for the paper's queries by their abstracts.
    `labels` is a column of classes by which images are retrieved, of the dataset or of the table
    `labels_from`. `{}` in `templates` is replaced by the name of a class.
    """

    model: str | None = given("model", read=_first, default=None)
    others: tuple[str, ...] = given("model", read=_further, default=())
    baseline: str | None = None
    dataset: str = "default"
    image_column: str | None = None
    text_column: str | None = None
    group_column: str | None = None
    split: Split | None = None
    protocol: Ranking = "unique"
    direction: Direction = "image-to-text"
    controls: bool = False
    plots: bool = given("plots", read=_drawn, default=False, typed=None)
    batch_size: int = 32
    judge: SummarizeConfig | None = given(
        *("judge", "judge_backend", "llm", "base_url", "max_tokens"),
        read=_judge,
        default=None,
        typed=False,
        judge_backend=SummarizeConfig.backend,
    )
    labels: str | None = None
    labels_from: Path | None = None
    templates: tuple[str, ...] = given("template", default=DescribeConfig.templates)

    def __post_init__(self) -> None:
        at_least("--batch-size", self.batch_size, 1)
        one_of("--split", self.split, Split)
        one_of("--protocol", self.protocol, Ranking)
        one_of("--direction", self.direction, Direction)
        each_has_a_place(self.templates)
        self._check_labels()
        _each_once(self.model, self.others, self.baseline)

    def _check_labels(self) -> None:
        if self.labels is None and self.labels_from is not None:
            raise UsageError(
                f"--labels-from {self.labels_from} without a column", "give it with --labels"
            )
        if self.labels is None and self.templates != EvaluateConfig.templates:
            raise UsageError("--template is for the names of classes", "add --labels COLUMN")
        if self.labels is not None and self.protocol == PAPER_BATCH:
            raise UsageError(
                f"--labels does not go with --protocol {PAPER_BATCH}, which has no classes",
                f"choose {UNIQUE} or {PAPER_FULL}",
            )


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Which benchmark of others to measure models on: its name, and the folder of its files."""

    kind: Benchmark
    folder: Path
    model: str | None = given("model", read=_first, default=None)
    others: tuple[str, ...] = given("model", read=_further, default=())
    baseline: str | None = None
    batch_size: int = EvaluateConfig.batch_size

    def __post_init__(self) -> None:
        one_of("--benchmark", self.kind, Benchmark)
        at_least("--batch-size", self.batch_size, 1)
        _each_once(self.model, self.others, self.baseline)


def _each_once(model: str | None, others: tuple[str, ...], baseline: str | None) -> None:
    names = [model, *others, *([baseline] if baseline else [])]
    if len(set(names)) < len(names):
        raise UsageError("a model is given twice", "give each model once")
