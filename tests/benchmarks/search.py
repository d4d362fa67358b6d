"""Exact search against the graph of `index --hnsw`, for processes that answer many queries.

    python tests/benchmarks/search.py [--vectors 200000] [--dimension 512] [--queries 200]

Searches clustered vectors, with one cluster per hundred of them. For each share of the index that a
filter keeps, it prints milliseconds per search for ten hits: exact over rows gathered once, and
through the graph, which is asked for correspondingly more. It prints the graph's recall at 10 too,
and the time to build and to load the graph. `indexes.search.GRAPH_FROM` and `GRAPH_SHARE` are set
from it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import _checkout  # noqa: F401
import numpy as np

from paperclip_cli.indexes import search
from paperclip_cli.indexes.background import LEVELS, Background
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.hnsw import build_graph
from paperclip_cli.indexes.search import Search
from paperclip_cli.workspace import Manifest

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.01)


def clustered(count: int, dimension: int, clusters: int, seed: int) -> np.ndarray:
    """Unit vectors float32 [count, dimension]: cluster centres with as much noise."""
    centres = np.random.default_rng(0).standard_normal((clusters, dimension), dtype=np.float32)
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, dimension), dtype=np.float32)
    vectors += centres[random.integers(0, clusters, count)]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def timed(searching: Search, queries: np.ndarray) -> tuple[float, list[set[int]]]:
    """Milliseconds per search, and the ten rows that each found."""

    def top(query: np.ndarray) -> set[int]:
        return {row for row, _ in searching.ranked(query)[0]}

    top(queries[0])
    begin = time.perf_counter()
    found = [top(query) for query in queries]
    return (time.perf_counter() - begin) / len(queries) * 1e3, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200)
    options = parser.parse_args()

    clusters = options.vectors // 100
    vectors = clustered(options.vectors, options.dimension, clusters, 1)
    queries = clustered(options.queries, options.dimension, clusters, 2)
    with tempfile.TemporaryDirectory() as place:
        index = IndexFolder(
            folder=Path(place),
            manifest=Manifest(stage="index", config={}, extra={"generation": 1}),
            vectors=vectors,
            observations=None,  # type: ignore[arg-type]
            background=Background(tuple([0.0] * len(LEVELS))),
        )
        print_graph_times(index)
        print(" share     rows   exact ms   graph ms   recall")
        for share in SHARES:
            print_share(index, queries, share)


def print_graph_times(index: IndexFolder) -> None:
    begin = time.perf_counter()
    build_graph(index.folder, 1, index.vectors)
    built = time.perf_counter() - begin

    begin = time.perf_counter()
    _ = index.graph
    loaded = time.perf_counter() - begin

    count, dimension = index.vectors.shape
    print(
        f"{count:,} vectors of {dimension}: graph built in {built:.0f} s, loaded in {loaded:.2f} s",
        flush=True,
    )


def print_share(index: IndexFolder, queries: np.ndarray, share: float) -> None:
    """Print the times and the recall for a filter that keeps a share of the index."""
    total = len(index.vectors)
    kept = np.random.default_rng(3).random(total) < share
    rows = None if share == 1 else np.flatnonzero(kept)

    search.GRAPH_FROM, search.GRAPH_SHARE = total, 2.0  # exact, whatever the rows
    exact, expected = timed(Search(index, rows, is_many=True), queries)
    search.GRAPH_FROM, search.GRAPH_SHARE = 1, 0.0  # always through the graph
    through, found = timed(Search(index, rows, is_many=True), queries)

    shared = [len(one & other) / 10 for one, other in zip(expected, found, strict=True)]
    count = total if rows is None else len(rows)
    print(
        f"{share:6.2f} {count:8,} {exact:10.2f} {through:10.2f} {np.mean(shared):8.4f}", flush=True
    )


if __name__ == "__main__":
    main()
