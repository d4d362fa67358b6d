"""An index goes from a folder into an engine and comes back equal; its status and its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.cli.app import run as command
from paperclip_cli.config import BundleConfig, IndexConfig, QueryConfig
from paperclip_cli.engines.address import parse_address
from paperclip_cli.errors import MissingStage, PaperclipError, UsageError
from paperclip_cli.indexes.folder import open_index
from paperclip_cli.stages import cache_list, index_export, index_import, index_status, query
from paperclip_cli.stages import index as stage
from paperclip_cli.workspace import Workspace, read_manifest
from tests.engines.test_same_answers import assert_same, write_mission
from tests.small_indexes import holds, index_of, towers


@pytest.fixture
def indexed(workspace: Workspace, tiny_model: Path) -> Workspace:
    write_mission(workspace, "hst", 8)
    stage.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    return workspace


def test_there_and_back(indexed: Workspace, fresh_database: str) -> None:
    report = index_export.run(BundleConfig(fresh_database), indexed)
    assert report.counts == {"images": 17, "vectors": 17}
    assert report.output == str(parse_address(fresh_database))
    index_import.run(BundleConfig(fresh_database, "copy"), indexed)
    ours, back = index_of(indexed), index_of(indexed, "copy")
    assert holds(ours) == holds(back) and np.array_equal(ours.vectors, back.vectors)
    assert ours.manifest.counts == back.manifest.counts
    assert {**ours.manifest.extra, "generation": 1} == back.manifest.extra
    assert ours.manifest.config == back.manifest.config
    answers = [
        next(query.run(QueryConfig(texts=("dust",), indexes=(name,), k=100), indexed))
        for name in ("default", "copy")
    ]
    assert_same(*answers)


def test_what_is_there_is_not_replaced(indexed: Workspace, fresh_database: str) -> None:
    index_export.run(BundleConfig(fresh_database), indexed)
    with pytest.raises(PaperclipError, match="there is an index"):
        index_export.run(BundleConfig(fresh_database), indexed)
    index_export.run(BundleConfig(fresh_database, force=True), indexed)
    with pytest.raises(PaperclipError, match="already exists"):
        index_import.run(BundleConfig(fresh_database), indexed)
    with pytest.raises(UsageError, match="in an engine already"):
        index_export.run(BundleConfig(fresh_database, fresh_database), indexed)
    with pytest.raises(UsageError, match="goes into a folder"):
        index_import.run(BundleConfig("a.zip", fresh_database), indexed)


def test_a_bundle_of_an_index_in_an_engine(
    indexed: Workspace, fresh_database: str, tmp_path: Path
) -> None:
    """And an imported index, with its thumbnails and its text tower, in an engine."""
    index_export.run(BundleConfig(fresh_database), indexed)
    index_export.run(BundleConfig(str(tmp_path / "a.zip")), indexed)
    index_export.run(BundleConfig(str(tmp_path / "b.zip"), fresh_database), indexed)
    for name in "ab":
        index_import.run(BundleConfig(str(tmp_path / f"{name}.zip"), name), indexed)
    ours, theirs = (holds(index_of(indexed, name)) for name in "ab")
    for one in (*ours.values(), *theirs.values()):
        one[0] = replace(one[0], mtime_ns=0)  # of the thumbnails
    assert ours == theirs

    index_export.run(BundleConfig(fresh_database, "a", force=True), indexed)
    answers = [
        next(query.run(QueryConfig(texts=("dust",), indexes=(name,), k=100), indexed))
        for name in ("a", fresh_database)
    ]
    assert all(Path(hit.image).is_file() for hit in answers[1].hits)
    assert [Path(hit.image).name for hit in answers[0].hits] == [
        Path(hit.image).name for hit in answers[1].hits
    ]


def test_the_status_is_that_of_the_folder(
    indexed: Workspace, fresh_database: str, tiny_model: Path
) -> None:
    index_export.run(BundleConfig(fresh_database), indexed)
    (indexed.previews("hst") / "proposal_1" / "visit_0.jpg").unlink()
    ours, theirs = (
        index_status.run(IndexConfig(name=name), indexed) for name in ("default", fresh_database)
    )
    own = {"index", "folder", "made", "age_days", "bytes"}
    assert {k: v for k, v in ours.items() if k not in own} == {
        k: v for k, v in theirs.items() if k not in own
    }
    assert theirs["bytes"] > 17 * 64 * 4 and theirs["gone"] == 1


def test_the_cache_knows_of_it(indexed: Workspace, fresh_database: str) -> None:
    index_export.run(BundleConfig(fresh_database), indexed)
    (kept,) = [one for one in cache_list.run(indexed) if one.kind == "engine"]
    assert kept.used_by == (f"index {parse_address(fresh_database)}",)


def test_commands(
    indexed: Workspace, fresh_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def paperclip(*arguments: str) -> str:
        code = command(["--cache-dir", str(indexed.root), "--offline", *arguments])
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out + said.err

    secret = fresh_database.replace("postgres:@", "postgres:s%20cret@")
    told = paperclip("index", "--export", secret)
    told += paperclip("index", "--index", secret, "--status")
    told += paperclip("query", "dust", "--index", secret, "--json")
    told += paperclip("query", "--near", "SPIRAL-4", "--index", secret)
    told += paperclip("cite", "--index", secret)
    told += paperclip("index", "--import", secret, "--index", "copy")
    told += paperclip("cache", "ls")
    assert "s%20cret" not in told and "s cret" not in told and "SPIRAL-4: at" in told
    manifest = read_manifest(indexed.index("copy"))
    assert manifest is not None and "cret" not in str(manifest)
    assert open_index(indexed.index("copy")).name == "copy"


def test_what_is_not_there(workspace: Workspace, fresh_database: str) -> None:
    with pytest.raises(MissingStage, match=r"there is no index (postgresql|milvus)"):
        next(query.run(QueryConfig(texts=("dust",), indexes=(fresh_database,)), workspace))
    gone = "postgresql://me:hid%20den@127.0.0.1:1/db"
    with pytest.raises(PaperclipError) as error:
        next(query.run(QueryConfig(texts=("dust",), indexes=(gone,)), workspace))
    assert "me@127.0.0.1:1" in error.value.message and "hid" not in error.value.message
    with pytest.raises(UsageError, match="no known engine"):
        next(query.run(QueryConfig(texts=("dust",), indexes=("redis://host/a",)), workspace))
