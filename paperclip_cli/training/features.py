"""Features of frozen towers, computed once and stored: `--train head` never runs a tower again.

Every pair has a fixed number of random views, each with a caption cut anew, and a training takes
them in turn. One view of all pairs is one file of images and one of texts, so that an interrupted
computation resumes where it stopped.

Shapes: N pairs, B batch, W width of a tower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import jax
import numpy as np

from paperclip_cli.dataset.arrays import StoredArray, new_array, open_array
from paperclip_cli.dataset.batches import Pictures
from paperclip_cli.errors import PaperclipError
from paperclip_cli.progress import Progress, Task
from paperclip_cli.towers import clip
from paperclip_cli.towers.augment import random_view
from paperclip_cli.training.encoders import Pixels
from paperclip_cli.training.sharding import Devices, by_device


class Rows(Protocol):
    """An array, or one whose rows are made when a slice of them is asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> np.ndarray | jax.Array: ...


@dataclass(frozen=True)
class Features:
    """The stored views of a split, which serve as `Inputs` of batches.

    Each view is an array of images and one of texts, float32 [N,W].
    """

    views: tuple[tuple[StoredArray, StoredArray], ...]

    def __len__(self) -> int:
        return len(self.views[0][0])

    def __call__(self, epoch: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and texts, float32 [B,W] each.

        A row moves on to its next view in each epoch, and rows begin with different views.
        """
        turns = [(*self.views[(epoch + row) % len(self.views)], row) for row in rows.tolist()]
        found = [(images[row : row + 1], texts[row : row + 1]) for images, texts, row in turns]
        images, texts = zip(*found, strict=True)
        return np.concatenate(images), np.concatenate(texts)


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
        draw = partial(_random_view, size=pixels.size)
        self._draw = jax.jit(jax.vmap(draw, in_axes=(0, None, 0)))
        self._images = _compiled(
            lambda params, views: clip.image_features(graph, params, pixels(views), how), devices
        )
        self._texts = _compiled(
            lambda params, tokens: clip.text_features(graph, params, tokens, how), devices
        )

    def images(self, views: Rows) -> np.ndarray:
        """uint8 [B,S,S,c] -> float32 [B,W]."""
        return self._run(self._images, views)

    def texts(self, tokens: np.ndarray) -> np.ndarray:
        """int32 [B,L] -> float32 [B,W]."""
        return self._run(self._texts, tokens)

    def store(
        self, folder: Path, pictures: Pictures, views: int, key: jax.Array, progress: Progress
    ) -> Features:
        """The features of `views` random views of all pairs. Those already in `folder` are read."""
        with progress.task("features", total=views * len(pictures), unit="views") as task:
            stored = (
                self._view(folder, pictures, view, jax.random.fold_in(key, view), task)
                for view in range(views)
            )
            return Features(tuple(stored))

    def _view(
        self, folder: Path, pictures: Pictures, view: int, key: jax.Array, task: Task
    ) -> tuple[StoredArray, StoredArray]:
        paths = _Paths(folder / f"images-{view:03d}.npy", folder / f"texts-{view:03d}.npy")
        shapes = [(len(pictures), width) for width in self._widths()]
        if (found := _opened(paths, shapes)) is not None:
            task.advance(len(pictures))
            return found
        self._write(paths, shapes, pictures, view, key, task)
        if (found := _opened(paths, shapes)) is None:
            raise PaperclipError(f"{folder} was removed while it was made", "run it again")
        return found

    def _widths(self) -> tuple[int, int]:
        return self._params["vision"]["positions"].shape[1], self._params["text"][
            "positions"
        ].shape[1]

    def _write(
        self,
        paths: _Paths,
        shapes: Sequence[tuple[int, ...]],
        pictures: Pictures,
        view: int,
        key: jax.Array,
        task: Task,
    ) -> None:
        with (
            new_array(paths.images, np.float32, shapes[0]) as images,
            new_array(paths.texts, np.float32, shapes[1]) as texts,
        ):
            for rows in _groups(len(pictures), self._size):
                stored, tokens = pictures(view, rows)
                images(self.images(self._draw(stored, key, rows)))
                texts(self.texts(tokens))
                task.advance(len(rows))

    def _run(
        self, compiled: Callable[[clip.Params, jax.Array], jax.Array], rows: Rows
    ) -> np.ndarray:
        return in_batches(partial(compiled, self._params), rows, self._size, self._devices)


class _Paths(NamedTuple):
    images: Path
    texts: Path


def _opened(
    paths: _Paths, shapes: Sequence[tuple[int, ...]]
) -> tuple[StoredArray, StoredArray] | None:
    images, texts = map(open_array, paths)
    if images is None or texts is None or [images.shape, texts.shape] != shapes:
        return None
    return (images, texts) if images.dtype == texts.dtype == np.float32 else None


def in_batches(
    function: Callable[[jax.Array], jax.Array], rows: Rows, size: int, devices: Devices
) -> np.ndarray:
    """The joined results of a function that is compiled for `size` rows, for any number of rows."""
    parts = []
    for first in range(0, len(rows), size):
        part = np.asarray(rows[first : first + size])
        padded = np.pad(part, [(0, size - len(part))] + [(0, 0)] * (part.ndim - 1))
        parts.append(np.asarray(function(devices.spread(padded[devices.part])))[: len(part)])
    return np.concatenate(parts)


def _random_view(image: jax.Array, key: jax.Array, row: jax.Array, size: int) -> jax.Array:
    """A view that depends on the number of the pair, and not on its batch."""
    return random_view(image, jax.random.fold_in(key, row), size)


def _groups(count: int, size: int) -> Iterator[np.ndarray]:
    return (np.arange(first, min(first + size, count)) for first in range(0, count, size))


def _compiled(
    features: Callable[[clip.Params, jax.Array], jax.Array], devices: Devices
) -> Callable[[clip.Params, jax.Array], jax.Array]:
    """A tower whose features are float32, each device with its own rows."""
    of_rows = by_device(devices.mesh, features)
    return jax.jit(lambda params, rows: of_rows(params, rows).astype(np.float32))
