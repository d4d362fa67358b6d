"""What makes an index: a model with its two towers, and its view of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.reading import Reading, view_name
from paperclip_cli.images.view import View
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.records import Key
from paperclip_cli.towers.folder import ModelFolder


class ImageTower(Protocol):
    """Views uint8 [N, S, S, 3] to unit vectors float32 [N, D]."""

    def embed(self, views: np.ndarray) -> np.ndarray: ...


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


def check_maker(old: IndexFolder, maker: Maker) -> None:
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
