"""The texts of a split as evaluation sees them: every image counts once, every caption is cut in one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paperclip_cli.dataset.captions import Count, prepare
from paperclip_cli.dataset.pairs import Pair
from paperclip_cli.evaluation.retrieval import Embeddings, number


@dataclass(frozen=True)
class HeldOut:
    """The M distinct captions of N images; `caption` and `proposal`, int [N], number the images' own."""

    texts: list[str]
    caption: np.ndarray
    proposal: np.ndarray

    def embeddings(self, images: np.ndarray, texts: np.ndarray) -> Embeddings:
        """What retrieval is measured on, from images [N,D] and texts [M,D]."""
        return Embeddings(images, texts, self.caption, self.proposal)


def held_out(pairs: Sequence[Pair], count: Count, room: int, runs: int | None = None) -> HeldOut:
    """Captions cut to at most `room` tokens (start and end token not counted): from their start or, with `runs`, a seed, from anywhere."""
    captions = prepare([pair.caption for pair in pairs], count, are_summaries(pairs))
    if runs is None:
        cut = [caption.first_run(room) for caption in captions]
    else:
        cut = [
            caption.longest_run(room, np.random.default_rng([runs, row]))
            for row, caption in enumerate(captions)
        ]
    return distinct(cut, pairs)


def uncut(pairs: Sequence[Pair]) -> HeldOut:
    """The whole captions: for what reads more than a text encoder can."""
    return distinct([pair.caption for pair in pairs], pairs)


def distinct(captions: Sequence[str], pairs: Sequence[Pair]) -> HeldOut:
    """One caption a pair, each text once."""
    texts, caption = number(captions)
    return HeldOut(texts, caption, number([pair.key for pair in pairs])[1])


def are_summaries(pairs: Sequence[Pair]) -> bool:
    """Whether the captions are summaries, and not abstracts."""
    return all(pair.caption == pair.summary for pair in pairs)
