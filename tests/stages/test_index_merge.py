"""`index --shard` and `--merge`: parts of an index, and their union, which is the index itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import paperclip_cli
from paperclip_cli.config import BundleConfig, IndexConfig, MergeConfig, QueryConfig
from paperclip_cli.errors import MissingStage, PaperclipError, UsageError
from paperclip_cli.indexes.folder import IndexFolder, open_index
from paperclip_cli.indexes.update import State
from paperclip_cli.records import Hit
from paperclip_cli.stages import index, index_export, index_import, index_merge, query
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import towers

PARTS = 3


def embed(workspace: Workspace, name: str, model: Path, **more: object) -> None:
    config = IndexConfig(name=name, model=str(model), **more)  # type: ignore[arg-type]
    index.run(config, workspace, **towers())  # type: ignore[arg-type]


def opened(workspace: Workspace, name: str) -> IndexFolder:
    return open_index(workspace.index(name))


def answer(workspace: Workspace, name: str, **more: object) -> list[Hit]:
    config = QueryConfig(indexes=(name,), k=500, **more)  # type: ignore[arg-type]
    hits = next(query.run(config, workspace)).hits
    return [replace(hit, provenance="") for hit in hits]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Workspace:
    """Two missions, in one index and in three parts."""
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    write_fetched(workspace, "hst", proposals=12)
    write_fetched(workspace, "jwst", proposals=7)
    embed(workspace, "whole", tiny_model)
    for part in range(PARTS):
        embed(workspace, f"part{part}", tiny_model, shard=(part, PARTS))
    return workspace


def names() -> tuple[str, ...]:
    return tuple(f"part{part}" for part in range(PARTS))


def test_the_union_of_all_parts_is_the_whole_index(whole: Workspace) -> None:
    sizes = [len(opened(whole, name).vectors) for name in names()]
    assert sum(sizes) == len(opened(whole, "whole").vectors) and min(sizes) > 0
    report = index_merge.run(MergeConfig(merge=names(), name="union"), whole)
    one, other = opened(whole, "whole"), opened(whole, "union")
    assert report.counts["images"] == len(one.vectors)
    assert np.array_equal(one.vectors, other.vectors)
    assert State.of(one) == State.of(other)
    kept = {"dimension", "background", "evidence", "roots", "sources"}
    assert {name: one.manifest.extra[name] for name in kept} == {
        name: other.manifest.extra[name] for name in kept
    }
    for more in ({"texts": ("dust",)}, {"texts": ("a comet",), "rank_by": "hybrid"}):
        assert answer(whole, "union", **more) == answer(whole, "whole", **more)
    done = index.run(IndexConfig(name="union"), whole, **towers())  # type: ignore[arg-type]
    assert done.unchanged, "it is updated as if it had been made at once"


def test_a_part_is_updated_and_keeps_what_else_it_has(whole: Workspace, tiny_model: Path) -> None:
    embed(whole, "grown", tiny_model, shard=(0, PARTS))
    first = len(opened(whole, "grown").vectors)
    embed(whole, "grown", tiny_model, shard=(1, PARTS))
    sizes = [len(opened(whole, name).vectors) for name in names()[:2]]
    assert [first, len(opened(whole, "grown").vectors)] == [sizes[0], sum(sizes)]


def test_tiles_and_files_and_an_image_in_both(
    tmp_path: Path, tiny_model: Path, workspace: Workspace
) -> None:
    random = np.random.default_rng(0)
    for number in range(6):
        pixels = random.integers(0, 255, (40, 60, 3), np.uint8)
        (tmp_path / f"{number % 2}").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"{number % 2}" / f"{number}.png")
    for name, folders in {"a": ["0"], "b": ["0", "1"], "both": ["0", "1"]}.items():
        paths = tuple(tmp_path / folder for folder in folders)
        embed(workspace, name, tiny_model, paths=paths, view="tiles")
    found = paperclip_cli.merge_indexes(["b", "a"], index="union", cache=workspace.root)
    assert found.counts["images"] == 6
    one, other = opened(workspace, "both"), opened(workspace, "union")
    assert np.array_equal(one.vectors, other.vectors) and len(one.vectors) > 6
    assert State.of(one) == State.of(other)
    embed(workspace, "centre", tiny_model, paths=(tmp_path / "0",))
    with pytest.raises(PaperclipError, match="see images in different ways"):
        index_merge.run(MergeConfig(merge=("a", "centre"), name="no"), workspace)
    assert "no" not in workspace.names("indexes")


def test_imported_indexes_keep_their_pictures(
    whole: Workspace, tmp_path: Path, tiny_model: Path
) -> None:
    elsewhere = Workspace(tmp_path / "elsewhere", offline=True)
    for name in names()[:2]:
        place = str(tmp_path / f"{name}.zip")
        index_export.run(BundleConfig(place, name), whole)
        index_import.run(BundleConfig(place, name), elsewhere)
    index_merge.run(MergeConfig(merge=names()[:2], name="union"), elsewhere)
    for name in names()[:2]:
        shutil.rmtree(elsewhere.index(name))
    hits = answer(elsewhere, "union", texts=("dust",), collapse="none")
    embed(whole, "two", tiny_model, shard=(0, PARTS))
    embed(whole, "two", tiny_model, shard=(1, PARTS))
    expected = answer(whole, "two", texts=("dust",), collapse="none")
    assert {hit.title for hit in hits} == {hit.title for hit in expected}
    # A bundle holds its vectors as halves.
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-3)
    assert all(Path(hit.image).is_file() for hit in hits)
    assert len({hit.image for hit in hits}) == len(hits)


@pytest.mark.parametrize(
    ("indexes", "name", "kind", "message"),
    [
        (("part0", "part1"), "whole", PaperclipError, "index 'whole' already exists"),
        (("part0", "nothere"), "new", MissingStage, "there is no index 'nothere'"),
        (("part0", "postgresql://h/d"), "new", UsageError, "is of indexes in folders"),
    ],
)
def test_what_cannot_be_merged(
    whole: Workspace, indexes: tuple[str, ...], name: str, kind: type, message: str
) -> None:
    with pytest.raises(kind) as error:
        index_merge.run(MergeConfig(merge=indexes, name=name), whole)
    assert message in error.value.message


def test_what_is_no_merge(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from paperclip_cli.cli.app import run

    command = ["--cache-dir", str(tmp_path), "index"]
    for words, message in (
        (["--merge", "a"], "--merge needs two indexes or more"),
        (["--merge", "a,a"], "--merge needs two indexes or more"),
        (["--merge", "a,b", "--index", "b"], "cannot be merged into itself"),
        (["--merge", "a,b", "--status"], "goes with --index and --force alone"),
        (["--shard", "3/3"], "--shard 3/3 is not a valid part"),
        (["--shard", "x"], "is not a valid part"),
        (["--shard", "0/2", "--watch"], "--watch does not go with --shard"),
    ):
        assert run([*command, *words]) == 2
        assert message in capsys.readouterr().err
