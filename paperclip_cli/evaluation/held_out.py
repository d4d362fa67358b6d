"""The texts of a split for evaluation: every image counts once, and captions are cut in one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paperclip_cli.dataset.captions import Count, prepare
from paperclip_cli.dataset.pairs import Pair
from paperclip_cli.evaluation.retrieval import Embeddings, number


@dataclass(frozen=True)
class HeldOut:
    """The M distinct captions of N images.

    `caption` and `proposal`, int [N], are the numbers of each image's own.
    """

    texts: list[str]
    caption: np.ndarray
    proposal: np.ndarray

    def embeddings(self, images: np.ndarray, texts: np.ndarray) -> Embeddings:
        """The embeddings to measure retrieval on, from images [N,D] and texts [M,D]."""
        return Embeddings(images, texts, self.caption, self.proposal)


def held_out(pairs: Sequence[Pair], count: Count, room: int, runs: int | None = None) -> HeldOut:
    """Captions cut to at most `room` tokens, start and end token not counted.

    They are cut from their start or, with `runs`, a seed, from anywhere.
    """
    captions = prepare([pair.caption for pair in pairs], count, are_summaries(pairs))
    if runs is None:
        cut = [caption.first_run(room) for caption in captions]
    else:
        streams = (np.random.default_rng([runs, row]) for row in range(len(captions)))
        cut = [
            caption.longest_run(room, stream)
            for caption, stream in zip(captions, streams, strict=True)
        ]
    return distinct(cut, pairs)


def uncut(pairs: Sequence[Pair]) -> HeldOut:
    """The whole captions, for methods that read more than a text encoder can."""
    return distinct([pair.caption for pair in pairs], pairs)


def distinct(captions: Sequence[str], pairs: Sequence[Pair]) -> HeldOut:
    """The distinct texts among `captions`, which has one caption for each pair."""
    texts, caption = number(captions)
    return HeldOut(texts, caption, number([pair.key for pair in pairs])[1])


def are_summaries(pairs: Sequence[Pair]) -> bool:
    """Whether the captions are summaries rather than abstracts."""
    return all(pair.caption == pair.summary for pair in pairs)
