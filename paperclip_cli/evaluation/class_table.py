"""The rows of retrieval by class: the models, and the images that have a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.evaluation import classes
from paperclip_cli.evaluation.classes import Measured
from paperclip_cli.evaluation.retrieval import number
from paperclip_cli.evaluation.table import ALL, UNSEEN, Contestant
from paperclip_cli.wording import counted


class Labelled(NamedTuple):
    """The images that have a class: their `rows` int [n], and the class of each, `label` int [n].

    `names` are those of the C classes. `unlabelled` counts the images without one.
    """

    column: str
    names: list[str]
    rows: np.ndarray
    label: np.ndarray
    unlabelled: int

    @property
    def phrases(self) -> list[str]:
        """The names as a text would have them."""
        return [name.replace("_", " ") for name in self.names]


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """The results of a model on all images with a class, or on the unseen ones among the same.

    `alone` counts the images whose class no candidate has; retrieval leaves them out. `precision`
    is that of the first ten, `average` the mean average precision; None where all are alone.
    `zero_shot` is accuracy by the names of the classes, whose chance is 1 / classes.
    `majority` is the share of the most frequent class, for which one could always guess.
    """

    name: str
    role: str
    subset: str
    n_images: int
    alone: int
    precision: Measured | None
    average: Measured | None
    zero_shot: Measured
    majority: float


@dataclass(frozen=True)
class ByClass:
    """Retrieval by the classes of a column.

    `sizes` are the images of each class, most frequent first, and `unlabelled` those without one.
    """

    column: str
    sizes: dict[str, int]
    unlabelled: int
    rows: tuple[ClassResult, ...]

    def notes(self) -> list[str]:
        """What a reader should know of the classes."""
        labelled = sum(self.sizes.values())
        alone = self.rows[0].alone
        said = [f"{counted(labelled, 'images')} in {len(self.sizes):,} classes by {self.column}"]
        if self.unlabelled:
            said.append(f"{counted(self.unlabelled, 'images')} without a class")
        if alone:
            said.append(f"{counted(alone, 'images')} with no other of the same class to find")
        return ["; ".join(said)]


def labelled(column: str, labels: Sequence[str | None]) -> Labelled:
    """The images that have a class, from the classes of all.

    Raises:
        PaperclipError: there are fewer than two classes.
    """
    rows = np.asarray([place for place, label in enumerate(labels) if label], np.int64)
    names, label = number([labels[place] for place in rows])
    if len(names) < 2:
        what = f"only the class {names[0]!r}" if names else "no class"
        raise PaperclipError(
            f"the images that are measured have {what} by {column!r} (--labels)",
            "choose another column or split",
        )
    return Labelled(column, names, rows, label, len(labels) - len(rows))


def by_class(
    contestants: Sequence[Contestant],
    data: Labelled,
    texts: Sequence[np.ndarray],
    unseen: np.ndarray,
    strict: bool,
) -> ByClass:
    """Measures the models, which are the first contestants.

    `texts` are each model's embeddings of the names of the classes, float32 [C,D]. `unseen` bool
    [N] is of all images.
    """
    found = [
        result
        for contestant, names in zip(contestants, texts, strict=False)
        for result in _results(contestant, data, names, unseen[data.rows], strict)
    ]
    sizes = np.bincount(data.label)
    order = np.argsort(-sizes, kind="stable")
    named = {data.names[place]: int(sizes[place]) for place in order}
    return ByClass(data.column, named, data.unlabelled, tuple(found))


def _results(
    contestant: Contestant, data: Labelled, texts: np.ndarray, unseen: np.ndarray, strict: bool
) -> list[ClassResult]:
    """One result on all images, and one on any unseen ones among the same candidates."""
    label, embeddings = data.label, contestant.found.rows(data.rows)
    images, proposal = embeddings.images, embeddings.proposal
    found = classes.by_image(images, label, proposal, strict)
    right = classes.zero_shot(images, texts, label)
    results = []
    for subset, chosen in ((ALL, np.ones_like(unseen)), (UNSEEN, unseen)):
        if not chosen.any():
            continue
        keep = chosen[found.rows]
        own = found.rows[keep]
        precision = average = None
        if len(own):
            where = label[own], proposal[own]
            precision = classes.measured(
                found.precision[keep], *where, float(found.base[keep].mean())
            )
            average = classes.measured(
                found.average[keep], *where, float(found.average_chance[keep].mean())
            )
        results.append(
            ClassResult(
                name=contestant.name,
                role=contestant.role,
                subset=subset,
                n_images=int(np.count_nonzero(chosen)),
                alone=int(np.count_nonzero(chosen)) - len(own),
                precision=precision,
                average=average,
                zero_shot=classes.measured(
                    right[chosen], label[chosen], proposal[chosen], 1 / len(texts)
                ),
                majority=float(np.bincount(label[chosen]).max() / np.count_nonzero(chosen)),
            )
        )
    return results
