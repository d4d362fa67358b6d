"""Evaluation while a model is being trained: the same views and captions every time, and every image."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from paperclip_cli.data import retrieval
from paperclip_cli.data.heldout import HeldOut
from paperclip_cli.model import clip
from paperclip_cli.model.contrastive import similarity_scale
from paperclip_cli.model.devices import Devices
from paperclip_cli.model.step import Learner, embed_views

PERCENT = 10


class Score(NamedTuple):
    """`accuracy` is that of image-to-text retrieval at PERCENT %, None where so many captions are less than one."""

    loss: float
    accuracy: float | None


class Validation:
    """A split to be embedded again and again: views uint8 [N,S,S,c] and the tokens of its distinct captions, int32 [M,L]."""

    def __init__(self, learner: Learner, devices: Devices, batch_size: int, views: np.ndarray, tokens: np.ndarray, split: HeldOut) -> None:
        self._images = jax.jit(partial(embed_views, learner))
        self._texts = jax.jit(partial(clip.text_embeddings, learner.graph))
        self._devices, self._size = devices, batch_size
        self._views, self._tokens, self._split = views, tokens, split

    def score(self, params: clip.Params) -> Score:
        """Loss and accuracy of a model with these parameters."""
        images = _in_batches(lambda rows: self._images(params, self._devices.spread(rows)), self._views, self._size)
        texts = _in_batches(lambda rows: self._texts(params, self._devices.spread(rows)), self._tokens, self._size)
        found = self._split.embeddings(images, texts)
        accuracy = retrieval.accuracy(retrieval.ranks(found), found.proposal, len(texts), (PERCENT,))
        return Score(retrieval.loss(found, float(similarity_scale(clip.logit_scale(params)))), accuracy.by_image[PERCENT])


def _in_batches(function: Callable[[np.ndarray], jax.Array], rows: np.ndarray, size: int) -> np.ndarray:
    """Applies a function that was compiled for `size` rows to any number of them, and joins what it gives."""
    parts = []
    for first in range(0, len(rows), size):
        part = rows[first:first + size]
        padding = [(0, size - len(part))] + [(0, 0)] * (part.ndim - 1)
        parts.append(np.asarray(function(np.pad(part, padding)))[:len(part)])
    return np.concatenate(parts)
