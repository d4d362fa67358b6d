"""What frozen towers pool, computed once and stored: `--train head` learns from it without running a tower again.

Every pair is seen in a fixed number of random views, each with a caption cut anew; a training takes them in turn. One view of all pairs is
one file of images and one of texts, so that what was computed before an interruption is not computed again.

Shapes: N pairs, B batch, W width of a tower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from paperclip_cli.dataset.batches import Pictures
from paperclip_cli.dataset.decoded import new_array
from paperclip_cli.progress import Progress, Task
from paperclip_cli.towers import clip
from paperclip_cli.towers.augment import random_view
from paperclip_cli.training.encoders import Pixels
from paperclip_cli.training.sharding import Devices


@dataclass(frozen=True)
class Features:
    """The stored views of a split: for each an array of images and one of texts, float32 [N,W]. They are `Inputs` of batches."""

    views: tuple[tuple[np.ndarray, np.ndarray], ...]

    def __len__(self) -> int:
        return len(self.views[0][0])

    def __call__(self, epoch: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Float32 [B,W] twice: a row is seen in the next view each epoch, and rows do not all begin with the same."""
        turns = [(self.views[(epoch + row) % len(self.views)], row) for row in rows]
        return np.stack([images[row] for (images, _), row in turns]), np.stack(
            [texts[row] for (_, texts), row in turns]
        )


class FrozenTowers:
    """Both towers, compiled for batches of `size` rows."""

    def __init__(
        self,
        graph: clip.Graph,
        params: clip.Params,
        pixels: Pixels,
        how: clip.Compute,
        devices: Devices,
        size: int,
    ) -> None:
        self._params, self._devices, self._size = devices.replicate(params), devices, size
        self._draw = jax.jit(
            jax.vmap(partial(_random_view, size=pixels.size), in_axes=(0, None, 0))
        )
        self._images = jax.jit(
            lambda params, views: _float32(clip.image_features(graph, params, pixels(views), how))
        )
        self._texts = jax.jit(
            lambda params, tokens: _float32(clip.text_features(graph, params, tokens, how))
        )

    def images(self, views: np.ndarray | jax.Array) -> np.ndarray:
        """uint8 [B,S,S,c] -> float32 [B,W]."""
        return self._run(self._images, np.asarray(views))

    def texts(self, tokens: np.ndarray) -> np.ndarray:
        """int32 [B,L] -> float32 [B,W]."""
        return self._run(self._texts, tokens)

    def store(
        self, folder: Path, pictures: Pictures, views: int, key: jax.Array, progress: Progress
    ) -> Features:
        """What the towers pool of `views` random views of all pairs; what lies in `folder` already is taken from there."""
        with progress.task("features", total=views * len(pictures), unit="views") as task:
            return Features(
                tuple(
                    self._view(folder, pictures, view, jax.random.fold_in(key, view), task)
                    for view in range(views)
                )
            )

    def _view(
        self, folder: Path, pictures: Pictures, view: int, key: jax.Array, task: Task
    ) -> tuple[np.ndarray, np.ndarray]:
        paths = _Paths(folder / f"images-{view:03d}.npy", folder / f"texts-{view:03d}.npy")
        if paths.texts.is_file() and paths.images.is_file():
            task.advance(len(pictures))
        else:
            self._write(paths, pictures, view, key, task)
        return np.load(paths.images, mmap_mode="r"), np.load(paths.texts, mmap_mode="r")

    def _write(
        self, paths: _Paths, pictures: Pictures, view: int, key: jax.Array, task: Task
    ) -> None:
        widths = (
            self._params["vision"]["positions"].shape[1],
            self._params["text"]["positions"].shape[1],
        )
        with (
            new_array(paths.images, np.float32, (len(pictures), widths[0])) as images,
            new_array(paths.texts, np.float32, (len(pictures), widths[1])) as texts,
        ):
            for rows in _groups(len(pictures), self._size):
                stored, tokens = pictures(view, rows)
                images[rows], texts[rows] = (
                    self.images(self._draw(stored, key, rows)),
                    self.texts(tokens),
                )
                task.advance(len(rows))

    def _run(
        self, compiled: Callable[[clip.Params, jax.Array], jax.Array], rows: np.ndarray
    ) -> np.ndarray:
        return in_batches(partial(compiled, self._params), rows, self._size, self._devices)


class _Paths(NamedTuple):
    images: Path
    texts: Path


def in_batches(
    function: Callable[[jax.Array], jax.Array], rows: np.ndarray, size: int, devices: Devices
) -> np.ndarray:
    """Applies a function that was compiled for `size` rows to any number of them, and joins what it gives."""
    parts = []
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        padded = np.pad(part, [(0, size - len(part))] + [(0, 0)] * (part.ndim - 1))
        parts.append(np.asarray(function(devices.spread(padded[devices.part])))[: len(part)])
    return np.concatenate(parts)


def _random_view(image: jax.Array, key: jax.Array, row: jax.Array, size: int) -> jax.Array:
    """A view that depends on the number of the pair, and not on the batch that it is in."""
    return random_view(image, jax.random.fold_in(key, row), size)


def _groups(count: int, size: int) -> Iterator[np.ndarray]:
    return (np.arange(first, min(first + size, count)) for first in range(0, count, size))


def _float32(features: jax.Array) -> jax.Array:
    return features.astype(np.float32)
