"""Embeddings of an `index` run that has not ended: appended as they are made, and found again after a kill.

Two files in the index's folder. `journal.f32` holds the vectors; `journal.jsonl` says in its first line what made them, then in one
line an image whose vectors they are. A line is written after its vectors and carries their checksum, so that whatever a kill or a
power cut leaves behind, the intact beginning of the journal is known.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

LINES, VECTORS = "journal.jsonl", "journal.f32"


class Journal:
    """`places` maps the content hash of an image to the rows [first, first + tiles) of its vectors."""

    def __init__(self, folder: Path, maker: dict, dimension: int) -> None:
        """Continues the journal in `folder` if the same `maker` (model, view) left one of this dimension, else begins a new one."""
        self.folder, self.dimension = folder, dimension
        self.places: dict[str, tuple[int, int]] = {}
        self.rows = 0
        self._head = (
            json.dumps({"maker": maker, "dimension": dimension}, sort_keys=True).encode() + b"\n"
        )
        folder.mkdir(parents=True, exist_ok=True)
        length = self._recover()
        _cut(folder / LINES, length)
        _cut(folder / VECTORS, self.rows * dimension * 4)
        if not length:
            (folder / LINES).write_bytes(self._head)

    def append(self, images: Sequence[tuple[str, np.ndarray]]) -> None:
        """Adds the vectors float32 [tiles, D] of some images, named by their content hashes."""
        blocks = [
            (digest, np.ascontiguousarray(vectors, np.float32).tobytes())
            for digest, vectors in images
        ]
        with (self.folder / VECTORS).open("ab") as file:
            file.write(b"".join(data for _, data in blocks))
        lines = []
        for digest, data in blocks:
            tiles = len(data) // (4 * self.dimension)
            self.places[digest] = (self.rows, tiles)
            self.rows += tiles
            lines.append(
                json.dumps({"sha256": digest, "tiles": tiles, "crc32": zlib.crc32(data)}).encode()
                + b"\n"
            )
        with (self.folder / LINES).open("ab") as file:
            file.write(b"".join(lines))

    def vectors(self) -> np.ndarray:
        """All vectors so far, float32 [rows, D]."""
        if not self.rows:
            return np.empty((0, self.dimension), np.float32)
        return np.memmap(self.folder / VECTORS, np.float32, "r", shape=(self.rows, self.dimension))

    def _recover(self) -> int:
        """Reads the intact lines into `places`; gives their length in bytes, 0 where the journal is another maker's."""
        if not (self.folder / LINES).exists() or not (self.folder / VECTORS).exists():
            return 0
        with (
            (self.folder / LINES).open("rb") as lines,
            (self.folder / VECTORS).open("rb") as vectors,
        ):
            if lines.readline() != self._head:
                return 0
            length = len(self._head)
            for line in lines:
                entry = _intact(line, vectors, self.dimension)
                if entry is None:
                    break
                digest, tiles = entry
                self.places[digest] = (self.rows, tiles)
                self.rows += tiles
                length += len(line)
        return length


def discard_journal(folder: Path) -> None:
    """Removes what a finished run no longer needs."""
    for name in (LINES, VECTORS):
        (folder / name).unlink(missing_ok=True)


def is_unfinished(folder: Path) -> bool:
    """Whether a run left a journal behind."""
    return (folder / LINES).exists()


def _intact(line: bytes, vectors: BinaryIO, dimension: int) -> tuple[str, int] | None:
    """What a line says, if it is whole and the next vectors are the ones that it was written for."""
    try:
        entry = json.loads(line)
        digest, tiles, checksum = entry["sha256"], entry["tiles"], entry["crc32"]
    except (ValueError, TypeError, KeyError):
        return None
    whole = line.endswith(b"\n") and zlib.crc32(vectors.read(tiles * dimension * 4)) == checksum
    return (digest, tiles) if whole else None


def _cut(path: Path, length: int) -> None:
    with path.open("ab") as file:
        file.truncate(length)
