"""Shared helpers for tests of the index: towers without a model, pictures, and small indexes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from paperclip_cli.config import IndexConfig
from paperclip_cli.indexes import maker
from paperclip_cli.indexes.folder import IndexFolder, open_index
from paperclip_cli.records import Observation
from paperclip_cli.report import Report
from paperclip_cli.stages import index as stage
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.scratch import SHAPES
from paperclip_cli.workspace import Workspace

# The first part of the names of an index's files.
FILES = {"manifest.json", "vectors", "observations", "unrelated", "spread", "nearest", "words"}


class FakeTower:
    """A tower that gives each content a direction of its own and counts what it embeds.

    After `fail_after` batches it raises KeyboardInterrupt.
    """

    def __init__(
        self, dimension: int = SHAPES["scratch:tiny"].projection_dim, fail_after: int | None = None
    ) -> None:
        self.dimension, self.embedded, self.left = dimension, 0, fail_after

    def embed(self, items: Sequence, at_once: int | None = None) -> np.ndarray:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left = None if self.left is None else self.left - 1
        self.embedded += len(items)
        contents = [
            item.tobytes() if isinstance(item, np.ndarray) else item.encode() for item in items
        ]
        return np.stack([direction(content, self.dimension) for content in contents])


def direction(content: bytes, dimension: int) -> np.ndarray:
    """A unit vector [dimension] that depends only on the content."""
    seed = int.from_bytes(hashlib.sha256(content).digest()[:8])
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def towers(tower: FakeTower | None = None) -> dict[str, Callable]:
    """The arguments of `stages.index.run` that replace both towers with a fake."""
    made = tower or FakeTower()

    def images(_: ModelFolder, __: int) -> maker.ImageTower:
        return made

    def texts(_: ModelFolder) -> maker.TextTower:
        return FakeTower(made.dimension)

    return {"images": images, "texts": texts}


def write_picture(path: Path, seed: int) -> None:
    """Writes a noisy PNG of 16 x 16 pixels, a different one for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def region(*corners: tuple[float, float]) -> str:
    return "POLYGON ICRS " + " ".join(f"{ra} {dec}" for ra, dec in corners)


def at(ra: float, dec: float, **more: object) -> Observation:
    return Observation(s_ra=ra, s_dec=dec, **more)  # type: ignore[arg-type]


def index_of(workspace: Workspace, name: str = "default") -> IndexFolder:
    return open_index(workspace.index(name))


def holds(index: IndexFolder) -> dict[str, list]:
    """The content of an index by path, without the numbers of generations."""
    return {
        image.entry.path: [
            image.entry,
            image.proposal,
            image.split,
            index.vectors[image.id : image.id + image.entry.tiles].tolist(),
        ]
        for image in index.observations.images()
    }


def run(
    folder: Path, workspace: Workspace, model: str, tower: FakeTower | None = None, **more: object
) -> Report:
    return stage.run(IndexConfig(paths=(folder,), model=model, **more), workspace, **towers(tower))  # type: ignore[arg-type]
