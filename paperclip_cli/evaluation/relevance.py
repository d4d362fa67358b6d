"""Relevance of the best images of some queries: the share that a judge calls relevant.

The judge reads the abstracts of the images' proposals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from paperclip_cli.evaluation.bootstrap import Shares

TOP = 10  # images judged for each query


@dataclass(frozen=True)
class Ranking:
    """A contestant's best images for each query: int [Q,TOP], best first."""

    name: str
    role: str
    images: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Relevance:
    """The share of relevant images for each query and overall, with a 95 % interval by query.

    A share is None where no image could be judged.
    """

    name: str
    role: str
    by_query: dict[str, float | None]
    share: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Judgement:
    """A judge's verdict on every contestant; `backend` and `model` name the judge."""

    backend: str
    model: str
    rows: tuple[Relevance, ...]


def best_images(name: str, role: str, scores: np.ndarray) -> Ranking:
    """The ranking by scores, float [Q,N]; images with equal scores keep their order."""
    return Ranking(name, role, np.argsort(-scores, axis=1, kind="stable")[:, :TOP])


def random_images(images: int, queries: int, seed: int = 0) -> np.ndarray:
    """Scores that rank images at random, float64 [Q,N]."""
    return np.random.default_rng(seed).random((queries, images))


def relevance(
    ranking: Ranking, queries: Sequence[str], judged: Callable[[int, int], bool | None]
) -> Relevance:
    """The share of relevant images in a ranking.

    `judged(query, image)`, both by number, says whether an image is relevant. None means that it is
    not known; such images do not count.
    """
    found = [
        (number, verdict) for number, verdict in _verdicts(ranking, judged) if verdict is not None
    ]
    by_query = {
        query: _mean([verdict for number, verdict in found if number == place])
        for place, query in enumerate(queries)
    }
    if not found:
        return Relevance(
            name=ranking.name, role=ranking.role, by_query=by_query, share=None, interval=None
        )
    numbers, verdicts = (np.asarray(values) for values in zip(*found, strict=True))
    share = Shares(numbers).of(verdicts.astype(float))
    return Relevance(
        name=ranking.name,
        role=ranking.role,
        by_query=by_query,
        share=share.by_item,
        interval=share.interval,
    )


def _verdicts(
    ranking: Ranking, judged: Callable[[int, int], bool | None]
) -> Iterator[tuple[int, bool | None]]:
    for number, images in enumerate(ranking.images):
        for image in images:
            yield number, judged(number, int(image))


def _mean(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
