"""Milvus: what it finds under conditions, and deaths at each step of a change."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.engines import milvus_tables, milvus_writer
from paperclip_cli.engines.address import parse_address
from paperclip_cli.engines.base import Filter
from paperclip_cli.engines.index import open_address, open_engine
from paperclip_cli.engines.milvus import Milvus
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.stages import index as stage
from paperclip_cli.stages import query
from paperclip_cli.workspace import Workspace
from tests.engines.made_up import RARE, SIZE, recall, rows, vectors
from tests.engines.servers import MILVUS, missing
from tests.factories import write_fetched
from tests.small_indexes import FakeTower, towers


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The address of an index in a file that is not there yet."""
    if reason := missing(MILVUS):
        pytest.skip(reason)
    return f"milvus:///{tmp_path}/file.db?collection=hst"


@pytest.fixture
def engine(file: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Milvus]:
    """Rows with a graph, of which one in a hundred has an instrument of its own."""
    monkeypatch.setattr(milvus_writer, "GRAPH_FROM", 1_000)
    opened = open_engine(parse_address(file))
    assert isinstance(opened, Milvus)
    with opened.writing() as writer:
        writer.create(SIZE)
        writer.upsert(rows(), vectors())
        writer.write({"state": b"{}"})
    yield opened
    opened.drop()
    opened.close()


def test_the_graph_loses_no_hit_under_conditions(engine: Milvus) -> None:
    assert engine.size()[1] and engine.size()[0] > 3_000 * SIZE * 4
    assert recall(engine, vectors()[:7]) >= 0.98
    for count in (29, 30, 31):
        few = engine.search(vectors()[0], RARE, count, False, False)
        assert len(few.ids) == min(count, 30) and few.is_all == (count > 30)


def test_long_records_and_lists_of_ids(engine: Milvus) -> None:
    data = np.random.default_rng(0).bytes(500_000)
    with engine.writing() as writer:
        writer.delete(range(0, 3_000, 2))
        writer.write({"nearest": data})
    assert engine.read(["nearest", "nothing"]) == {"nearest": data}
    assert engine.count([]) == 1_500
    assert engine.count([Filter("id", "in", np.arange(6_000))]) == 1_500
    assert len(engine.fetch(("id", "path"), [])) == 1_500
    assert engine.count([Filter("path", "in", [])]) == 0


def test_names_of_files(workspace: Workspace) -> None:
    if reason := missing(MILVUS):
        pytest.skip(reason)
    with pytest.raises(UsageError, match=r"ends in \.db"):
        open_engine(parse_address("milvus:///a.milvus"))
    assert milvus_tables.file_of(parse_address("milvus:///a/b%20c.db")) == "a/b c.db"
    assert milvus_tables.file_of(parse_address("milvus:////a/b.db")) == "/a/b.db"
    with pytest.raises(PaperclipError) as error:
        open_engine(parse_address("milvus://me:hid%20den@127.0.0.1:1/db"))
    assert "hid" not in error.value.message


def ask(workspace: Workspace, name: str) -> list[str]:
    config = QueryConfig(texts=("dust",), indexes=(name,), k=50, collapse="none")
    return [hit.image for hit in next(query.run(config, workspace)).hits]


@pytest.mark.parametrize("name", ["upsert", "_put", "_set_head", "_clear"])
def test_a_client_that_is_killed_while_it_writes(
    file: str, workspace: Workspace, tiny_model: Path, name: str
) -> None:
    """Whether before the head is replaced or after it: nothing is lost, nothing is there twice."""
    write_fetched(workspace, "hst", 8)
    config = IndexConfig(model=str(tiny_model), name=file)
    stage.run(config, workspace, **towers())  # type: ignore[arg-type]
    before = ask(workspace, file)
    stop()
    (workspace.previews("hst") / "proposal_2" / "visit_0.jpg").unlink()
    write_fetched(workspace, "jwst", 5)
    code = f"""
import os, signal
from pathlib import Path
from paperclip_cli.config import IndexConfig
from paperclip_cli.engines.milvus_writer import MilvusWriter
from paperclip_cli.stages import index
from paperclip_cli.workspace import Workspace
from tests.small_indexes import towers
done, calls = MilvusWriter.{name}, []
def die(self, *given):
    calls.append(given)
    made = done(self, *given)
    if {name!r} != "_clear" or len(calls) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return made
MilvusWriter.{name} = die
config = IndexConfig(model={str(tiny_model)!r}, name={file!r})
index.run(config, Workspace(Path({str(workspace.root)!r}), True), **towers())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL
    after = ask(workspace, file)
    if name in ("upsert", "_put"):
        assert after == before
    tower = FakeTower()
    stage.run(config, workspace, **towers(tower))  # type: ignore[arg-type]
    assert tower.embedded == 0
    index = open_address(file, workspace)
    paths = [image.entry.path for image in index.rows.images()]
    assert len(paths) == len(set(paths)) == index.engine.count([]) == len(ask(workspace, file))
    assert len([path for path in paths if "jwst" in path]) == 8
    assert "previews/hst/proposal_2/visit_0.jpg" not in paths
    index.engine.drop()
    index.engine.close()
    stop()


def stop() -> None:
    """Lets go of all files, so that another process can open them."""
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_all()
