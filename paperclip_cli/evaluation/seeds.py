"""Several seeds of one model: the mean and the spread of every figure.

Models are seeds of one model if their cards agree in everything but the seed: settings, base, and
the proposals of all splits. (The step that was kept follows from the seed.)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from paperclip_cli.evaluation.class_table import ByClass, ClassResult
from paperclip_cli.evaluation.classes import TOP
from paperclip_cli.evaluation.table import Result

_OF_THE_SEED = ("seed", "kept_step")


class Spread(NamedTuple):
    """The mean over seeds, the sample's standard deviation (n - 1), and the extremes."""

    mean: float
    deviation: float
    lowest: float
    highest: float


class SeedResult(NamedTuple):
    """The figures of the models `names`, which are seeds of one model, on a subset.

    `task` is a direction of retrieval, or `by class (column)`.
    """

    names: tuple[str, ...]
    task: str
    subset: str
    figures: dict[str, Spread]


def same_model(names: Sequence[str], cards: Sequence[Mapping]) -> list[tuple[str, ...]]:
    """The names of the models that differ in the seed alone, for each model with several seeds."""
    found: dict[str, dict[object, str]] = {}
    for name, card in zip(names, cards, strict=True):
        training = card.get("training", {})
        if "seed" in training:
            rest = {key: value for key, value in training.items() if key not in _OF_THE_SEED}
            recipe = json.dumps({**card, "training": rest}, sort_keys=True)
            found.setdefault(recipe, {}).setdefault(training["seed"], name)
    return [tuple(seeds.values()) for seeds in found.values() if len(seeds) > 1]


def over_seeds(
    groups: Iterable[tuple[str, ...]], rows: Sequence[Result], classes: ByClass | None
) -> list[SeedResult]:
    """The spread of all figures of each group of models, on every task and subset."""
    figures = [(row.direction, row.subset, row.name, _figures(row)) for row in rows]
    if classes:
        task = f"by class ({classes.column})"
        figures += [(task, row.subset, row.name, _class_figures(row)) for row in classes.rows]
    where = dict.fromkeys((task, subset) for task, subset, *_ in figures)
    return [
        SeedResult(names, task, subset, _spreads(found))
        for names in groups
        for task, subset in where
        if len(
            found := [one for *at, name, one in figures if at == [task, subset] and name in names]
        )
        == len(names)
    ]


def spread(values: Sequence[float]) -> Spread:
    """The spread of the values of at least two seeds."""
    some = np.asarray(values, np.float64)
    return Spread(float(some.mean()), float(some.std(ddof=1)), float(some.min()), float(some.max()))


def _spreads(found: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """The spread of the figures that all models have."""
    names = [name for name in found[0] if all(name in one for one in found)]
    return {name: spread([one[name] for one in found]) for name in names}


def _figures(row: Result) -> dict[str, float]:
    """The figures of a row by name; those that are not known are left out."""
    accuracy = {f"retrieval_accuracy_{k}": value for k, value in row.accuracy.by_image.items()}
    cosines = dict(
        zip(("similarity_true", "similarity_shuffled"), row.similarity or (), strict=False)
    )
    found = {**accuracy, **row.ranks.named(), "loss": row.loss, **cosines}
    return {name: value for name, value in found.items() if value is not None}


def _class_figures(row: ClassResult) -> dict[str, float]:
    found = {
        f"precision_at_{TOP}": row.precision,
        "mean_average_precision": row.average,
        "zero_shot_accuracy": row.zero_shot,
    }
    return {name: one.value for name, one in found.items() if one is not None}
