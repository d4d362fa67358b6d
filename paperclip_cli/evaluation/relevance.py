"""How relevant the best images of some queries are: the share that a judge calls relevant, by the abstracts of their proposals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from paperclip_cli.evaluation.bootstrap import Shares

TOP = 10  # images of each query that are judged


@dataclass(frozen=True)
class Ranking:
    """The best images that a contestant finds for each query: int [Q,TOP], best first."""

    name: str
    role: str
    images: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Relevance:
    """The share of relevant images: for each query (None where none could be judged), over all, and its 95 % interval by query."""

    name: str
    role: str
    by_query: dict[str, float | None]
    share: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Judgement:
    """What a judge says of every contestant; `backend` and `model` name it."""

    backend: str
    model: str
    rows: tuple[Relevance, ...]


def best_images(name: str, role: str, scores: np.ndarray) -> Ranking:
    """From the scores of N images for Q queries, float [Q,N]; equal scores in the order of the images."""
    return Ranking(name, role, np.argsort(-scores, axis=1, kind="stable")[:, :TOP])


def random_images(images: int, queries: int, seed: int = 0) -> np.ndarray:
    """Scores that rank images at random, float64 [Q,N]."""
    return np.random.default_rng(seed).random((queries, images))


def relevance(
    ranking: Ranking, queries: Sequence[str], judged: Callable[[int, int], bool | None]
) -> Relevance:
    """`judged` says whether an image is relevant to a query, both by number; None where that is not known: it then does not count."""
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
