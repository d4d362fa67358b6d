"""Queries per second of one process that reads them from standard input, once it has started.

    python tests/benchmarks/stdin_queries.py [--images 31859] [--queries 1000] [--hnsw]

Uses a random model of the size of ViT-B/16 with CLIP's own tokenizer, an index of random vectors (a
hard case for a graph), and queries of two to eight words. Prints the seconds to the first answer,
the rate from there to the last, and its ratio to 50 per second.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _checkout  # noqa: F401

from paperclip_cli.indexes.folder import open_index
from paperclip_cli.indexes.hnsw import build_graph
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.workspace import Workspace
from tests.benchmarks.cold_query import make_index, make_model

WORDS = (
    "galaxy merger cluster globular nebula planetary supernova remnant spiral dust quasar lens"
).split()
WANTED = 50  # queries per second


def write_queries(path: Path, count: int) -> None:
    choose = random.Random(0)
    lines = (" ".join(choose.choices(WORDS, k=choose.randint(2, 8))) for _ in range(count))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def answer_times(command: list[str], queries: Path, hits: int) -> list[float]:
    """Seconds from the start of the process to the last hit of each answer."""
    begin = time.perf_counter()
    times = []
    with (
        queries.open() as asked,
        subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        for number, _ in enumerate(process.stdout, 1):
            if number % hits == 0:
                times.append(time.perf_counter() - begin)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=31_859)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--hnsw", action="store_true")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace(Path(place, "cache"), offline=True)
        make_model(workspace.model("base"))
        make_index(workspace, ModelFolder.open(workspace.model("base"), "base"), options.images)
        if options.hnsw:
            index = open_index(workspace.index("default"))
            build_graph(index.folder, index.generation, index.vectors)
        write_queries(Path(place, "queries"), options.queries)

        paperclip = [str(Path(sys.executable).with_name("paperclip")), "--quiet"]
        paperclip += ["--cache-dir", str(workspace.root)]
        command = [*paperclip, "query", "-", "--format", "jsonl", "--no-collapse"]
        times = answer_times(command, Path(place, "queries"), 10)

    assert len(times) == options.queries, f"{len(times)} answers to {options.queries} queries"
    rate = (len(times) - 1) / (times[-1] - times[0])
    graph = " with a graph" if options.hnsw else ""
    print(f"{options.images:,} images{graph}, {options.queries:,} queries")
    print(f"first answer after       {times[0]:6.2f} s")
    print(f"then                     {rate:6.1f} queries per second")
    print(f"ratio to {WANTED}              {rate / WANTED:6.2f}")


if __name__ == "__main__":
    main()
