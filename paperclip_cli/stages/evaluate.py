"""Measures how well models retrieve texts by images, and images by texts.

The pairs are held out from training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from paperclip_cli.config import EvaluateConfig
from paperclip_cli.config.evaluation import DIRECTIONS, PAPER_BATCH, PAPER_FULL
from paperclip_cli.dataset.classes import of_column, of_table
from paperclip_cli.dataset.columns import Wanted
from paperclip_cli.dataset.imported import open_dataset
from paperclip_cli.dataset.pairs import Pair, available_splits, count_rows, read_split
from paperclip_cli.dataset.split import TEST, TRAIN, VALIDATION
from paperclip_cli.errors import PaperclipError
from paperclip_cli.evaluation import controls, retrieval
from paperclip_cli.evaluation.class_table import ByClass, Labelled, by_class, labelled
from paperclip_cli.evaluation.embed_split import embed_pairs, look_through
from paperclip_cli.evaluation.gallery import gallery
from paperclip_cli.evaluation.held_out import uncut
from paperclip_cli.evaluation.judging import judge_best_images
from paperclip_cli.evaluation.plot_data import Figures, TrainingLog, curve, similarities
from paperclip_cli.evaluation.relevance import Judgement
from paperclip_cli.evaluation.retrieval import Embeddings
from paperclip_cli.evaluation.seeds import SeedResult, over_seeds, same_model
from paperclip_cli.evaluation.table import (
    BASELINE,
    CONTROL,
    MODEL,
    Contestant,
    Result,
    Seen,
    results,
)
from paperclip_cli.files import expanded
from paperclip_cli.images import alternative_views
from paperclip_cli.images.alternative_views import Look
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Failure, Report
from paperclip_cli.summaries.llm.open import open_judge
from paperclip_cli.text.words import spaced, stems
from paperclip_cli.towers.folder import ModelFolder, resolve
from paperclip_cli.towers.prompts import embed_phrases
from paperclip_cli.training.metrics import read_metrics
from paperclip_cli.wording import counted
from paperclip_cli.workspace import Workspace

STAGE = "evaluate"
METRICS = "metrics.jsonl"  # in the folder of a model
MAX_SCALE = 100.0
_SEED = 0  # of the crops and captions of `paper-batch`


@dataclass(frozen=True)
class HeldOutPairs:
    """The data to measure on: some splits of a dataset, and their pairs without the images."""

    dataset: Path
    splits: tuple[str, ...]
    pairs: list[Pair]

    @property
    def has_training(self) -> bool:
        """Whether there is a training split that is not among the measured ones."""
        return TRAIN in available_splits(self.dataset) and TRAIN not in self.splits

    def embed(
        self, model: ModelFolder, config: EvaluateConfig, progress: Progress, look: Look
    ) -> Embeddings:
        runs = _SEED if config.protocol == PAPER_BATCH else None
        return embed_pairs(
            model, self.dataset, self.splits, self.pairs, config.batch_size, progress, look, runs
        )


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The table and the splits it was measured on.

    The first row is that of the first model on all images. `classes` is retrieval by class.
    `seeds` are means and spreads over models that differ in the seed alone.
    """

    rows: tuple[Result, ...]
    splits: tuple[str, ...]
    report: Report
    figures: Figures | None = None
    judgement: Judgement | None = None
    classes: ByClass | None = None
    seeds: tuple[SeedResult, ...] = ()

    @property
    def result(self) -> Result:
        return self.rows[0]


