"""Embeddings on disk, one float32 row each in a memory-mapped .npy file, and exact search.

For a single query, exact search is quicker than loading a graph: a million vectors of 512 are
scanned from the page cache in a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import replacing
from paperclip_cli.wording import counted

# Below this share of all rows, gathering them first is quicker. Above it, picking their scores from
# the product of all rows is.
_GATHER_SHARE = 0.1


def write_vectors(path: Path, shape: tuple[int, int], blocks: Iterable[np.ndarray]) -> None:
    """Writes blocks float32 [n, D] in turn as one .npy file of `shape` [N, D].

    The file appears only when it is whole. It is written as a stream and not through a memory map,
    so that a full disk is an OSError and not a bus error.
    """
    written = 0
    with replacing(path) as temporary, temporary.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype="<f4").data)
            written += len(block)
        if written != shape[0]:
            raise ValueError(f"{counted(written, 'vectors')} given, {shape[0]:,} announced")


def open_vectors(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """The vectors float32 [N, D], mapped read-only.

    Raises:
        PaperclipError: the file does not hold float32 vectors of `shape`.
    """
    if shape[0] == 0:
        return np.empty(shape, np.float32)  # an empty array cannot be mapped

    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError) as error:  # EOFError: the file is empty
        raise PaperclipError(
            f"{path} cannot be read as vectors ({error})", "rebuild the index with --force"
        ) from error

    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32 or vectors.shape != shape:
        raise PaperclipError(
            f"{path} does not hold {shape[0]} float32 vectors of {shape[1]}",
            "rebuild the index with --force",
        )
    return vectors.view(np.ndarray)


def score(vectors: np.ndarray, query: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Cosines float32 of normalised `vectors` [N, D] with a normalised `query` [D].

    They are those of all vectors, or of some `rows` int64 [M].
    """
    if rows is None:
        return vectors @ query
    if len(rows) < _GATHER_SHARE * len(vectors):
        return vectors[rows] @ query
    return (vectors @ query)[rows]


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """Places int64 of the `count` highest of `scores` [N], highest first, ties by place."""
    places = np.arange(len(scores))
    if 0 < count < len(scores):
        places = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
    return places[np.lexsort((places, -scores[places]))][:count]


class NoDirection(PaperclipError):
    """The parts of a query cancel out."""


def normalised(vector: np.ndarray) -> np.ndarray:
    """A vector [D] scaled to length 1, float32.

    Raises:
        NoDirection: it is zero.
    """
    length = float(np.linalg.norm(vector))
    if not length > 1e-6:
        raise NoDirection(
            "the parts of the query cancel out", "leave out what is both wanted and not wanted"
        )
    return (vector / length).astype(np.float32)
