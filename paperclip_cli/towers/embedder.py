"""Embeddings of image views, in batches of one compiled shape."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers import augment, clip, weights
from paperclip_cli.towers.device import compute_on
from paperclip_cli.towers.folder import ModelFolder


class ImageEmbedder:
    """An embedder of views as unit vectors, in the type that suits the device.

    Whenever the device or the machine runs out of memory, `batch_size` is halved for good.
    """

    def __init__(self, folder: ModelFolder, batch_size: int) -> None:
        graph, self._params = weights.load(folder)
        self._folder = folder
        # Without a backward pass a loop over the layers costs nothing, and it compiles faster.
        how = compute_on(jax.devices()[:1], folder.config)._replace(unrolled=False)
        mean, std = jnp.asarray(folder.mean), jnp.asarray(folder.std)
        self._compiled = jax.jit(partial(_embed, graph, how, mean=mean, std=std))
        self.batch_size = batch_size

    def embed(self, views: np.ndarray, at_once: int | None = None) -> np.ndarray:
        """uint8 [N, S, S, 3] -> float32 [N, D], each row of length 1.

        Batches are padded to `at_once` views, at most (and by default) `batch_size`: each number is
        compiled once.

        Raises:
            PaperclipError: a single image does not fit into memory, or the model returns NaN.
        """
        vectors = [np.zeros((0, self._folder.config.projection_dim), np.float32)]
        done = 0
        while done < len(views):
            vectors.append(self._batch(views[done:], at_once or self.batch_size))
            done += len(vectors[-1])

        found = np.concatenate(vectors)
        if not np.isfinite(found).all():
            raise PaperclipError(
                f"model {self._folder.name} returns embeddings that are not numbers",
                "download its weights again",
            )
        return found

    def _batch(self, views: np.ndarray, at_once: int) -> np.ndarray:
        """The embeddings of the first batch of views, which is halved until it fits."""
        while True:
            size = min(self.batch_size, at_once)
            part = views[:size]
            padding = [(0, size - len(part))] + [(0, 0)] * (part.ndim - 1)
            try:
                return np.asarray(self._compiled(self._params, np.pad(part, padding)))[: len(part)]
            except (jax.errors.JaxRuntimeError, MemoryError) as error:
                if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                if self.batch_size == 1:
                    raise PaperclipError(
                        "out of memory even with a batch of one", "use a smaller model"
                    ) from error
                self.batch_size //= 2


def _embed(
    graph: clip.Graph,
    how: clip.Compute,
    params: clip.Params,
    views: jax.Array,
    mean: jax.Array,
    std: jax.Array,
) -> jax.Array:
    return clip.image_embeddings(graph, params, augment.normalise(views, mean, std), how)