def run(
    config: EvaluateConfig, workspace: Workspace, progress: Progress | None = None
) -> Evaluation:
    """Embeds the splits with the models, and measures retrieval.

    Raises:
        MissingStage: there is no dataset.
        PaperclipError: there is no such model or split.
    """
    progress = progress or SilentProgress()
    judge = open_judge(config.judge, workspace, progress.note) if config.judge else None
    columns = Wanted(config.image_column, config.text_column, config.group_column)
    opened = open_dataset(config.dataset, columns, workspace, progress)
    dataset = opened.folder
    splits = _splits(config.split, dataset)
    models = [(MODEL, resolve(name, workspace)) for name in (config.model, *config.others)]
    models += [(BASELINE, resolve(config.baseline, workspace))] if config.baseline else []

    pairs = [pair for split in splits for pair in read_split(dataset, split, images=False)]
    labelled = _labelled(config, dataset, splits, pairs) if config.labels else None
    seen = Seen(pairs)
    measured = HeldOutPairs(dataset, splits, pairs)
    contestants = [_contestant(role, model, config, measured, progress) for role, model in models]
    if config.controls:
        contestants += _controls(contestants[0], models[0][1], config, measured, progress)
    directions = [direction for direction in DIRECTIONS if config.direction in (direction, "both")]
    rows = [
        row
        for contestant in contestants
        for row in results(contestant, seen, config.protocol, directions)
    ]

    counts = {
        "images": rows[0].n_images,
        "captions": rows[0].n_captions,
        "proposals": rows[0].n_proposals,
    }
    notes = [
        f"on the {' and the '.join(splits)} split of {dataset}",
        str(seen),
        *_warnings(contestants),
    ]
    if config.controls and not measured.has_training:
        notes.append(
            "no controls by instrument and by image statistics: "
            "they need a training split that is not measured"
        )

    found = [model for _, model in models]
    figures = _figures(contestants, found, config, measured, directions) if config.plots else None
    classes = labelled and by_class(
        contestants,
        labelled,
        [embed_phrases(labelled.phrases, config.templates, model, workspace) for model in found],
        seen.unseen,
        strict=config.protocol == PAPER_FULL,
    )
    notes += classes.notes() if classes else []
    alike = same_model(
        [model.name for role, model in models if role == MODEL],
        [model.card for role, model in models if role == MODEL],
    )
    judgement: Judgement | None = None
    failures: tuple[Failure, ...] = ()
    if judge:
        judgement, failures = judge_best_images(
            contestants, found, pairs, judge, workspace, progress
        )
    return Evaluation(
        rows=tuple(rows),
        splits=splits,
        report=opened.onto(
            Report(stage=STAGE, counts=counts, failures=failures, notes=tuple(notes))
        ),
        figures=figures,
        judgement=judgement,
        classes=classes,
        seeds=tuple(over_seeds(alike, rows, classes)),
    )


def _splits(wanted: str | None, dataset: Path) -> tuple[str, ...]:
    """The splits to measure: those given, else test, else validation."""
    present = available_splits(dataset)
    if wanted == "all":
        return tuple(present)
    chosen = wanted or next((split for split in (TEST, VALIDATION) if split in present), None)
    if chosen is None:
        raise PaperclipError(
            f"the dataset {dataset} has only a training split",
            "build one with --test-fraction, or give --split all",
        )
    if chosen not in present:
        raise PaperclipError(
            f"the dataset {dataset} has no {chosen} split", f"it has {' and '.join(present)}"
        )
    return (chosen,)


def _labelled(
    config: EvaluateConfig, dataset: Path, splits: Sequence[str], pairs: Sequence[Pair]
) -> Labelled:
    """The classes of the pairs, from a column of the dataset or of the user's table."""
    column = str(config.labels)
    if config.labels_from is None:
        return labelled(column, of_column(dataset, splits, column))
    return labelled(column, of_table(expanded(config.labels_from), column, pairs))


def _contestant(
    role: str,
    model: ModelFolder,
    config: EvaluateConfig,
    measured: HeldOutPairs,
    progress: Progress,
) -> Contestant:
    trained = set(model.card.get("data", {}).get("splits", {}).get(TRAIN, ()))
    # `paper-batch` augments images and captions as training does.
    is_augmented = config.protocol == PAPER_BATCH
    look = alternative_views.augmented if is_augmented else alternative_views.centre
    found = measured.embed(model, config, progress, look)
    trained_on = np.asarray([str(pair.key) in trained for pair in measured.pairs], bool)
    return Contestant(
        name=model.name,
        role=role,
        found=found,
        trained_on=trained_on,
        scale=_scale(model),
        has_paper_loss=_has_raw_scale(model),
    )


