"""PostgreSQL: its graph, its rights, its deaths, and many clients at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.engines import postgres_tables
from paperclip_cli.engines.address import parse_address
from paperclip_cli.engines.base import Filter
from paperclip_cli.engines.index import open_address, open_engine
from paperclip_cli.engines.postgres import Postgres
from paperclip_cli.engines.postgres_tables import Vectors
from paperclip_cli.errors import PaperclipError
from paperclip_cli.stages import index as stage
from paperclip_cli.stages import query
from paperclip_cli.workspace import Workspace
from tests.engines.made_up import RARE, ROWS, SIZE, recall, rows, vectors
from tests.engines.servers import POSTGRES, missing, postgres
from tests.factories import write_fetched
from tests.small_indexes import FakeTower, towers


@pytest.fixture
def engine(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A table with a graph."""
    from paperclip_cli.engines import postgres as module

    for place in (postgres_tables, module):
        monkeypatch.setattr(place, "GRAPH_FROM", 1_000)
    opened = open_engine(parse_address(postgres_database))
    assert isinstance(opened, Postgres)
    with opened.writing() as writer:
        writer.create(SIZE)
        writer.upsert(rows(), vectors())
        writer.write({"state": b"{}"})
    yield opened
    opened.close()


def test_the_graph_finds_nearly_all_and_is_used(engine: Postgres) -> None:
    assert engine.size()[1], "there is a graph"
    (plan,) = engine._ask(
        lambda tables: [
            tables.execute(
                f"EXPLAIN SELECT id FROM {{rows}} ORDER BY {tables.vectors.order} LIMIT 10",
                {"vector": postgres_tables.vector_of(vectors()[0])},
                {"enable_sort": "off"},
            )
        ]
    )
    assert "_graph" in str(plan)
    assert recall(engine, vectors()[:30]) >= 0.99


def test_a_condition_that_few_meet_loses_no_hit(engine: Postgres) -> None:
    """A graph tests conditions on its candidates only, of which few rows may be left."""
    for count in (1, 10, 29, 30, 31, 100):
        found = engine.search(vectors()[0], RARE, count, False, False)
        assert len(found.ids) == min(count, 30) and found.is_all == (count > 30)


def test_what_an_engine_counts_and_deletes(engine: Postgres) -> None:
    assert engine.count([]) == ROWS and engine.count([], 7) == 7
    assert engine.count([Filter("id", "in", np.arange(5))]) == 5
    assert engine.count([Filter("path", "in", [])]) == 0
    with engine.writing() as writer:
        writer.delete(range(100, ROWS))
        writer.upsert(rows(3)[1:], vectors()[:2])  # the same ids, other vectors
    assert engine.count([]) == 100
    ((vector,),) = engine.fetch(("embedding",), [Filter("id", "in", [1])])
    assert np.array_equal(vector, vectors()[0])


def test_one_writer_at_a_time(engine: Postgres) -> None:
    other = Postgres(engine.address)
    with (
        engine.writing(),
        pytest.raises(PaperclipError, match="written by another process"),
        other.writing(),
    ):
        pass
    other.close()


@pytest.mark.parametrize(
    ("version", "type", "is_iterative", "has_graph"),
    [
        ((0, 6, 2), "vector", False, True),
        ((0, 7, 0), "halfvec", False, True),
        ((0, 8, 5), "halfvec", True, True),
    ],
)
def test_features_of_versions(
    version: tuple[int, ...], type: str, is_iterative: bool, has_graph: bool
) -> None:
    found = Vectors(version, 512)
    assert (found.type, found.has_iterative_scans) == (type, is_iterative)
    assert found.may_have_graph == has_graph
    assert Vectors((0, 6), 2_001).may_have_graph is False


@pytest.fixture
def indexed(workspace: Workspace, postgres_database: str, tiny_model: Path) -> Workspace:
    write_fetched(workspace, "hst", 12)
    stage.run(
        IndexConfig(model=str(tiny_model), name=postgres_database),
        workspace,
        **towers(),  # type: ignore[arg-type]
    )
    return workspace


def ask(workspace: Workspace, name: str, text: str = "dust") -> list[str]:
    config = QueryConfig(texts=(text,), indexes=(name,), k=5)
    return [hit.image for hit in next(query.run(config, workspace)).hits]


