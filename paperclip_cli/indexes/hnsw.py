"""A graph of an index's vectors (HNSW, Malkov & Yashunin 2018), for processes that answer many queries.

    graph-<number>.hnsw    hnswlib's own format; labels are the rows of the vectors
    graph-<number>.json    which vectors it was built from; written last

It is built where it is used and never handed on: hnswlib believes what such a file says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import replace_file, replacing
from paperclip_cli.install import extra_line
from paperclip_cli.workspace import file_sha256

if TYPE_CHECKING:
    import hnswlib

# Links a vector, and candidates looked at when one is added and when one is sought: recall at 10 above 0.99 on 200,000 clustered
# vectors of 512 (tests/benchmarks/search.py).
LINKS, BUILD_CANDIDATES, CANDIDATES = 16, 100, 96
EXTRA = "hnsw"
_BLOCK = 4_096
_PROBES = 256


def build_graph(
    folder: Path, number: int, vectors: np.ndarray, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Writes the graph of a generation's normalised vectors float32 [N, D]; N may not be 0. `advance` is told what is done."""
    graph = _new(vectors.shape[1])
    graph.init_index(
        max_elements=len(vectors), M=LINKS, ef_construction=BUILD_CANDIDATES, random_seed=0
    )
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        graph.add_items(block, np.arange(start, start + len(block)))
        advance(len(block))
    path, card = graph_paths(folder, number)
    with replacing(path) as temporary:
        graph.save_index(str(temporary))
    said = {"vectors": _fingerprint(vectors), "size": path.stat().st_size}
    replace_file(card, json.dumps(said | {"sha256": file_sha256(path)}) + "\n")


def graph_state(folder: Path, number: int, vectors: np.ndarray, verify: bool = False) -> str:
    """`ready`, `none`, or `stale` for one that is not of these vectors, or damaged: `verify` reads it."""
    path, card = graph_paths(folder, number)
    if not card.exists():
        return "none"
    try:
        said = json.loads(card.read_text(encoding="utf-8"))
        found = _fingerprint(vectors), path.stat().st_size
        fits = (said["vectors"], said["size"]) == found and (
            not verify or file_sha256(path) == said["sha256"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "stale"
    return "ready" if fits else "stale"


def open_graph(folder: Path, number: int, vectors: np.ndarray) -> Graph:
    """The graph of a generation, whose state is `ready`. PaperclipError where hnswlib is missing or refuses it."""
    graph = _new(vectors.shape[1])
    path, _ = graph_paths(folder, number)
    try:
        graph.load_index(str(path), max_elements=len(vectors))
    except RuntimeError as error:
        raise PaperclipError(
            f"{path} cannot be read ({error})", "build it anew with paperclip index --hnsw"
        ) from error
    return Graph(graph)


class Graph:
    """An open graph."""

    def __init__(self, graph: hnswlib.Index) -> None:
        self._graph = graph

    def nearest(self, query: np.ndarray, count: int) -> np.ndarray:
        """Rows int64 of about the `count` nearest vectors to a normalised `query` [D], in no order that counts; `count` <= N.

        None at all where the graph does not lead to so many.
        """
        self._graph.set_ef(max(CANDIDATES, count + count // 4))
        try:
            rows, _ = self._graph.knn_query(query[None], k=count, num_threads=1)
        except RuntimeError:
            return np.empty(0, np.int64)
        return rows[0].astype(np.int64)


def is_installed() -> bool:
    """Whether the extra is there, without importing it."""
    from importlib.util import find_spec

    return find_spec("hnswlib") is not None


def check_installed() -> None:
    """PaperclipError, with what installs it, where the extra is missing."""
    if not is_installed():
        raise PaperclipError("hnswlib is not installed", extra_line(EXTRA))


def graph_paths(folder: Path, number: int) -> tuple[Path, Path]:
    """The graph and the card that says what it was built from."""
    return folder / f"graph-{number:06d}.hnsw", folder / f"graph-{number:06d}.json"


def _new(dimension: int) -> hnswlib.Index:
    check_installed()
    import hnswlib

    return hnswlib.Index(space="ip", dim=dimension)


def _fingerprint(vectors: np.ndarray) -> str:
    """SHA-256 over shape and some rows, evenly spaced: two states of an index differ in more than a few rows between them."""
    rows = np.linspace(0, len(vectors) - 1, min(_PROBES, len(vectors))).astype(np.int64)
    return hashlib.sha256(
        repr(vectors.shape).encode() + np.ascontiguousarray(vectors[rows]).tobytes()
    ).hexdigest()
