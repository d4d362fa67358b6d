"""Evaluation during training, on every image, with the same views and captions each time."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from paperclip_cli.evaluation import retrieval
from paperclip_cli.evaluation.held_out import HeldOut
from paperclip_cli.towers import clip
from paperclip_cli.training.features import Rows, in_batches
from paperclip_cli.training.sharding import Devices, by_device
from paperclip_cli.training.step import Learner

PERCENT = 10


class Score(NamedTuple):
    """The result of a validation.

    `loss` is symmetric InfoNCE, whatever the training loss. `accuracy` is that of image-to-text
    retrieval at PERCENT %; None with too few captions for top-PERCENT %.
    """

    loss: float
    accuracy: float | None


class Validation:
    """A split to be embedded again and again.

    It has views uint8 [N,S,S,c] and the tokens of its distinct captions, int32 [M,L]. For heads
    alone both are what the towers pooled.
    """

    def __init__(
        self,
        learner: Learner,
        devices: Devices,
        batch_size: int,
        views: Rows,
        texts: np.ndarray,
        split: HeldOut,
    ) -> None:
        image, text = (
            by_device(devices.mesh, encode)
            for encode in (learner.encoders.image, learner.encoders.text)
        )
        self._image = jax.jit(image, out_shardings=devices.everywhere)
        self._text = jax.jit(text, out_shardings=devices.everywhere)
        self._scale, self._devices, self._size = learner.objective.scale, devices, batch_size
        self._views, self._texts, self._split = views, texts, split

    def score(self, params: clip.Params) -> Score:
        """Loss and accuracy of a model with these parameters."""
        images = in_batches(partial(self._image, params), self._views, self._size, self._devices)
        texts = in_batches(partial(self._text, params), self._texts, self._size, self._devices)
        found = self._split.embeddings(images, texts)
        accuracy = retrieval.measure(retrieval.standing(found), found.proposal, (PERCENT,))
        return Score(retrieval.loss(found, float(self._scale(params))), accuracy.by_image[PERCENT])