def test_a_reader_needs_no_more_than_select(
    indexed: Workspace, postgres_database: str, tiny_model: Path
) -> None:
    import psycopg

    address = parse_address(postgres_database)
    table = address.table
    with psycopg.connect(address.server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {table}_reader LOGIN")
        connection.execute(f"CREATE DATABASE {table}_empty")
        connection.execute(
            f"GRANT SELECT ON {table}, {table}_proposals, {table}_meta TO {table}_reader"
        )
        # What TAP publishes.
        found = connection.execute(
            f"SELECT obs_collection, target_name, s_ra, t_max FROM {table}_obscore"
            " WHERE proposal_id = 'hst:4' ORDER BY image"
        ).fetchall()
    assert found == [("HST", "SPIRAL-4", 40.0, pytest.approx(55004 + 100 / 86400))]

    reader = postgres_database.replace("postgres:@", f"{table}_reader@")
    assert ask(indexed, reader) == ask(indexed, postgres_database)
    with pytest.raises(PaperclipError, match="must be owner") as error:
        stage.run(
            IndexConfig(force=True, name=reader, model=str(tiny_model)),
            indexed,
            **towers(),  # type: ignore[arg-type]
        )
    assert error.value.hint
    empty = reader.replace("/postgres?", f"/{table}_empty?")
    engine = open_engine(parse_address(empty))
    with pytest.raises(PaperclipError, match="lacks pgvector") as error, engine.writing() as writer:
        writer.create(SIZE)
    assert "CREATE EXTENSION vector;" in str(error.value.hint)
    engine.close()


def test_many_clients_get_the_answers_of_one(indexed: Workspace, postgres_database: str) -> None:
    texts = [f"text {number}" for number in range(12)]
    alone = [ask(indexed, postgres_database, text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda text: ask(indexed, postgres_database, text), texts))
        from paperclip_cli.api.search import open_index

        shared = open_index(postgres_database, cache=indexed.root, offline=True)
        threads = list(pool.map(lambda text: [h.image for h in shared.search(text, k=5)], texts))
    assert alone == clients == threads


def test_a_client_that_is_killed_while_it_writes(
    indexed: Workspace, postgres_database: str, tiny_model: Path
) -> None:
    before = ask(indexed, postgres_database)
    write_fetched(indexed, "jwst", 6)
    code = f"""
import os, signal
from pathlib import Path
from paperclip_cli.config import IndexConfig
from paperclip_cli.engines import postgres
from paperclip_cli.stages import index
from paperclip_cli.workspace import Workspace
from tests.small_indexes import towers
put = postgres.PostgresWriter.upsert
def die(self, rows, vectors):
    put(self, rows, vectors)
    os.kill(os.getpid(), signal.SIGKILL)
postgres.PostgresWriter.upsert = die
config = IndexConfig(model={str(tiny_model)!r}, name={postgres_database!r})
index.run(config, Workspace(Path({str(indexed.root)!r}), True), **towers())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL
    assert ask(indexed, postgres_database) == before
    tower = FakeTower()
    report = stage.run(
        IndexConfig(model=str(tiny_model), name=postgres_database),
        indexed,
        **towers(tower),  # type: ignore[arg-type]
    )
    assert tower.embedded == 0 and report.counts["new"] == 10
    index = open_address(postgres_database, indexed)
    paths = [image.entry.path for image in index.rows.images()]
    assert len(paths) == len(set(paths)) == 30 == index.engine.count([])
    index.engine.close()


@pytest.mark.parametrize("package", POSTGRES.values(), ids=POSTGRES.keys())
def test_a_server_that_is_killed(package: str, workspace: Workspace, tiny_model: Path) -> None:
    """It comes back with all that was written, and an open index goes on."""
    if reason := missing(package):
        pytest.skip(reason)
    write_fetched(workspace, "hst", 12)
    with postgres(package) as server:
        config = IndexConfig(model=str(tiny_model), name=server.address)
        stage.run(config, workspace, **towers())  # type: ignore[arg-type]
        before = ask(workspace, server.address)
        index = open_address(server.address, workspace)
        server.kill()
        with pytest.raises(PaperclipError):
            index.rows.firsts()
        server.start()
        assert ask(workspace, server.address) == before and len(index.rows.firsts()) == 20
        index.engine.close()
        assert stage.run(config, workspace, **towers()).unchanged  # type: ignore[arg-type]
