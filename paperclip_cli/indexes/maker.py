"""What makes an index: a model with its two towers, and its view of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar

import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.reading import Reading, view_name
from paperclip_cli.images.view import View
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.open_index import OpenIndex
from paperclip_cli.records import Key
from paperclip_cli.towers.folder import ModelFolder, model_files

Tower = TypeVar("Tower")


class ImageTower(Protocol):
    """Views uint8 [N, S, S, 3] to unit vectors float32 [N, D], `at_once` of them at a time."""

    def embed(self, views: np.ndarray, at_once: int | None = None) -> np.ndarray: ...


class TextTower(Protocol):
    """Texts to unit vectors float32 [N, D]."""

    def embed(self, texts: Sequence[str]) -> np.ndarray: ...


def open_image_tower(model: ModelFolder, batch_size: int) -> ImageTower:
    """Opens the model's image tower, on the accelerator if there is one."""
    from paperclip_cli.towers.embedder import ImageEmbedder

    return ImageEmbedder(model, batch_size)


def open_text_tower(model: ModelFolder) -> TextTower:
    """Opens the model's text tower."""
    from paperclip_cli.towers.numpy_text_tower import TextTower

    return TextTower.open(model)


class KeptTowers:
    """The towers of a model, opened at first use and kept for all updates of a watch.

    They are opened anew where the files of the model have changed.
    """

    def __init__(
        self,
        images: Callable[[ModelFolder, int], ImageTower],
        texts: Callable[[ModelFolder], TextTower],
        batch_size: int,
    ) -> None:
        self._open_images, self._open_texts, self._batch_size = images, texts, batch_size
        self._images: dict[tuple, ImageTower] = {}
        self._texts: dict[tuple, TextTower] = {}

    def images(self, model: ModelFolder, _: int) -> ImageTower:
        """The image tower, whatever the number of images of this update."""
        return _kept(
            self._images, model, lambda: _FewAtOnce(self._open_images(model, self._batch_size))
        )

    def texts(self, model: ModelFolder) -> TextTower:
        """The text tower, which embeds the same texts only once."""
        return _kept(self._texts, model, lambda: _OnceOnly(self._open_texts(model)))


def _kept(towers: dict[tuple, Tower], model: ModelFolder, make: Callable[[], Tower]) -> Tower:
    paths = [model.path / name for name in model_files(model.path)]
    key = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    if key not in towers:
        towers.clear()  # two models at once may be more than the memory holds
        towers[key] = make()
    return towers[key]


class _FewAtOnce:
    """An image tower for batches of any size: they are padded to a power of two."""

    def __init__(self, tower: ImageTower) -> None:
        self._tower = tower

    def embed(self, views: np.ndarray, at_once: int | None = None) -> np.ndarray:
        return self._tower.embed(views, at_once or 1 << (len(views) - 1).bit_length())


class _OnceOnly:
    """A text tower that remembers the last texts."""

    def __init__(self, tower: TextTower) -> None:
        self._tower = tower
        self._last: tuple[tuple[str, ...], np.ndarray] | None = None

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if self._last is None or self._last[0] != tuple(texts):
            self._last = tuple(texts), self._tower.embed(texts)
        return self._last[1]


@dataclass(frozen=True, kw_only=True)
class Maker:
    """The model of an index, its view of images, and its towers, which are opened at first use."""

    model: ModelFolder
    fingerprint: str
    view: View
    reading: Reading
    images: Callable[[ModelFolder, int], ImageTower] = open_image_tower
    texts: Callable[[ModelFolder], TextTower] = open_text_tower

    @property
    def identity(self) -> dict:
        return {
            "model": self.fingerprint,
            "view": asdict(self.view),
            "reading": asdict(self.reading),
        }


def check_maker(old: IndexFolder | OpenIndex, maker: Maker) -> None:
    """Refuses to mix models or views in one index, which would return nonsense."""
    hint = "rebuild it with --force, or make another index with --index NAME"
    if old.manifest.inputs.get("model") != maker.fingerprint:
        name = old.manifest.config.get("model")
        is_other = name != maker.model.name
        other = f"another model ({name})" if is_other else f"another version of model {name}"
        raise PaperclipError(f"index {old.name!r} was made by {other}", hint)
    if (old.view, old.reading) != (maker.view, maker.reading):
        view = view_name(old.view, old.reading)
        raise PaperclipError(f"index {old.name!r} was made with another view ({view})", hint)


def splits_of(model: ModelFolder) -> dict[Key, str]:
    """The split of the model's dataset that each proposal belongs to, from the model's card."""
    try:
        splits = model.card.get("data", {}).get("splits", {})
        return {Key.parse(key): split for split, keys in splits.items() for key in keys}
    except (AttributeError, TypeError, ValueError) as error:
        raise PaperclipError(
            f"{model.path}: cannot read the splits in paperclip.json ({error})",
            "restore the file from the original model",
        ) from error
