"""How well embeddings find each other, in NumPy: loss, retrieval accuracy, similarity of true and of shuffled pairs.

Three protocols hide behind "retrieval accuracy" (`standing`): `unique`, in which a second image of the same proposal is no wrong answer,
and the two of the PAPERCLIP paper (arXiv 2403.08851), in which it is one.

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
_BLOCK = 4_096


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of a split, float32: similarities are their dot products, cosines where they are L2-normalised.

    `images` is [N,D] and `texts` [M,D]; `caption` int [N] is the row of an image's own caption, `proposal` int [N] (0 to P - 1) numbers
    the proposals.
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


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the true answers fare against the others, for the n images that count.

    `rows` int [n] says which images of the embeddings these are. `better` candidates are more similar than the true answer and `tied`
    others are as similar, int [n]; there are `total` candidates. Where the order of ties is arbitrary (`breaks_ties`), an answer counts by
    the chance that it comes early enough; elsewhere it stands in the middle of those that it is tied with.
    """

    rows: np.ndarray
    better: np.ndarray
    tied: np.ndarray
    total: int
    breaks_ties: bool = False

    @property
    def rank(self) -> np.ndarray:
        """The expected rank of the true answers, from 1: float64 [n]."""
        return 1 + self.better + self.tied / 2

    def hits(self, top: int) -> np.ndarray:
        """How much of each true answer is among the first `top` candidates: float64 [n], 0 to 1."""
        if self.breaks_ties:
            return np.clip((top - self.better) / (1 + self.tied), 0, 1)
        return (self.rank <= top).astype(np.float64)

    def among(self, chosen: np.ndarray) -> Standing:
        """The same for those images only for which `chosen`, bool [N], holds: the candidates stay."""
        keep = chosen[self.rows]
        return replace(self, rows=self.rows[keep], better=self.better[keep], tied=self.tied[keep])


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


def standing(found: Embeddings, protocol: str = UNIQUE, direction: str = IMAGE_TO_TEXT) -> Standing:
    """How the true answers fare in one of the protocols.

    `unique`, image to text: the image's caption among the M captions; text to image: the image among all that do not share its
    caption, and itself, in the order of similarity to its caption. Ties count at their expected rank.
    `paper-full`: all N pairs at once, and only the image's own pair is right: the caption of another image of the same proposal is
    wrong, though it is the same. Ties are in arbitrary order.
    `paper-batch`: the same within consecutive batches of 100, the last two of which are dropped.

    Raises:
        PaperclipError: `paper-batch` with so few images that no batch is left.
    """
    if protocol == PAPER_BATCH:
        return _in_batches(found, direction)
    blocks = [
        _compare(found, block, direction, strict=protocol == PAPER_FULL)
        for block in _blocks(len(found.images))
    ]
    total = (
        len(found.texts) if protocol == UNIQUE and direction == IMAGE_TO_TEXT else len(found.images)
    )
    better, tied = map(np.concatenate, zip(*blocks, strict=True))
    return Standing(
        rows=np.arange(len(found.images)),
        better=better,
        tied=tied,
        total=total,
        breaks_ties=protocol == PAPER_FULL,
    )


def ranks(found: Embeddings, direction: str = IMAGE_TO_TEXT) -> np.ndarray:
    """The rank of the true answer, from 1, for every image, in the protocol `unique`: float64 [N]."""
    return standing(found, UNIQUE, direction).rank


