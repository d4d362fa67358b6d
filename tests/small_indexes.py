"""What tests of the index share: towers that need no model, pictures, and an index built in a moment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from paperclip_cli.config import IndexConfig
from paperclip_cli.indexes.folder import Index, open_index
from paperclip_cli.records import Observation
from paperclip_cli.report import Report
from paperclip_cli.stages import index as stage
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.scratch import SHAPES
from paperclip_cli.workspace import Workspace


class FakeTower:
    """Gives every content a direction of its own, always the same; counts what it embeds. `fail_after` batches it dies."""

    def __init__(
        self, dimension: int = SHAPES["scratch:tiny"].projection_dim, fail_after: int | None = None
    ) -> None:
        self.dimension, self.embedded, self.left = dimension, 0, fail_after

    def embed(self, items: Sequence) -> np.ndarray:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left = None if self.left is None else self.left - 1
        self.embedded += len(items)
        return np.stack(
            [
                direction(
                    item.tobytes() if isinstance(item, np.ndarray) else item.encode(),
                    self.dimension,
                )
                for item in items
            ]
        )


def direction(content: bytes, dimension: int) -> np.ndarray:
    vector = np.random.default_rng(
        int.from_bytes(hashlib.sha256(content).digest()[:8])
    ).standard_normal(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def towers(tower: FakeTower | None = None) -> dict[str, Callable]:
    """The arguments of `stages.index.run` that put a fake in the place of both towers."""
    made = tower or FakeTower()

    def images(_: ModelFolder, __: int) -> stage.ImageTower:
        return made

    def texts(_: ModelFolder) -> stage.TextTower:
        return FakeTower(made.dimension)

    return {"images": images, "texts": texts}


def write_picture(path: Path, seed: int) -> None:
    """A noisy PNG of 16 x 16 pixels, another one for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16), dtype=np.uint8)).save(
        path
    )


def region(*corners: tuple[float, float]) -> str:
    return "POLYGON ICRS " + " ".join(f"{ra} {dec}" for ra, dec in corners)


def at(ra: float, dec: float, **more: object) -> Observation:
    return Observation(s_ra=ra, s_dec=dec, **more)  # type: ignore[arg-type]


def index_of(workspace: Workspace, name: str = "default") -> Index:
    return open_index(workspace.index(name))


def holds(index: Index) -> dict[str, list]:
    """What an index says, without the numbers of generations: path, hash and vectors."""
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
