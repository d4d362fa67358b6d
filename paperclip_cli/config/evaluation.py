"""Evaluate."""

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
    """`split` None means test, or validation where there is no test split. `others` are more models for the same table, `baseline` one to
    compare with. `controls`: what retrieves without looking at what a picture shows, in the same table. `plots`: gather what
    figures show. `judge`: what judges the best images of the paper's queries by their abstracts."""

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
            raise UsageError("a model is named twice", "name each model once")
