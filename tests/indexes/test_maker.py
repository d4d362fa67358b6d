"""The towers of a watch: opened once, and anew only for another model."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.indexes.maker import KeptTowers
from paperclip_cli.towers.folder import ModelFolder
from tests.small_indexes import FakeTower


class Recording(FakeTower):
    """A tower that records how many items it is given, and how many it embeds at once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int | None]] = []

    def embed(self, items: object, at_once: int | None = None) -> np.ndarray:
        self.asked.append((len(items), at_once))  # type: ignore[arg-type]
        return super().embed(items)  # type: ignore[arg-type]


@pytest.fixture
def made() -> tuple[KeptTowers, list[Recording], list[int]]:
    """Kept towers, those that were opened, and the batch sizes of image towers."""
    opened: list[Recording] = []
    sizes: list[int] = []

    def images(_: ModelFolder, size: int) -> Recording:
        sizes.append(size)
        opened.append(Recording())
        return opened[-1]

    def texts(_: ModelFolder) -> Recording:
        opened.append(Recording())
        return opened[-1]

    return KeptTowers(images, texts, 32), opened, sizes


def test_few_images_are_not_padded_to_a_whole_batch(
    made: tuple[KeptTowers, list[Recording], list[int]], tiny_model: Path
) -> None:
    towers, opened, sizes = made
    model = ModelFolder.open(tiny_model)
    for count in (1, 2, 3, 9, 32):
        towers.images(model, count).embed(np.zeros((count, 2, 2, 3), np.uint8))
    assert opened[0].asked == [(1, 1), (2, 2), (3, 4), (9, 16), (32, 32)]
    assert sizes == [32]


def test_texts_are_embedded_once(
    made: tuple[KeptTowers, list[Recording], list[int]], tiny_model: Path
) -> None:
    towers, opened, _ = made
    model = ModelFolder.open(tiny_model)
    first = towers.texts(model).embed(("a", "b"))
    assert towers.texts(model).embed(["a", "b"]) is first
    towers.texts(model).embed(["c"])
    assert [one.asked for one in opened] == [[(2, None), (1, None)]]


def test_a_model_whose_files_have_changed_is_opened_anew(
    made: tuple[KeptTowers, list[Recording], list[int]], tiny_model: Path, tmp_path: Path
) -> None:
    towers, opened, _ = made
    model = ModelFolder.open(Path(shutil.copytree(tiny_model, tmp_path / "mine")))
    towers.images(model, 1)
    towers.images(model, 1)
    assert len(opened) == 1
    weights = model.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"xy")
    towers.images(model, 1)
    assert len(opened) == 2
