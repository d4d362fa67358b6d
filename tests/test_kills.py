"""Stages in processes that strace kills in the middle of a rename, and the order of their flushes.

`benchmarks/kills.py` kills every stage at each of its renames.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from paperclip_cli.config import (
    BuildDatasetConfig,
    FetchConfig,
    IndexConfig,
    PullConfig,
    SummarizeConfig,
)
from paperclip_cli.stages import build_dataset, fetch, index, pull, summarize
from paperclip_cli.workspace import Manifest, Workspace, write_manifest
from tests.archive_on_disk import write_archive_folder
from tests.kills import KINDS, Kill, can_trace, faulty, left_over, paperclip, trace
from tests.small_indexes import towers
from tests.standin.hub import HubStandIn

pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is not installed, or may not trace")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with a cache in which every stage has ended, and the archive that it came from."""
    place = tmp_path_factory.mktemp("finished")
    workspace = Workspace(place / "cache", offline=True)
    images = {number: ["a.jpg", "b.png"] for number in range(1, 7)}
    archive = write_archive_folder(place / "archive", images)
    fetch.run(FetchConfig(source=archive), workspace)
    summarize.run(SummarizeConfig(), workspace)
    build_dataset.run(BuildDatasetConfig(), workspace)
    shutil.copytree(tiny_model, workspace.model("tiny"))
    write_manifest(workspace.model("tiny"), Manifest(stage="train", config={}))
    index.run(IndexConfig(model="tiny"), workspace, **towers())  # type: ignore[arg-type]
    return place


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(finished / "cache", tmp_path / "cache")
    return Workspace(tmp_path / "cache", offline=True)


@pytest.mark.parametrize(
    ("stage", "kill"),
    [
        ("fetch", Kill(2)),
        ("fetch", Kill(9)),
        ("summarize", Kill(2)),
        ("summarize", Kill(3)),
        ("build-dataset", Kill(1)),
        ("build-dataset", Kill(1, at_exchange=True)),
        ("build-dataset", Kill(2, can_exchange=False)),
        ("build-dataset", Kill(3, can_exchange=False)),
    ],
    ids=str,
)
def test_a_kill_hides_nothing_and_the_next_run_leaves_nothing(
    finished: Path, copied: Workspace, tmp_path: Path, stage: str, kill: Kill
) -> None:
    before = {kind: copied.names(kind) for kind in KINDS}
    assert all(before.values())
    source = ["--from", finished / "archive", "--workers", "1"] if stage == "fetch" else []
    command = [stage, "--force", *source]

    done = paperclip(copied, *command, under=trace(tmp_path / "log", kill.options))
    assert done.returncode not in (0, 3), "it was not killed"
    assert list(faulty(copied, before)) == []

    done = paperclip(copied, *command)
    assert done.returncode == 0, done.stderr
    assert list(faulty(copied, before)) == [] and left_over(tmp_path) == []


@pytest.mark.parametrize(
    "kill", [Kill(1), Kill(3), Kill(1, at_exchange=True), Kill(2, can_exchange=False)], ids=str
)
def test_a_kill_of_pull_leaves_the_model_that_was_there(
    hub: HubStandIn, tiny_model: Path, tmp_path: Path, kill: Kill
) -> None:
    workspace, environment = Workspace(tmp_path / "cache"), hub.environment(tmp_path / "hf")
    names = ("config.json", "model.safetensors", "tokenizer.json")
    files = {name: (tiny_model / name).read_bytes() for name in names}
    hub.put("org/tiny", files)
    pull.run(PullConfig(repository="org/tiny"), workspace)
    hub.put("org/tiny", files | {"config.json": files["config.json"] + b"\n"})
    before = {"models": ["tiny"]}

    command, under = ("pull", "org/tiny"), trace(tmp_path / "log", kill.options)
    done = paperclip(workspace, *command, under=under, environment=environment)
    assert done.returncode not in (0, 3), "it was not killed"
    assert list(faulty(workspace, before)) == []

    done = paperclip(workspace, *command, environment=environment)
    assert done.returncode == 0, done.stderr
    assert list(faulty(workspace, before)) == [] and left_over(workspace.root) == []
    assert (workspace.model("tiny") / "config.json").read_bytes().endswith(b"\n")


def test_what_takes_its_place_is_on_disk(finished: Path, copied: Workspace, tmp_path: Path) -> None:
    """By the order of system calls: a file is flushed before its rename, and its folder after."""
    log = tmp_path / "log"
    source = ("--from", finished / "archive", "--workers", "1")
    for command in (("fetch", *source), ("summarize",), ("build-dataset",)):
        under = trace(log, (), "fsync,rename,renameat,renameat2")
        done = paperclip(copied, *command, "--force", under=under)
        assert done.returncode == 0, done.stderr
        assert_flushed(log.read_text(), copied.root)


def assert_flushed(log: str, root: Path) -> None:
    flushed: list[tuple[int, str]] = []
    renamed: list[tuple[int, str, str]] = []
    for number, line in enumerate(log.splitlines()):
        if found := re.search(r"fsync\(\d+<(.*)>", line):
            flushed.append((number, found[1]))
        elif found := re.search(r'rename[^"]*"([^"]*)", (?:[^"]*, )?"([^"]*)"', line):
            renamed.append((number, found[1], found[2]))
    renamed = [rename for rename in renamed if rename[1].startswith(str(root))]
    assert renamed
    for at, source, target in renamed:
        before = {path for number, path in flushed if number < at}
        after = {path for number, path in flushed if number > at}
        assert source in before, f"{source} was not flushed"
        assert str(Path(target).parent) in after, f"nor the folder of {target}"
