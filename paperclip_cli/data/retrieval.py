"""How well embeddings find each other, in NumPy: loss, retrieval accuracy, similarity of true and of shuffled pairs.

The protocol `unique`: every image is compared with the distinct captions of the split, so that a second image of the same proposal is no
wrong answer. Ties count at their expected rank.

Shapes: N images, M distinct captions, P proposals, D embedding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

PERCENTS = (1, 5, 10, 20)
IMAGE_TO_TEXT, TEXT_TO_IMAGE = DIRECTIONS = ("image-to-text", "text-to-image")
LOSS_BATCH = 100  # the paper's: a model at chance has a loss of ln 100
RESAMPLES = 1_000
_BLOCK = 4_096


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of a split, float32 and L2-normalised.

    `images` is [N,D] and `texts` [M,D]; `caption` int [N] is the row of an image's own caption, `proposal` int [N] (0 to P - 1) numbers
    the proposals.
    """

    images: np.ndarray
    texts: np.ndarray
    caption: np.ndarray
    proposal: np.ndarray


class Accuracy(NamedTuple):
    """Retrieval accuracy at k %, one entry for each k; None where k % of the candidates is less than one.

    `by_image` is a mean over images, `by_proposal` a mean over proposals of the mean over their images; `interval` is a 95 % interval
    of `by_image`; `chance` what random embeddings reach.
    """

    by_image: dict[int, float | None]
    by_proposal: dict[int, float | None]
    interval: dict[int, tuple[float, float] | None]
    chance: dict[int, float]


def number(values: Sequence) -> tuple[list, np.ndarray]:
    """The distinct values in the order in which they first occur, and for each value its place among them, int [N]."""
    place = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return list(place), np.asarray([place[value] for value in values], np.int64)


def ranks(found: Embeddings, direction: str = IMAGE_TO_TEXT) -> np.ndarray:
    """The rank of the true answer, from 1, for every image: float64 [N]; the mean of the ranks it may have where it is tied.

    `image-to-text`: the image's caption among the M captions. `text-to-image`: the image among all that do not share its caption, and
    itself, in the order of similarity to its caption.
    """
    return np.concatenate([_ranks(found, block, direction) for block in _blocks(len(found.images))])


def candidates(found: Embeddings, direction: str = IMAGE_TO_TEXT) -> int:
    """Out of how many the true answer is looked for: M captions, or N images."""
    return len(found.texts) if direction == IMAGE_TO_TEXT else len(found.images)


def accuracy(rank: np.ndarray, proposal: np.ndarray, total: int, percents: Sequence[int] = PERCENTS, seed: int = 0) -> Accuracy:
    """The share of ranks [N] within floor(k / 100 * total), for each k in `percents` (the paper's section 4.1)."""
    within = {k: k * total // 100 for k in percents}
    hits = {k: rank <= top if top else None for k, top in within.items()}
    counts = np.bincount(proposal)
    weights = _resampled(len(counts), seed)
    by_image, by_proposal, interval = {}, {}, {}
    for k, hit in hits.items():
        sums = None if hit is None else np.bincount(proposal, hit)
        by_image[k] = None if sums is None else float(sums.sum() / counts.sum())
        by_proposal[k] = None if sums is None else float((sums / counts).mean())
        interval[k] = None if sums is None else _interval(weights @ sums / (weights @ counts))
    return Accuracy(by_image, by_proposal, interval, {k: top / total for k, top in within.items()})


def similarity(found: Embeddings) -> tuple[float, float]:
    """Mean cosine similarity of the images with their own captions, and with the others' (the mean over all shuffles)."""
    own = float(np.einsum("nd,nd->n", found.images, found.texts[found.caption], dtype=np.float64).mean())
    others = len(found.texts) - 1
    everything = float(found.images.mean(0, dtype=np.float64) @ found.texts.sum(0, dtype=np.float64))
    return own, (everything - own) / others if others else math.nan


def loss(found: Embeddings, scale: float, batch: int = LOSS_BATCH, seed: int = 0) -> float:
    """Symmetric InfoNCE as in training (`model.contrastive`), over batches of nearly equal size that hold every image once.

    `scale` multiplies the similarities. The batches are drawn with a seed; a pair's loss is the mean over the pairs of its batch.
    """
    order = np.random.default_rng(seed).permutation(len(found.images))
    batches = np.array_split(order, math.ceil(len(order) / batch))
    return sum(len(rows) * _batch_loss(found, rows, scale) for rows in batches) / len(order)


def _batch_loss(found: Embeddings, rows: np.ndarray, scale: float) -> float:
    logits = scale * (found.images[rows] @ found.texts[found.caption[rows]].T).astype(np.float64)
    true = np.diagonal(logits)
    return float(0.5 * ((_logsumexp(logits) - true).mean() + (_logsumexp(logits.T) - true).mean()))


def _logsumexp(logits: np.ndarray) -> np.ndarray:
    top = logits.max(axis=1, keepdims=True)
    return np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]


def _ranks(found: Embeddings, rows: slice, direction: str) -> np.ndarray:
    caption = found.caption[rows]
    place = np.arange(len(caption))
    if direction == IMAGE_TO_TEXT:
        scores, true = found.images[rows] @ found.texts.T, caption
    else:
        scores, true = found.texts[caption] @ found.images.T, np.arange(len(found.images))[rows]
        own = scores[place, true]
        scores[found.caption[None, :] == caption[:, None]] = -np.inf
        scores[place, true] = own
    score = scores[place, true][:, None]
    better, tied = (scores > score).sum(axis=1), (scores == score).sum(axis=1) - 1
    return 1 + better + tied / 2


def _blocks(count: int) -> Iterator[slice]:
    return (slice(first, first + _BLOCK) for first in range(0, count, _BLOCK))


def _resampled(proposals: int, seed: int) -> np.ndarray:
    """How often each proposal is drawn in each bootstrap sample: float64 [RESAMPLES, P]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(proposals, np.full(proposals, 1 / proposals), size=RESAMPLES).astype(np.float64)


def _interval(samples: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(samples, (0.025, 0.975))
    return float(low), float(high)
