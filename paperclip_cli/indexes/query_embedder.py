"""The model of an open index, which embeds the parts of queries.

It is opened when it is first needed. Texts need neither JAX nor an image library.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from paperclip_cli.config.search import QueryImage, image_name
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.model import model_of, whole_model_of
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace

_REMEMBERED = 4_096  # texts whose embeddings are kept: 8 MB with 512 dimensions


class QueryEmbedder:
    """The towers of an index's model. Threads may share it.

    Its methods raise a PaperclipError where the model is missing or has changed.
    """

    def __init__(self, index: IndexFolder, workspace: Workspace) -> None:
        self._index, self._workspace = index, workspace
        self._known: OrderedDict[str, np.ndarray] = OrderedDict()
        self._remembering = threading.Lock()
        self._opening, self._seeing = threading.Lock(), threading.Lock()  # texts, images

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as unit vectors float32 [N, D]. Those of the last few thousand are remembered."""
        with self._remembering:
            found = {text: self._known[text] for text in texts if text in self._known}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            found.update(zip(new, self._opened().embed(new), strict=True))
            self._remember({text: found[text] for text in new})
        return np.stack([found[text] for text in texts])

    def images(self, images: Sequence[QueryImage]) -> np.ndarray:
        """Images as unit vectors float32 [N, D], seen as those of the index.

        Raises:
            PaperclipError: an image cannot be read.
        """
        from paperclip_cli.indexes.reader import image_view

        views = []
        for image in images:
            try:
                views.append(image_view(image, self._index.view, self._index.reading))
            except BadItem as error:
                raise PaperclipError(
                    f"{image_name(image, whole=True)}: {error}",
                    "give --image a JPEG, PNG, TIFF or FITS file",
                ) from error
        # One thread at a time: the tower halves its batch when memory runs out.
        with self._seeing:
            return self._image_tower.embed(np.stack(views))

    def _remember(self, new: dict[str, np.ndarray]) -> None:
        with self._remembering:
            self._known.update(new)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _opened(self) -> TextTower:
        with self._opening:
            return self._text_tower

    @cached_property
    def _text_tower(self) -> TextTower:
        return TextTower.open(model_of(self._index, self._workspace))

    @cached_property
    def _image_tower(self):  # type: ignore[no-untyped-def]  # naming the class would import JAX
        from paperclip_cli.towers.embedder import ImageEmbedder

        return ImageEmbedder(whole_model_of(self._index, self._workspace), 1)
