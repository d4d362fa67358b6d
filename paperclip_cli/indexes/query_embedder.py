"""The model of an open index, which embeds the parts of queries.

It is opened when it is first needed. Texts need neither JAX nor an image library.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from paperclip_cli.config.search import QueryImage
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.model import model_of, whole_model_of
from paperclip_cli.indexes.open_index import OpenIndex
from paperclip_cli.towers.open_towers import OpenTowers
from paperclip_cli.workspace import Workspace

_REMEMBERED = 4_096  # texts whose embeddings are kept: 8 MB with 512 dimensions


class QueryEmbedder:
    """The towers of an index's model. Threads may share it.

    Its methods raise a PaperclipError where the model is missing or has changed.
    """

    def __init__(self, index: IndexFolder | OpenIndex, workspace: Workspace) -> None:
        self._index = index
        self._known: OrderedDict[str, np.ndarray] = OrderedDict()
        self._remembering = threading.Lock()
        self._towers = OpenTowers(
            lambda: model_of(index, workspace), lambda: whole_model_of(index, workspace), 1
        )

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as unit vectors float32 [N, D]. Those of the last few thousand are remembered."""
        with self._remembering:
            found = {text: self._known[text] for text in texts if text in self._known}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            found.update(zip(new, self._towers.texts(new), strict=True))
            self._remember({text: found[text] for text in new})
        return np.stack([found[text] for text in texts])

    def images(self, images: Sequence[QueryImage]) -> np.ndarray:
        """Images as unit vectors float32 [N, D], seen as those of the index.

        Raises:
            PaperclipError: an image cannot be read.
        """
        from paperclip_cli.indexes.reader import seen

        index, hint = self._index, "give --image a JPEG, PNG, TIFF or FITS file"
        views = [seen(image, index.view, index.reading, hint) for image in images]
        return self._towers.views(np.stack(views))

    def _remember(self, new: dict[str, np.ndarray]) -> None:
        with self._remembering:
            self._known.update(new)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
