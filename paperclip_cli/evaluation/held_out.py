"""The texts of a split for evaluation: every image counts once, and captions are cut in one way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from paperclip_cli.dataset.captions import (
    Encode,
    first_run,
    head_of,
    joined,
    longest_run,
    pieces_of,
    prepare,
)
from paperclip_cli.dataset.pairs import Pair
from paperclip_cli.dataset.texts import PairTexts
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


class Tokenized(NamedTuple):
    """A split, and the token ids of its M texts between the start and the end token, uncut."""

    split: HeldOut
    tokens: list[list[int]]


def held_out(pairs: PairTexts, encode: Encode, room: int, runs: int | None = None) -> Tokenized:
    """Captions cut to at most `room` tokens, start and end token not counted.

    They are cut from their start or, with `runs`, a seed, from anywhere.
    """
    captions = prepare(pairs.captions, encode, pairs.are_summaries)
    draws = (_draw(runs, row) for row in range(len(pairs)))
    chosen = [captions.run(own, room, draw) for own, draw in zip(pairs.caption, draws, strict=True)]

    pieces = [pieces_of(text, pairs.are_summaries) for text in pairs.captions]
    cut = [_text(pieces[own], run) for own, run in zip(pairs.caption, chosen, strict=True)]
    texts, caption = number(cut)
    firsts = np.unique(caption, return_index=True)[1]
    tokens = [captions.tokens(pairs.caption[row], chosen[row]) for row in firsts]
    return Tokenized(HeldOut(texts, caption, pairs.proposal), tokens)


def _draw(runs: int | None, row: int) -> Callable[[Sequence[int], int], slice]:
    if runs is None:
        return first_run
    return partial(longest_run, rng=np.random.default_rng([runs, row]))


def _text(pieces: list[str], run: slice) -> str:
    head = head_of(pieces)
    return joined([*pieces[:head], *pieces[head:][run]])


def uncut(pairs: Sequence[Pair]) -> HeldOut:
    """The whole captions, for methods that read more than a text encoder can."""
    texts, caption = number([pair.caption for pair in pairs])
    return HeldOut(texts, caption, number([pair.key for pair in pairs])[1])
