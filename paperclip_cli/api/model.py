"""A model from Python: embeddings of texts and images, and descriptions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paperclip_cli.api.arguments import workspace
from paperclip_cli.api.options import Hdu, Image, PathLike
from paperclip_cli.config import DescribeConfig, configure, readers
from paperclip_cli.config.given import text
from paperclip_cli.config.search import QueryImage
from paperclip_cli.dataset.phrases import PAPER_PHRASES
from paperclip_cli.errors import UsageError
from paperclip_cli.images.reading import Reading
from paperclip_cli.images.view import View
from paperclip_cli.indexes.vectors import best
from paperclip_cli.towers.folder import ModelFolder, resolve
from paperclip_cli.towers.open_towers import OpenTowers
from paperclip_cli.workspace import Workspace

_BATCH = 16
DEFAULTS = DescribeConfig()


class Label(NamedTuple):
    """A phrase that describes an image, and its cosine. Rank 1 is the best."""

    rank: int
    label: str
    score: float


def load_model(
    name: PathLike | None = None, cache: PathLike | None = None, *, offline: bool = False
) -> Model:
    """Opens a model: one in the cache, a folder in the Hugging Face layout, or a name on the Hub.

    `name` None is the only model in the cache. A Hub model is downloaded once. The weights are read
    when they are first needed.

    Raises:
        PaperclipError: there is no such model, or it cannot be used.
    """
    here = workspace(cache, offline)
    return Model(resolve(None if name is None else text(name, "name"), here), here)


class Model:
    """An open model. Threads may share it."""

    def __init__(self, folder: ModelFolder, workspace: Workspace) -> None:
        self._folder, self._workspace = folder, workspace
        self._towers = OpenTowers(lambda: folder, lambda: folder, _BATCH)

    @property
    def name(self) -> str:
        """The name that it was opened by."""
        return self._folder.name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._folder.path

    @property
    def dimension(self) -> int:
        """The number of values in an embedding, D."""
        return self._folder.config.projection_dim

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: embeddings of {self.dimension}, in {self.path}>"

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeds texts: float32 [N, D], each row of length 1.

        Texts beyond the limit of the text encoder are cut as CLIP cuts them. This loads no JAX.
        """
        if isinstance(texts, str):
            raise TypeError("embed_texts takes a list of texts, not one text")
        return self._towers.texts(texts)

    def embed_images(
        self, images: Sequence[Image], *, hdu: Hdu | None = None, stretch: str = "preview"
    ) -> np.ndarray:
        """Embeds images as the model sees them: float32 [N, D], each row of length 1.

        A model that was not trained here sees previews in the cache as the paper does, and any
        other image as its own processor shows it.

        Args:
            images: paths of JPEG, PNG, TIFF or FITS files, arrays [H, W] or [H, W, 3] with the
                first row at the top, or images of Pillow.
            hdu: the HDU of FITS files; None is their science image.
            stretch: the intensity stretch of FITS files, `preview` or `zscale`.

        Raises:
            PaperclipError: an image cannot be read (the message names it), or an option is wrong.
        """
        if isinstance(images, str | os.PathLike):
            raise TypeError("embed_images takes a list of images, not one path")
        config = configure(DescribeConfig, hdu=hdu, stretch=stretch)
        reading = Reading(hdu=config.hdu, stretch=config.stretch)
        from paperclip_cli.indexes.reader import seen

        given = readers.images(list(images), "images")
        hint = "give a JPEG, PNG, TIFF or FITS file, or an array"
        parts = [np.zeros((0, self.dimension), np.float32)]
        for start in range(0, len(given), _BATCH):
            some = given[start : start + _BATCH]
            views = [seen(image, self._view_of(image), reading, hint) for image in some]
            parts.append(self._towers.views(np.stack(views)))
        return np.concatenate(parts)

    def _view_of(self, image: QueryImage) -> View:
        return self._folder.view_of(isinstance(image, Path) and self._workspace.is_preview(image))

    def describe(
        self,
        image: Image,
        labels: Sequence[str] | None = None,
        *,
        k: int = DEFAULTS.k,
        template: str | Sequence[str] = DEFAULTS.templates,
        hdu: Hdu | None = None,
        stretch: str = DEFAULTS.stretch,
    ) -> list[Label]:
        """The `k` labels that match an image best, best first.

        `labels` None are the paper's 77 phrases. `{}` in a `template` stands for the label.

        Raises:
            PaperclipError: the image cannot be read, or an option is wrong: a template, say, has
                no place for the label.
        """
        from paperclip_cli.towers.prompts import embed_phrases

        if isinstance(labels, str):
            raise TypeError("describe takes a list of labels, not one text")
        phrases = list(PAPER_PHRASES if labels is None else labels)
        if not phrases:
            raise UsageError("there are no labels", "give at least one")
        config = configure(DescribeConfig, k=k, template=template)
        texts = embed_phrases(phrases, config.templates, self._folder, self._workspace)
        cosines = texts @ self.embed_images([image], hdu=hdu, stretch=stretch)[0]
        found = enumerate(best(cosines, config.k).tolist(), 1)
        return [Label(rank, phrases[place], float(cosines[place])) for rank, place in found]