def measure(
    found: Standing, proposal: np.ndarray, percents: Sequence[int] = PERCENTS, seed: int = 0
) -> Accuracy:
    """The share of true answers within the first floor(k / 100 * total), for each k in `percents` (the paper's section 4.1).

    `proposal`, int [N], numbers the proposals of all images of the embeddings.
    """
    return _accuracy(
        {k: found.hits(k * found.total // 100) for k in percents},
        proposal[found.rows],
        found.total,
        seed,
    )


def accuracy(
    rank: np.ndarray,
    proposal: np.ndarray,
    total: int,
    percents: Sequence[int] = PERCENTS,
    seed: int = 0,
) -> Accuracy:
    """The same from ranks [N] among `total` candidates."""
    return _accuracy({k: rank <= k * total // 100 for k in percents}, proposal, total, seed)


def _accuracy(hits: dict[int, np.ndarray], proposal: np.ndarray, total: int, seed: int) -> Accuracy:
    shares = Shares(proposal, seed)
    tops = {k: k * total // 100 for k in hits}
    found = {k: shares.of(hit) if tops[k] else None for k, hit in hits.items()}
    by_image, by_proposal, interval = (
        {k: share and share[part] for k, share in found.items()} for part in range(3)
    )
    return Accuracy(by_image, by_proposal, interval, {k: top / total for k, top in tops.items()})  # type: ignore[arg-type]


def similarities(found: Embeddings) -> tuple[np.ndarray, np.ndarray]:
    """Of each image with its own caption, and with the others' (the mean over all shuffles; NaN where there are none): float64 [N] each."""
    own = np.einsum("nd,nd->n", found.images, found.texts[found.caption], dtype=np.float64)
    everything = found.images.astype(np.float64) @ found.texts.sum(0, dtype=np.float64)
    others = len(found.texts) - 1
    return own, (everything - own) / others if others else np.full_like(own, np.nan)


def shuffled(found: Embeddings, seed: int = 0) -> Embeddings:
    """The same images with others' captions: captions are dealt out anew, so that images that shared one still do.

    They go around a circle in random order, each to the next, so that none stays where it was (unless it is alone).
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
    """The batches in which a loss is measured: in `paper-batch` its own; else batches of nearly equal size, drawn with a seed, that hold
    every image once."""
    if protocol == PAPER_BATCH:
        return _paper_batches(images)
    return np.array_split(
        np.random.default_rng(seed).permutation(images), math.ceil(images / LOSS_BATCH)
    )


def losses(found: Embeddings, scale: float, batches: Sequence[np.ndarray]) -> np.ndarray:
    """Symmetric InfoNCE as in training (`training.losses`) of every pair within its batch, float64 [N]; NaN for pairs in none.

    `scale` multiplies the similarities.
    """
    values = np.full(len(found.images), np.nan)
    for rows in batches:
        logits = scale * (found.images[rows] @ found.texts[found.caption[rows]].T).astype(
            np.float64
        )
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
    better, tied = map(np.concatenate, zip(*parts, strict=True))
    return Standing(
        rows=np.concatenate(batches), better=better, tied=tied, total=LOSS_BATCH, breaks_ties=True
    )


def _paper_batches(images: int) -> list[np.ndarray]:
    """Consecutive batches of 100, without the last two, one of which may be smaller."""
    count = math.ceil(images / LOSS_BATCH) - DROPPED_BATCHES
    if count < 1:
        least = DROPPED_BATCHES * LOSS_BATCH + 1
        raise PaperclipError(
            f"{counted(images, 'images are')} too few for the protocol {PAPER_BATCH}: "
            f"it drops the last two batches of {LOSS_BATCH}",
            f"give a split of at least {counted(least, 'images')}, for example --split all, or another --protocol",
        )
    return np.split(np.arange(count * LOSS_BATCH), count)


def _compare(
    found: Embeddings, rows: slice, direction: str, strict: bool
) -> tuple[np.ndarray, np.ndarray]:
    """How many candidates are more similar than the true answer, and how many others are as similar: int [n] each.

    `strict`: what belongs to another image is wrong even if it has the same caption.
    """
    caption = found.caption[rows]
    place = np.arange(len(caption))
    if direction == IMAGE_TO_TEXT:
        # Equal captions are counted, not compared: their products may differ in the last bit.
        times = (
            np.bincount(found.caption, minlength=len(found.texts))
            if strict
            else np.ones(len(found.texts), np.int64)
        )
        scores, true = found.images[rows] @ found.texts.T, caption
    else:
        times = np.ones(len(found.images), np.int64)
        scores, true = found.texts[caption] @ found.images.T, np.arange(len(found.images))[rows]
        if not strict:
            own = scores[place, true]
            scores[found.caption[None, :] == caption[:, None]] = -np.inf
            scores[place, true] = own
    score = scores[place, true][:, None]
    return (scores > score) @ times, (scores == score) @ times - 1


def _blocks(count: int) -> Iterator[slice]:
    return (slice(first, first + _BLOCK) for first in range(0, count, _BLOCK))
