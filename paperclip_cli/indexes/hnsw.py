"""A graph of an index's vectors (HNSW, Malkov & Yashunin 2018), for many queries in one process.

    graph-<number>.hnsw    hnswlib's own format; labels are the rows of the vectors
    graph-<number>.json    the card: the vectors it was built from; written last

It is built where it is used and never shared, because hnswlib trusts the content of such a file.
"""

from __future__ import annotations

import hashlib
import json
import threading
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

# Links per vector, and candidates examined when a vector is added and when one is searched for:
# recall at 10 above 0.99 on 200,000 clustered vectors of 512 (tests/benchmarks/search.py).
LINKS, BUILD_CANDIDATES, CANDIDATES = 16, 100, 96
EXTRA = "hnsw"
_BLOCK = 4_096  # vectors added between two reports of progress
_PROBES = 256  # rows in a fingerprint


def build_graph(
    folder: Path, number: int, vectors: np.ndarray, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Writes the graph of a generation's normalised vectors float32 [N, D]. N must not be 0.

    `advance` is called with the number of vectors added.
    """
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
    """`ready`, `none`, or `stale` for a graph of other vectors or a damaged one.

    Only with `verify` is the whole graph read.
    """
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


def usable_graph(folder: Path, number: int, vectors: np.ndarray) -> tuple[Graph | None, str]:
    """The graph of a generation, None where none can be used; and why not, if there is one."""
    state = graph_state(folder, number, vectors)
    if state == "ready" and is_installed():
        return open_graph(folder, number, vectors), ""
    if state == "stale":
        remedy = "build it anew with paperclip index --hnsw"
        return None, f"the graph does not fit the index and is not used: {remedy}"
    if state == "ready":
        remedy = extra_line(EXTRA)
        return None, f"the graph of the index is not used, because hnswlib is missing: {remedy}"
    return None, ""


def open_graph(folder: Path, number: int, vectors: np.ndarray) -> Graph:
    """The graph of a generation, whose state is `ready`.

    Raises:
        PaperclipError: hnswlib is missing or cannot load it.
    """
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
    """An open graph. Threads may share it."""

    def __init__(self, graph: hnswlib.Index) -> None:
        self._graph, self._lock = graph, threading.Lock()

    def nearest(self, query: np.ndarray, count: int) -> np.ndarray:
        """Rows int64 of about the `count` <= N nearest vectors to a normalised `query` [D].

        They are in no particular order. There are none where the graph finds fewer than `count`.
        """
        with self._lock:  # the number of candidates is a setting of the graph
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
    """Raises a PaperclipError, with the command that installs it, where the extra is missing."""
    if not is_installed():
        raise PaperclipError("hnswlib is not installed", extra_line(EXTRA))


def graph_paths(folder: Path, number: int) -> tuple[Path, Path]:
    """The files of a generation's graph and of its card."""
    return folder / f"graph-{number:06d}.hnsw", folder / f"graph-{number:06d}.json"


def _new(dimension: int) -> hnswlib.Index:
    check_installed()
    import hnswlib

    return hnswlib.Index(space="ip", dim=dimension)


def _fingerprint(vectors: np.ndarray) -> str:
    """SHA-256 over the shape and some evenly spaced rows.

    Two states of an index differ in more than a few rows between these.
    """
    rows = np.linspace(0, len(vectors) - 1, min(_PROBES, len(vectors))).astype(np.int64)
    data = np.ascontiguousarray(vectors[rows]).tobytes()
    return hashlib.sha256(repr(vectors.shape).encode() + data).hexdigest()
