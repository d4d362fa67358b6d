"""The towers of a model, each opened when it is first needed: texts load no JAX."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.numpy_text_tower import TextTower


class OpenTowers:
    """Both towers of a model. Threads may share them, and texts do not wait for images.

    `text` gives a folder with at least the model's text tower, `whole` one with both. `batch_size`
    is the most views that are embedded at once.
    """

    def __init__(
        self, text: Callable[[], ModelFolder], whole: Callable[[], ModelFolder], batch_size: int
    ) -> None:
        self._text_folder, self._whole_folder, self._batch_size = text, whole, batch_size
        self._opening, self._seeing = threading.Lock(), threading.Lock()

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as unit vectors float32 [N, D]."""
        with self._opening:
            tower = self._text_tower
        return tower.embed(texts)

    def views(self, views: np.ndarray) -> np.ndarray:
        """Views uint8 [N, S, S, 3] as unit vectors float32 [N, D]. A single one is not padded."""
        # One thread at a time: the tower halves its batch when memory runs out.
        with self._seeing:
            return self._image_tower.embed(views, 1 if len(views) == 1 else None)

    @cached_property
    def _text_tower(self) -> TextTower:
        return TextTower.open(self._text_folder())

    @cached_property
    def _image_tower(self):  # type: ignore[no-untyped-def]  # naming the class would import JAX
        from paperclip_cli.towers.embedder import ImageEmbedder

        return ImageEmbedder(self._whole_folder(), self._batch_size)
