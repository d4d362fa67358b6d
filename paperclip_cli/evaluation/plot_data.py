"""What the figures of `evaluate` show: the numbers and pictures, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paperclip_cli.evaluation import retrieval
from paperclip_cli.evaluation.bootstrap import Shares
from paperclip_cli.evaluation.table import Contestant

_MOST_STEPS = 200  # of a curve
_MOST_PAIRS = 4_000_000  # of images with captions that are not theirs, about


@dataclass(frozen=True)
class TrainingLog:
    """The lines of a model's `metrics.jsonl`. `has_paper_loss`: its loss was measured with the scale of the paper's code."""

    name: str
    lines: list[dict]
    has_paper_loss: bool


@dataclass(frozen=True)
class Similarities:
    """Cosines of images with their own caption, float64 [N], and with the others', one after the other, float32."""

    name: str
    true: np.ndarray
    shuffled: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Retrieval accuracy, with its 95 % interval, against the fraction of the candidates that is retrieved: float64 [K] each."""

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
    """A thumbnail uint8 [S,S(,3)], whose image it is, and the title of its proposal."""

    pixels: np.ndarray
    key: str
    title: str


@dataclass(frozen=True)
class Gallery:
    """What a model finds: for each query its best pictures, for each picture the phrases that match it best, all with their cosines."""

    name: str
    by_text: list[tuple[str, list[tuple[Picture, float]]]]
    by_image: list[tuple[Picture, list[tuple[str, float]]]]


@dataclass(frozen=True)
class Figures:
    """All figures. What could not be made (a model that has no log) is not in it."""

    logs: list[TrainingLog]
    similarities: list[Similarities]
    curves: list[Curve]
    galleries: list[Gallery]


def similarities(contestant: Contestant) -> Similarities:
    """Of a contestant that has cosines: all shuffles at once, of every so-manieth image where those are more than _MOST_PAIRS."""
    found = contestant.found
    stride = -(-len(found.images) * len(found.texts) // _MOST_PAIRS)
    some = found.rows(np.arange(0, len(found.images), stride))
    is_other = np.arange(len(some.texts)) != some.caption[:, None]
    return Similarities(
        contestant.name, retrieval.similarities(found)[0], (some.images @ some.texts.T)[is_other]
    )


def curve(contestant: Contestant, protocol: str, direction: str) -> Curve:
    """Over all images, from the first candidate to all of them."""
    standing = retrieval.standing(contestant.found, protocol, direction)
    shares = Shares(contestant.found.proposal[standing.rows])
    tops = np.unique(np.rint(np.geomspace(1, standing.total, _MOST_STEPS)).astype(int))
    found = [shares.of(standing.hits(top)) for top in tops]
    low, high = np.asarray([share.interval for share in found]).T
    return Curve(
        name=contestant.name,
        role=contestant.role,
        protocol=protocol,
        direction=direction,
        fraction=tops / standing.total,
        accuracy=np.asarray([share.by_item for share in found]),
        low=low,
        high=high,
    )
