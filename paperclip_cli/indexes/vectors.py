"""Embeddings on disk, one float32 row a vector in a memory-mapped .npy file, and exact search over them.

Exact search beats loading a graph index in a process that answers one query: a million vectors of 512 are scanned in a quarter
of a second from the page cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import replacing
from paperclip_cli.wording import counted

# Fewer rows than this share of all are gathered before they are multiplied; more are quicker picked from the product of all.
_GATHER_SHARE = 0.1


def write_vectors(path: Path, shape: tuple[int, int], blocks: Iterable[np.ndarray]) -> None:
    """Writes blocks float32 [n, D] one after the other as one .npy file of `shape` [N, D], which is there only when it is whole.

    Written as a stream and not through a map: a full disk is then an OSError and not a bus error.
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
    """The vectors float32 [N, D], mapped read-only. PaperclipError where the file holds anything else than `shape`."""
    if shape[0] == 0:
        return np.empty(shape, np.float32)  # nothing cannot be mapped
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError) as error:  # an empty file is at its end
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
    """Cosines float32 of normalised `vectors` [N, D] with a normalised `query` [D], of all or of some `rows` int64 [M]."""
    if rows is None:
        return vectors @ query
    if len(rows) < _GATHER_SHARE * len(vectors):
        return vectors[rows] @ query
    return (vectors @ query)[rows]


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """Places int64 of the `count` highest of `scores` [N], highest first; equal scores in the order of their places."""
    places = np.arange(len(scores))
    if 0 < count < len(scores):
        places = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
    return places[np.lexsort((places, -scores[places]))][:count]


def normalised(vector: np.ndarray) -> np.ndarray:
    """A vector [D] at length 1, float32. PaperclipError where it has no direction."""
    length = float(np.linalg.norm(vector))
    if not length > 1e-6:
        raise PaperclipError(
            "the parts of the query cancel out", "leave out what is both wanted and not wanted"
        )
    return (vector / length).astype(np.float32)
