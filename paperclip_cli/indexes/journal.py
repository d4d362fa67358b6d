"""The journal of an unfinished `index` run: embeddings appended as they are made, for a restart.

It consists of two files in the index's folder. `journal.f32` holds the vectors. The first line of
`journal.jsonl` describes their model and view; every other line names the image of the next
vectors. A line is written after its vectors and holds their checksum. Whatever a kill or a power
cut leaves behind, the intact beginning of the journal is thus known.
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
    """Vectors in a journal. `places` maps the content hash of an image to (first row, tiles)."""

    def __init__(self, folder: Path, maker: dict, dimension: int) -> None:
        """Continues the journal in `folder`, or begins a new one.

        It continues one of the same `maker` (model, view) and dimension.
        """
        self.folder, self.dimension = folder, dimension
        self.places: dict[str, tuple[int, int]] = {}
        self.rows = 0
        self._head = _line({"maker": maker, "dimension": dimension}, sort_keys=True)

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
            lines.append(_line({"sha256": digest, "tiles": tiles, "crc32": zlib.crc32(data)}))
        with (self.folder / LINES).open("ab") as file:
            file.write(b"".join(lines))

    def vectors(self) -> np.ndarray:
        """All vectors so far, float32 [rows, D]."""
        if not self.rows:
            return np.empty((0, self.dimension), np.float32)
        return np.memmap(self.folder / VECTORS, np.float32, "r", shape=(self.rows, self.dimension))

    def _recover(self) -> int:
        """Reads the intact lines into `places` and returns their length in bytes.

        The length is 0 for a journal of another maker.
        """
        lines_path, vectors_path = self.folder / LINES, self.folder / VECTORS
        if not lines_path.exists() or not vectors_path.exists():
            return 0

        with lines_path.open("rb") as lines, vectors_path.open("rb") as vectors:
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
    """Removes the journal, which a finished run no longer needs."""
    for name in (LINES, VECTORS):
        (folder / name).unlink(missing_ok=True)


def is_unfinished(folder: Path) -> bool:
    """Whether a run left a journal behind."""
    return (folder / LINES).exists()


def _line(values: dict, sort_keys: bool = False) -> bytes:
    return json.dumps(values, sort_keys=sort_keys).encode() + b"\n"


def _intact(line: bytes, vectors: BinaryIO, dimension: int) -> tuple[str, int] | None:
    """The hash and the tiles in a line, if it is whole and the next vectors match its checksum."""
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
