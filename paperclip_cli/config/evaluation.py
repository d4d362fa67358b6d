"""Settings of `evaluate`."""

from __future__ import annotations

from dataclasses import dataclass

from paperclip_cli.config.checks import at_least, one_of
from paperclip_cli.config.choices import Direction, Ranking, Split, values_of
from paperclip_cli.config.summaries import SummarizeConfig
from paperclip_cli.errors import UsageError

UNIQUE, PAPER_FULL, PAPER_BATCH = PROTOCOLS = values_of(Ranking)
IMAGE_TO_TEXT, TEXT_TO_IMAGE = DIRECTIONS = values_of(Direction)[:2]  # the third is both


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What to measure, on which data, and how.

    `split` None is the test split, or the validation split of a dataset without one. `others` are
    further models for the same table, and `baseline` is a model to compare with. `controls` adds
    rows that retrieve without seeing what an image shows. `plots` collects the data of the figures.
    `judge` is the backend that judges the best images for the paper's queries by their abstracts.
    """

    model: str | None = None
    others: tuple[str, ...] = ()
    baseline: str | None = None
    dataset: str = "default"
    split: Split | None = None
    protocol: Ranking = "unique"
    direction: Direction = "image-to-text"
    controls: bool = False
    plots: bool = False
    batch_size: int = 32
    judge: SummarizeConfig | None = None

    def __post_init__(self) -> None:
        at_least("--batch-size", self.batch_size, 1)
        one_of("--split", self.split, Split)
        one_of("--protocol", self.protocol, Ranking)
        one_of("--direction", self.direction, Direction)
        names = [self.model, *self.others, *([self.baseline] if self.baseline else [])]
        if len(set(names)) < len(names):
            raise UsageError("a model is given twice", "give each model once")
