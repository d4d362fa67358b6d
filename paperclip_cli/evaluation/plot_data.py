"""The data of `evaluate`'s figures: numbers and pictures, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paperclip_cli.evaluation import retrieval
from paperclip_cli.evaluation.bootstrap import Shares
from paperclip_cli.evaluation.table import Contestant

_MOST_STEPS = 200  # of a curve
_MOST_PAIRS = 4_000_000  # of images with other images' captions, about


@dataclass(frozen=True)
class TrainingLog:
    """The lines of a model's `metrics.jsonl`.

    `has_paper_loss`: its loss was measured with the scale of the paper's code.
    """

    name: str
    lines: list[dict]
    has_paper_loss: bool


@dataclass(frozen=True)
class Similarities:
    """Cosines of images with their own caption, float64 [N], and with all others, flat float32."""

    name: str
    true: np.ndarray
    shuffled: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Retrieval accuracy against the fraction of candidates retrieved: float64 [K] each.

    `low` and `high` bound its 95 % interval.
    """

    name: str
    role: str
    protocol: str
    direction: str
    fraction: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Picture:
    """A thumbnail uint8 [S,S(,3)], with the key and the title of its proposal."""

    pixels: np.ndarray
    key: str
    title: str


@dataclass(frozen=True)
class Gallery:
    """The best pictures for each query, and the best phrases for each picture, with cosines."""

    name: str
    by_text: list[tuple[str, list[tuple[Picture, float]]]]
    by_image: list[tuple[Picture, list[tuple[str, float]]]]


@dataclass(frozen=True)
class Figures:
    """The data of all figures that can be made: a model without a log has no training curve."""

    logs: list[TrainingLog]
    similarities: list[Similarities]
    curves: list[Curve]
    galleries: list[Gallery]


def similarities(contestant: Contestant) -> Similarities:
    """Similarities of true pairs and of all shuffled ones, for a contestant that has cosines.

    If there are more than _MOST_PAIRS shuffled pairs, only every `stride`-th image is used.
    """
    found = contestant.found
    stride = -(-len(found.images) * len(found.texts) // _MOST_PAIRS)
    some = found.rows(np.arange(0, len(found.images), stride))
    is_other = np.arange(len(some.texts)) != some.caption[:, None]
    others = (some.images @ some.texts.T)[is_other]
    return Similarities(contestant.name, retrieval.similarities(found)[0], others)


def curve(contestant: Contestant, protocol: str, direction: str) -> Curve:
    """The accuracy over all images, from the first candidate to all of them."""
    standing = retrieval.standing(contestant.found, protocol, direction)
    shares = Shares(contestant.found.proposal[standing.rows])
    most = standing.total.max()
    steps = 100 / most * np.unique(np.rint(np.geomspace(1, most, _MOST_STEPS)))
    percents = np.union1d(steps, retrieval.PERCENTS)  # the curve goes through the table's values

    found = [shares.of(standing.hits(standing.tops(percent))) for percent in percents]
    low, high = np.asarray([share.interval for share in found]).T
    return Curve(
        name=contestant.name,
        role=contestant.role,
        protocol=protocol,
        direction=direction,
        fraction=percents / 100,
        accuracy=np.asarray([share.by_item for share in found]),
        low=low,
        high=high,
    )
