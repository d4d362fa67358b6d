"""Retrieval measures in NumPy: loss, retrieval accuracy, similarity of true and shuffled pairs.

"Retrieval accuracy" can mean one of three protocols (`standing`). In `unique` a second image of the
same proposal is no wrong answer. In the two of the PAPERCLIP paper (arXiv 2403.08851) it is one.

Shapes: N images, M distinct captions, P proposals, D embedding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from paperclip_cli.config.evaluation import IMAGE_TO_TEXT, PAPER_BATCH, PAPER_FULL, UNIQUE
from paperclip_cli.errors import PaperclipError
from paperclip_cli.evaluation.bootstrap import Shares
from paperclip_cli.wording import counted

PERCENTS = (1, 5, 10, 20)
LOSS_BATCH = 100  # the paper's: a model at chance has a loss of ln 100
DROPPED_BATCHES = 2
_BLOCK = 1_024


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of a split, float32.

    Similarities are their dot products, which are cosines where the embeddings are L2-normalised.
    `images` is [N,D] and `texts` [M,D]. `caption` int [N] is the row of an image's own caption,
    `proposal` int [N] the number of its proposal (0 to P - 1).
    """

    images: np.ndarray
    texts: np.ndarray
    caption: np.ndarray
    proposal: np.ndarray

    def rows(self, rows: np.ndarray) -> Embeddings:
        """Some of the images, with all texts."""
        return replace(
            self, images=self.images[rows], caption=self.caption[rows], proposal=self.proposal[rows]
        )


@dataclass(frozen=True)
class Standing:
    """The standing of the true answers among all candidates, for the n images that count.

    `rows` int [n] are the images' rows in the embeddings. `better`, int [n], counts the candidates
    that are more similar than the true answer, and `tied` the others that are equally similar, or
    not comparable. `total`, int [n], is the number of candidates, the true answer included.
    """

    rows: np.ndarray
    better: np.ndarray
    tied: np.ndarray
    total: np.ndarray

    @property
    def rank(self) -> np.ndarray:
        """The expected rank of the true answers, from 1: float64 [n]."""
        return 1 + self.better + self.tied / 2

    def tops(self, percent: float) -> np.ndarray:
        """The number of candidates that count as found: floor(`percent` / 100 * total), int [n]."""
        # Rounded first: 0.29 * 100 is 28.999999999999996.
        return np.floor(np.round(percent * self.total / 100, 9)).astype(np.int64)

    def hits(self, tops: np.ndarray | int) -> np.ndarray:
        """The chance that each true answer is among its first `tops` [n]: float64 [n], 0 to 1.

        Ties are in arbitrary order. So embeddings that tell nothing apart are at chance.
        """
        return np.clip((tops - self.better) / (1 + self.tied), 0, 1)

    def among(self, chosen: np.ndarray) -> Standing:
        """The same for a choice of images, bool [N], among the same candidates."""
        keep = chosen[self.rows]
        return Standing(self.rows[keep], self.better[keep], self.tied[keep], self.total[keep])


class Accuracy(NamedTuple):
    """Retrieval accuracy at k %, one entry for each k; None with too few candidates for it.

    `by_image` is a mean over images, `by_proposal` a mean over proposals of the mean over their
    images. `interval` is a 95 % interval of `by_image`, and `chance` the accuracy of random
    embeddings.
    """

    by_image: dict[int, float | None]
    by_proposal: dict[int, float | None]
    interval: dict[int, tuple[float, float] | None]
    chance: dict[int, float]


def number(values: Sequence) -> tuple[list, np.ndarray]:
    """The distinct values in order of first occurrence, and the place of each value: int [N]."""
    place = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return list(place), np.asarray([place[value] for value in values], np.int64)


def standing(found: Embeddings, protocol: str = UNIQUE, direction: str = IMAGE_TO_TEXT) -> Standing:
    """The standing of the true answers in one of the protocols. Ties are in arbitrary order.

    `unique`: from image to text, the image's caption is looked for among the M captions. From text
    to image, the image is looked for among itself and all images of other proposals. The number of
    these differs between the images.

    `paper-full`: all N pairs at once, and only the image's own pair is right. The caption of
    another image of the same proposal is wrong, although it is the same text.

    `paper-batch`: the same within batches of 100, drawn with a seed, without the last two.

    Raises:
        PaperclipError: there are too few images for `paper-batch`.
    """
    if protocol == PAPER_BATCH:
        return _in_batches(found, direction)

    images = len(found.images)
    strict = protocol == PAPER_FULL
    blocks = [_compare(found, block, direction, strict) for block in _blocks(images)]
    better, tied, total = map(np.concatenate, zip(*blocks, strict=True))
    return Standing(np.arange(images), better, tied, total)


def measure(
    found: Standing, proposal: np.ndarray, percents: Sequence[int] = PERCENTS, seed: int = 0
) -> Accuracy:
    """The share of true answers within the first floor(k / 100 * total), for each k in `percents`.

    This is the measure of the paper's section 4.1. `proposal`, int [N], numbers the proposals of
    all images of the embeddings.
    """
    shares = Shares(proposal[found.rows], seed)
    tops = {k: found.tops(k) for k in percents}
    measured = {k: shares.of(found.hits(top)) if top.any() else None for k, top in tops.items()}
    by_image, by_proposal, interval = (
        {k: share and share[part] for k, share in measured.items()} for part in range(3)
    )
    chance = {k: _mean(top / found.total) for k, top in tops.items()}
    return Accuracy(by_image, by_proposal, interval, chance)  # type: ignore[arg-type]


