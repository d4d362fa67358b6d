"""Exact search and the graph give the same images, with and without conditions."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes import hnsw, search
from paperclip_cli.indexes.background import LEVELS, Background
from paperclip_cli.indexes.database import Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.hnsw import build_graph, graph_paths, graph_state
from paperclip_cli.indexes.search import Search
from paperclip_cli.install import extra_line
from paperclip_cli.workspace import Manifest

pytest.importorskip("hnswlib")

COUNT = 3_000


def clustered(count: int, seed: int) -> np.ndarray:
    """Unit vectors float32 [count, 16] in 50 clusters."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((50, 16))
    vectors = centres[random.integers(0, 50, count)] + 0.5 * random.standard_normal((count, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> IndexFolder:
    folder = tmp_path_factory.mktemp("index")
    write_observations(folder / "o.sqlite", [], {}, {})
    vectors = clustered(COUNT, 1)
    build_graph(folder, 7, vectors)
    return IndexFolder(
        folder=folder,
        manifest=Manifest(stage="index", config={}, extra={"generation": 7}),
        vectors=vectors,
        observations=Observations(folder / "o.sqlite"),
        background=Background(tuple(np.linspace(-1, 1, len(LEVELS)).tolist())),
    )


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the graph worth using even for a few vectors."""
    monkeypatch.setattr(search, "GRAPH_FROM", 1_000)


def top(searching: Search, query: np.ndarray, count: int) -> list[tuple[int, float]]:
    return list(islice(searching.ranked(query)[1], count))


@pytest.mark.parametrize("rows", [None, np.arange(0, COUNT, 2)], ids=["all", "half"])
def test_the_graph_finds_what_exact_search_finds(
    index: IndexFolder, rows: np.ndarray | None
) -> None:
    exact, graphic = Search(index, rows), Search(index, rows, is_many=True)
    assert exact._graph is None and graphic._graph is not None
    shared = 0
    for query in clustered(50, 2):
        expected, found = top(exact, query, 10), top(graphic, query, 10)
        shared += len(dict(expected).keys() & dict(found).keys())
        cosines = dict(expected)
        assert all(
            cosine == pytest.approx(cosines[row], abs=1e-6)
            for row, cosine in found
            if row in cosines
        )
        assert rows is None or set(dict(found)) <= set(rows.tolist())
    assert shared >= 0.99 * 500


def test_whoever_asks_on_gets_every_row_once(index: IndexFolder) -> None:
    for rows in (None, np.arange(0, COUNT, 2)):
        found = [row for row, _ in Search(index, rows, is_many=True).ranked(clustered(1, 3)[0])[1]]
        assert sorted(found) == list(range(COUNT) if rows is None else rows)


@pytest.mark.parametrize(
    "rows", [np.arange(0, COUNT, 100), np.empty(0, np.int64)], ids=["few", "none"]
)
def test_few_rows_are_searched_exactly_and_gathered_once(
    index: IndexFolder, rows: np.ndarray
) -> None:
    few = Search(index, rows, is_many=True)
    query = clustered(1, 4)[0]
    assert few._graph is None and few._gathered is not None
    found, expected = top(few, query, 40), top(Search(index, rows), query, 40)
    assert [row for row, _ in found] == [row for row, _ in expected]
    assert [cosine for _, cosine in found] == pytest.approx(
        [cosine for _, cosine in expected], abs=1e-6
    )


def test_one_query_opens_no_graph(index: IndexFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hnsw, "open_graph", None)
    index = replace(index)  # nothing of it is open yet
    assert len(top(Search(index, None), clustered(1, 5)[0], 10)) == 10


def test_a_graph_of_other_vectors_is_not_used_and_said_to_be(index: IndexFolder) -> None:
    other = replace(index, vectors=clustered(COUNT, 9))
    searching = Search(other, None, is_many=True)
    assert searching._graph is None and "does not fit" in searching.note
    assert top(searching, other.vectors[5], 1)[0][0] == 5


def test_a_graph_that_is_cut_short_is_stale(tmp_path: Path) -> None:
    vectors = clustered(100, 1)
    assert graph_state(tmp_path, 1, vectors) == "none"
    build_graph(tmp_path, 1, vectors)
    assert graph_state(tmp_path, 1, vectors) == "ready"
    path, card = graph_paths(tmp_path, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert graph_state(tmp_path, 1, vectors) == "ready"
    assert graph_state(tmp_path, 1, vectors, verify=True) == "stale"
    path.write_bytes(whole[:-8])
    assert graph_state(tmp_path, 1, vectors) == "stale"
    card.write_text("nonsense")
    assert graph_state(tmp_path, 1, vectors) == "stale"


def test_without_the_library_its_installation_is_named(
    index: IndexFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hnsw, "is_installed", lambda: False)
    searching = Search(replace(index), None, is_many=True)
    assert searching._graph is None and extra_line("hnsw") in searching.note
    with pytest.raises(PaperclipError, match="hnswlib is not installed") as error:
        build_graph(tmp_path, 1, index.vectors)
    assert error.value.hint == extra_line("hnsw")
