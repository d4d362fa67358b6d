"""Times of searches of an index that was opened once, from Python.

    python tests/benchmarks/open_index.py [--images 31859] [--runs 101] [--work DIR]

Searches an index of random vectors of 512 with a random model of the size of ViT-B/16. Prints the
median of each kind of search, its ratio to a query as a whole process, and whether ten threads get
the answers of one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import _checkout  # noqa: F401
import numpy as np

from paperclip_cli.api.search import open_index
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.workspace import Workspace
from tests.benchmarks.cold_query import make_index, make_model, timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=31_859)
    parser.add_argument("--runs", type=int, default=101)
    parser.add_argument("--work", type=Path, help="keep model and index in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace((options.work or Path(place, "cache")).absolute(), offline=True)
        if not workspace.model("base").exists():
            make_model(workspace.model("base"))
        if not workspace.names("indexes"):
            make_index(workspace, ModelFolder.open(workspace.model("base"), "base"), options.images)
        measure(workspace, options.runs)


def measure(workspace: Workspace, runs: int) -> None:
    begin = time.perf_counter()
    index = open_index(cache=workspace.root)
    index.search("galaxy mergers")
    print(f"{index}: opened and searched once in {1e3 * (time.perf_counter() - begin):.0f} ms")

    vectors = np.random.default_rng(0).standard_normal((runs, index.vectors.shape[1]))
    kinds: dict[str, Callable[[int], object]] = {
        "a vector": lambda run: index.search(vectors[run]),
        "a text seen before": lambda run: index.search("galaxy mergers"),
        "a new text": lambda run: index.search(f"galaxy mergers {run}"),
        "a text seen before, --instrument": lambda run: index.search(
            "galaxy mergers", instrument="ACS"
        ),
    }
    whole = whole_process(workspace.root)
    for kind, search in kinds.items():
        took = statistics.median(seconds(search, run) for run in range(runs))
        print(f"{kind:34} {1e3 * took:7.2f} ms, {took / whole:.4f} of a process ({whole:.2f} s)")

    texts = [f"spiral galaxy {number % 20}" for number in range(100)]
    with ThreadPoolExecutor(10) as pool:
        same = list(pool.map(index.search, texts)) == list(map(index.search, texts))
    print(f"ten threads give the answers of one: {same}")


def seconds(search: Callable[[int], object], run: int) -> float:
    begin = time.perf_counter()
    search(run)
    return time.perf_counter() - begin


def whole_process(cache: Path) -> float:
    """The median time of `paperclip query` as a process."""
    line = [sys.executable, "-m", "paperclip_cli", "--cache-dir", str(cache), "query", "galaxies"]
    return statistics.median(timed(line)[0] for _ in range(5))


if __name__ == "__main__":
    main()