def _mean(values: np.ndarray) -> float:
    """The mean; of equal values exactly that value, which a sum need not give."""
    return float(values[0] if (values == values[0]).all() else values.mean())


def similarities(found: Embeddings) -> tuple[np.ndarray, np.ndarray]:
    """The similarity of each image to its own caption, and to the others': float64 [N] each.

    The second is the mean over all shuffles; NaN where there is only one caption.
    """
    own = np.einsum("nd,nd->n", found.images, found.texts[found.caption], dtype=np.float64)
    everything = found.images.astype(np.float64) @ found.texts.sum(0, dtype=np.float64)
    others = len(found.texts) - 1
    return own, (everything - own) / others if others else np.full_like(own, np.nan)


def shuffled(found: Embeddings, seed: int = 0) -> Embeddings:
    """The same images with others' captions; images that shared a caption still do.

    Captions are put in a circle in random order and each moves on by one, so that none stays where
    it was (unless it is the only one).
    """
    order = np.random.default_rng(seed).permutation(len(found.texts))
    following = np.empty_like(order)
    following[order] = np.roll(order, -1)
    return replace(found, caption=following[found.caption])


def similarity(found: Embeddings) -> tuple[float, float]:
    """The means of `similarities` over the images."""
    own, others = similarities(found)
    return float(own.mean()), float(others.mean())


def batch_rows(images: int, protocol: str = UNIQUE, seed: int = 0) -> list[np.ndarray]:
    """The batches in which a loss is measured.

    `paper-batch` has its own. In the other protocols they are of nearly equal size, drawn with a
    seed, and hold every image once.
    """
    if protocol == PAPER_BATCH:
        return _paper_batches(images)
    order = np.random.default_rng(seed).permutation(images)
    return np.array_split(order, math.ceil(images / LOSS_BATCH))


def losses(found: Embeddings, scale: float, batches: Sequence[np.ndarray]) -> np.ndarray:
    """Symmetric InfoNCE of every pair within its batch, float64 [N]; NaN for pairs in no batch.

    The loss is that of training (`training.losses`); `scale` multiplies the similarities.
    """
    values = np.full(len(found.images), np.nan)
    for rows in batches:
        products = found.images[rows] @ found.texts[found.caption[rows]].T
        logits = scale * products.astype(np.float64)
        values[rows] = 0.5 * (_logsumexp(logits) + _logsumexp(logits.T)) - np.diagonal(logits)
    return values


def loss(found: Embeddings, scale: float) -> float:
    """The mean of `losses` over all images."""
    return float(losses(found, scale, batch_rows(len(found.images))).mean())


def _logsumexp(logits: np.ndarray) -> np.ndarray:
    top = logits.max(axis=1, keepdims=True)
    return np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]


def _in_batches(found: Embeddings, direction: str) -> Standing:
    batches = _paper_batches(len(found.images))
    parts = [_compare(found.rows(rows), slice(None), direction, strict=True) for rows in batches]
    better, tied, total = map(np.concatenate, zip(*parts, strict=True))
    return Standing(np.concatenate(batches), better, tied, total)


def _paper_batches(images: int, seed: int = 0) -> list[np.ndarray]:
    """Batches of 100 of a permutation, without the last two, one of which may be smaller.

    In the order of a dataset, a batch would hold many images of few proposals, whose captions are
    the same. The paper's loader shuffles.
    """
    count = math.ceil(images / LOSS_BATCH) - DROPPED_BATCHES
    if count < 1:
        least = DROPPED_BATCHES * LOSS_BATCH + 1
        raise PaperclipError(
            f"{counted(images, 'images are')} too few for the protocol {PAPER_BATCH}: "
            f"it drops the last two batches of {LOSS_BATCH}",
            f"give a split of at least {counted(least, 'images')}, for example --split all, "
            "or another --protocol",
        )
    order = np.random.default_rng(seed).permutation(images)
    return np.split(order[: count * LOSS_BATCH], count)


def _compare(
    found: Embeddings, rows: slice, direction: str, strict: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers of candidates that are better than the true answer, tied with it, and in all.

    Each is int [n]. The true answer itself is counted in the last one only. With `strict`,
    everything that belongs to another image is wrong, even the same caption.
    """
    caption = found.caption[rows]
    if direction == IMAGE_TO_TEXT:
        scores, true = found.images[rows] @ found.texts.T, caption
        # Equal captions are counted, not compared: their products may differ in the last bit.
        count = len(found.texts)
        times = np.bincount(found.caption, minlength=count) if strict else np.ones(count, np.int64)
        is_candidate = np.ones(scores.shape, bool)
    else:
        images = np.arange(len(found.images))
        scores, true = found.texts[caption] @ found.images.T, images[rows]
        times = np.ones(len(images), np.int64)
        is_other = found.proposal != found.proposal[rows][:, None]
        is_candidate = (
            is_other | (images == true[:, None]) if not strict else np.ones_like(is_other)
        )

    score = np.take_along_axis(scores, true[:, None], axis=1)
    total = is_candidate @ times
    better = (is_candidate & (scores > score)) @ times
    worse = (is_candidate & (scores < score)) @ times
    return better, total - better - worse - 1, total


def _blocks(count: int) -> Iterator[slice]:
    return (slice(first, first + _BLOCK) for first in range(0, count, _BLOCK))