def _controls(
    first: Contestant,
    model: ModelFolder,
    config: EvaluateConfig,
    measured: HeldOutPairs,
    progress: Progress,
) -> list[Contestant]:
    """The first model on outlines and on shuffled pairs, then controls that need no model."""
    pairs, split = measured.pairs, uncut(measured.pairs)
    headers = [stems(_header(pair)) for pair in pairs]
    header = controls.by_header(split, headers, [stems(text) for text in split.texts])
    outlines = measured.embed(model, config, progress, alternative_views.outline)
    made = [
        replace(first, name="outline only", role=CONTROL, found=outlines),
        replace(first, name="shuffled pairs", role=CONTROL, found=retrieval.shuffled(first.found)),
        _control("header (BM25)", header),
    ]
    if not measured.has_training:
        return made

    training = read_split(measured.dataset, TRAIN, images=False)
    known = [pair.caption for pair in training]
    groups, known_groups = ([_instrument(pair) for pair in some] for some in (pairs, training))
    statistics = _statistics(measured.dataset, measured.splits, progress)
    known_statistics = _statistics(measured.dataset, (TRAIN,), progress)
    instrument = controls.by_group(split, groups, known, known_groups)
    neighbours = controls.by_neighbours(split, statistics, known, known_statistics)
    return [
        *made,
        _control("instrument only", instrument),
        _control("image statistics", neighbours),
    ]


def _control(name: str, found: Embeddings) -> Contestant:
    return Contestant(
        name=name,
        role=CONTROL,
        found=found,
        trained_on=np.zeros(len(found.images), bool),
        has_cosines=False,
    )


def _header(pair: Pair) -> str:
    seen = pair.observation
    words = spaced(seen.target or ""), seen.instrument, seen.detector, *seen.filters
    return " ".join(filter(None, words))


def _instrument(pair: Pair) -> tuple[str | None, ...]:
    return pair.key.mission, pair.observation.instrument, pair.observation.detector


def _statistics(dataset: Path, splits: Sequence[str], progress: Progress) -> np.ndarray:
    """The `controls.statistics` of every image of some splits: float64 [n, 7]."""
    total = sum(count_rows(dataset, split) for split in splits)

    def look(canvas: np.ndarray, _: int) -> np.ndarray:
        return controls.statistics(controls.without_padding(canvas))

    found = []
    with progress.task("image statistics", total, "images") as task:
        for some in look_through(dataset, splits, look):
            found.append(some)
            task.advance(len(some))
    return np.concatenate(found)


def _figures(
    contestants: Sequence[Contestant],
    models: Sequence[ModelFolder],
    config: EvaluateConfig,
    measured: HeldOutPairs,
    directions: Sequence[str],
) -> Figures:
    """The data of the figures, with a gallery of the first model and one of the baseline.

    The first contestants are the models; controls follow them.
    """
    both = list(zip(contestants, models, strict=False))
    logs = [
        TrainingLog(model.name, read_metrics(model.path / METRICS), contestant.has_paper_loss)
        for contestant, model in both
        if (model.path / METRICS).is_file()
    ]
    curves = [
        curve(contestant, config.protocol, direction)
        for direction in directions
        for contestant in contestants
    ]
    shown = both[:1] + [pair for pair in both[1:] if pair[0].role == BASELINE]
    galleries = [
        gallery(model, contestant.found.images, measured.dataset, measured.splits, measured.pairs)
        for contestant, model in shown
    ]
    return Figures(logs, [similarities(contestant) for contestant, _ in both], curves, galleries)


def _scale(model: ModelFolder) -> float:
    """The factor that the model applies to similarities (`training.losses.similarity_scale`)."""
    scale = float(model.tensors().read("logit_scale", ()))
    return scale if _has_raw_scale(model) else min(math.exp(scale), MAX_SCALE)


def _has_raw_scale(model: ModelFolder) -> bool:
    """Whether similarities are multiplied by the parameter itself, as in the paper's code."""
    return model.card.get("training", {}).get("logit_scale") == "reference"


def _warnings(contestants: Sequence[Contestant]) -> list[str]:
    counts = [
        (contestant.name, int(np.count_nonzero(contestant.trained_on)), len(contestant.trained_on))
        for contestant in contestants
    ]
    return [
        f"{name} was trained on the proposals of {trained:,} of {counted(total, 'images')}"
        for name, trained, total in counts
        if trained
    ]
