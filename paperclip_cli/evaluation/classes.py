"""Retrieval by class: image to image, and zero-shot by the names of the classes.

For an image, the other images of its class are right, and the rest is wrong. With R right answers
among n candidates, and `precision(i)` the share of right ones among the first i:

    average precision = 1/R * sum over the places i of right answers of precision(i)

Candidates that are equally similar are in arbitrary order: each measure is its mean over all orders
(McSherry & Najork 2008, ECIR), so that embeddings which tell nothing apart are at chance. A
similarity that is no number is less than all others.

Shapes: N images, C classes, D embedding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from paperclip_cli.evaluation.bootstrap import Shares

TOP = 10
_DIGITS = 10  # equal vectors have equal similarities, whatever the order of a sum
_CELLS = 2**21  # similarities at a time


class Found(NamedTuple):
    """How images find the others of their class: the rows int [n] that have any, float64 [n] each.

    `precision` is that of the first TOP, `average` the average precision. `base` and
    `average_chance` are their means over all orders of the candidates.
    """

    rows: np.ndarray
    precision: np.ndarray
    average: np.ndarray
    base: np.ndarray
    average_chance: np.ndarray


class Measured(NamedTuple):
    """A mean over images, one over classes, and a 95 % interval of the first by proposal.

    `chance` is the first for random embeddings.
    """

    value: float
    by_class: float
    interval: tuple[float, float]
    chance: float


def by_image(images: np.ndarray, label: np.ndarray, proposal: np.ndarray, strict: bool) -> Found:
    """Retrieval of images by images, from embeddings [N,D], classes and proposals int [N].

    Candidates are the images of other proposals: another image of the same object is no evidence.
    With `strict`, as in the paper's protocols, they are all other images.
    """
    parts: list[tuple[np.ndarray, ...]] = []
    for rows in _blocks(len(images)):
        apart = np.arange(len(images)) if strict else proposal
        may_be = apart[rows][:, None] != apart
        scores = similarities(images[rows], images)
        parts.append((rows, *_ranked(scores, label[rows][:, None] == label, may_be)))
    rows, right, total, precision, average = map(np.concatenate, zip(*parts, strict=True))
    some = right > 0
    right, total = right[some], total[some]
    return Found(
        rows[some], precision[some], average[some], right / total, _average_chance(right, total)
    )


def zero_shot(images: np.ndarray, classes: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The chance that the class [C,D] which is most similar to an image is its own: float64 [N]."""
    scores = similarities(images, classes)
    best = scores == scores.max(axis=1, keepdims=True)
    return best[np.arange(len(label)), label] / best.sum(axis=1)


def measured(
    values: np.ndarray, label: np.ndarray, proposal: np.ndarray, chance: float
) -> Measured:
    """The means of the `values` [n] of images, with their classes and proposals, int [n]."""
    share = Shares(proposal).of(values)
    return Measured(share.by_item, Shares(label).of(values).by_group, share.interval, chance)


def similarities(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Dot products of [n,D] and [m,D], float64 [n,m]; - inf where they are no numbers."""
    products = np.round(queries.astype(np.float64) @ candidates.astype(np.float64).T, _DIGITS)
    return np.where(np.isnan(products), -np.inf, products)


def _ranked(scores: np.ndarray, is_right: np.ndarray, may_be: np.ndarray) -> tuple[np.ndarray, ...]:
    """The numbers of right candidates and of all, precision and average precision: [n] each."""
    # Those that are no candidates come last, behind similarities that are no numbers.
    far = np.where(may_be, np.minimum(-scores, np.finfo(np.float64).max), np.inf)
    order = np.argsort(far, axis=1, kind="stable")
    far = np.take_along_axis(far, order, axis=1)
    hit = np.take_along_axis(is_right & may_be, order, axis=1)

    width = far.shape[1]
    place = np.arange(width)
    starts = np.ones(far.shape, bool)
    starts[:, 1:] = far[:, 1:] != far[:, :-1]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    ends = np.concatenate([starts[:, 1:], np.ones((len(far), 1), bool)], axis=1)
    behind = np.where(ends, place + 1, width)
    last = np.minimum.accumulate(behind[:, ::-1], axis=1)[:, ::-1]

    before = np.concatenate([np.zeros((len(far), 1), np.int64), hit.cumsum(axis=1)], axis=1)
    ahead = np.take_along_axis(before, first, axis=1)  # right ones before a group of ties
    inside = np.take_along_axis(before, last, axis=1) - ahead
    size = last - first
    is_hit = inside / size  # the chance that a right one stands at a place
    others = (place - first) * (inside - 1) / np.maximum(size - 1, 1)
    precision = (ahead + 1 + others) / (place + 1)

    right, total = before[:, -1], may_be.sum(axis=1)
    top = np.minimum(TOP, total)
    in_top = np.where(place < top[:, None], is_hit, 0).sum(axis=1) / np.maximum(top, 1)
    return right, total, in_top, (is_hit * precision).sum(axis=1) / np.maximum(right, 1)


def _average_chance(right: np.ndarray, total: np.ndarray) -> np.ndarray:
    """The average precision of a random order: float64 [n].

    A right answer at place i has (i - 1) (R - 1) / (n - 1) others before it, on average.
    """
    sums = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, total.max(initial=0) + 1))])
    first = sums[total] / total
    return first + (1 - first) * (right - 1) / np.maximum(total - 1, 1)


def _blocks(count: int) -> Iterator[np.ndarray]:
    size = max(1, _CELLS // count)
    return (np.arange(count)[first : first + size] for first in range(0, count, size))
