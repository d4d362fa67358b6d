"""`cache`: what is in the cache, who uses it, and how it goes."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from paperclip_cli.config import (
    BuildDatasetConfig,
    CachePruneConfig,
    CacheRemoveConfig,
    IndexConfig,
    QueryConfig,
    TrainConfig,
)
from paperclip_cli.config.choices import CacheKind, values_of
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import lock
from paperclip_cli.stages import build_dataset, cache_list, cache_prune, cache_remove, train
from paperclip_cli.stages import index as index_stage
from paperclip_cli.stages import query as query_stage
from paperclip_cli.upkeep.inventory import Kept, size_of
from paperclip_cli.upkeep.places import FOLDERS
from paperclip_cli.upkeep.removal import reading
from paperclip_cli.workspace import Manifest, Workspace, write_manifest
from tests.factories import write_fetched

QUICK = TrainConfig(init="scratch:tiny", steps=2, batch_size=4, eval_every=2, name="small")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with one real thing of most kinds."""
    workspace = Workspace(tmp_path_factory.mktemp("made") / "cache", offline=True)
    write_fetched(workspace, "hst", proposals=8)
    build_dataset.run(BuildDatasetConfig(name="pairs", val_fraction=0, test_fraction=0), workspace)
    train.run(TrainConfig(**{**vars(QUICK), "dataset": "pairs"}), workspace)
    index_stage.run(IndexConfig(model="small"), workspace)
    return workspace.root


@pytest.fixture
def cache(made: Path, tmp_path: Path) -> Workspace:
    """A copy of it, of which the test may remove what it likes."""
    place = tmp_path / "cache"
    shutil.copytree(made, place)
    index = place / "indexes" / "default" / "manifest.json"
    index.write_text(index.read_text().replace(str(made), str(place)))
    for record in (place / "decoded").glob("*/datasets.json"):
        record.write_text(record.read_text().replace(str(made), str(place)))
    return Workspace(place, offline=True)


def listed(workspace: Workspace) -> dict[str, Kept]:
    return {str(kept): kept for kept in cache_list.run(workspace)}


def remove(workspace: Workspace, kind: CacheKind, name: str) -> None:
    cache_remove.run(CacheRemoveConfig(kind, name), workspace)


def test_every_kind_has_its_folder() -> None:
    assert tuple(FOLDERS) == values_of(CacheKind)


def test_what_is_there_and_what_uses_it(cache: Workspace) -> None:
    found = listed(cache)
    decoded = next(kept for kept in found.values() if kept.kind == "decoded")
    assert set(found) == {
        "proposals hst",
        "previews hst",
        "dataset pairs",
        "model small",
        "training small",
        "index default",
        str(decoded),
    }
    uses = {name: kept.used_by for name, kept in found.items()}
    assert uses["previews hst"] == uses["proposals hst"] == ("dataset pairs", "index default")
    assert uses["dataset pairs"] == ("model small",)
    assert uses["model small"] == ("index default",)
    assert uses["index default"] == uses["training small"] == ()
    assert decoded.used_by == ("trainings with pairs",)
    assert found["training small"].state == "finished" and found["model small"].state == ""
    for kept in found.values():
        whole = sum(path.stat().st_size for path in kept.path.rglob("*") if path.is_file())
        assert kept.size == whole > 0 and kept.made.endswith("Z")


def test_what_is_not_finished_is_told(workspace: Workspace) -> None:
    assert cache_list.run(workspace) == []
    for place in ("indexes/begun", "training/begun", "models/begun", "hub/org--name@main"):
        (workspace.root / place).mkdir(parents=True)
    (workspace.root / "hub" / f".org--name@{'a' * 40}.part").mkdir()
    (workspace.root / "models" / "readme.txt").write_text("a file is no artefact")
    (workspace.root / "models" / "begun" / "manifest.json").write_text("{")
    states = {name: kept.state for name, kept in listed(workspace).items()}
    assert states == {
        "model begun": "not finished",
        "training begun": "not finished",
        "index begun": "not finished",
        "hub org--name@main": "",
        f"hub .org--name@{'a' * 40}.part": "partly downloaded",
    }
    for kept in cache_list.run(workspace):
        remove(workspace, kept.kind, kept.name)
    assert cache_list.run(workspace) == []


def test_a_thing_is_removed_and_nothing_else(cache: Workspace) -> None:
    before = listed(cache)
    for name, kept in before.items():
        remove(cache, kept.kind, kept.name)
        assert not kept.path.exists()
        left = {each for each in before if before[each].path.exists()}
        assert set(listed(cache)) == left and name not in left
        before = {each: kept for each, kept in before.items() if each in left}
    assert not [path for path in cache.root.rglob("*") if ".new." in path.name]


@pytest.mark.parametrize(
    "name", ["../../x", "..", ".", "", "/etc", "small/../small", "a\x00b", "*", "Small ", "@read"]
)
def test_no_name_leads_anywhere_else(cache: Workspace, name: str) -> None:
    (cache.root.parent / "x").mkdir()
    before = sorted(cache.root.parent.rglob("*"))
    for kind in values_of(CacheKind):
        with pytest.raises(PaperclipError, match="there is no"):
            remove(cache, kind, name)  # type: ignore[arg-type]
    assert sorted(cache.root.parent.rglob("*")) == before
    with pytest.raises(UsageError, match="unknown KIND"):
        remove(cache, "models", "small")  # type: ignore[arg-type]


def test_of_a_link_only_the_link_goes(cache: Workspace, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    cache.model("small").rename(tmp_path / "disk" / "small")
    (cache.root / "models" / "small").symlink_to(tmp_path / "disk" / "small")
    report = cache_remove.run(CacheRemoveConfig("model", "small"), cache)
    assert report.notes == ("model small: only the link was removed",)
    assert (tmp_path / "disk" / "small" / "model.safetensors").is_file()
    assert "model small" not in listed(cache)


def _hold(place: Path, kind: str, ready: Event, done: Event) -> None:
    with reading(place) if kind == "read" else lock(place, shared=kind == "shared"):
        ready.set()
        done.wait(60)


@contextmanager
def held(place: Path, kind: str = "write") -> Iterator[None]:
    """Another process holds the lock of a folder."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(place, kind, ready, done))
    other.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        done.set()
        other.join()


@pytest.mark.parametrize(
    ("kind", "name", "place", "how"),
    [
        ("model", "small", "models/small", "write"),
        ("model", "small", "models/small", "shared"),  # `publish`
        ("training", "small", "models/small", "write"),
        ("index", "default", "indexes/default", "write"),
        ("proposals", "hst", "previews/hst", "shared"),  # a shard of `fetch`
        ("dataset", "pairs", "datasets/pairs", "read"),  # `train`
    ],
)
def test_nothing_in_use_is_removed(
    cache: Workspace, kind: CacheKind, name: str, place: str, how: str
) -> None:
    with held(cache.root / place, how):
        with pytest.raises(PaperclipError, match="in use by another paperclip process"):
            remove(cache, kind, name)
        assert (cache.root / FOLDERS[kind] / name).is_dir()
    remove(cache, kind, name)
    assert not (cache.root / FOLDERS[kind] / name).exists()


def test_a_training_says_what_it_reads(cache: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, neither its dataset nor its decoded images can be removed."""
    refused = []

    def go_on(*_: object, **__: object) -> None:
        for kept in cache_list.run(cache):
            if kept.kind in ("dataset", "decoded", "training"):
                with pytest.raises(PaperclipError, match="in use"):
                    remove(cache, kept.kind, kept.name)
                refused.append(kept.kind)
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "_go_on", go_on)
    with pytest.raises(KeyboardInterrupt):
        train.run(TrainConfig(**{**vars(QUICK), "dataset": "pairs", "force": True}), cache)
    assert sorted(refused) == ["dataset", "decoded", "training"]


def test_prune_removes_what_can_be_made_again(cache: Workspace) -> None:
    index = cache.index("default")
    hits = next(iter(query_stage.run(QueryConfig(texts=("galaxy",)), cache))).hits
    number = json.loads((index / "manifest.json").read_text())["extra"]["generation"]
    for name in (f"vectors-{number + 1:06d}.npy", f"graph-{number - 1:06d}.hnsw"):
        (index / name).write_bytes(b"x" * 1_000)
    (cache.root / "models" / ".gone.new.abcdefgh").mkdir()
    before = size_of(cache.root)

    asked: list[str] = []
    shown = cache_prune.run(CachePruneConfig(dry_run=True), cache)
    with pytest.raises(PaperclipError, match="nothing was removed"):
        cache_prune.run(CachePruneConfig(), cache, lambda text: bool(asked.append(text)))
    assert tuple(asked[0].splitlines()) == shown.notes[:-1] and size_of(cache.root) == before
    assert [line.partition(",")[0] for line in shown.notes] == [
        "1 finished training",
        "1 dataset of decoded images",
        "1 index with old generations",
        "1 leftover",
        "nothing was removed",
    ]

    report = cache_prune.run(CachePruneConfig(), cache)
    assert sum(report.counts.values()) == 4 and not report.excluded
    assert set(listed(cache)) == {
        *("proposals hst", "previews hst", "dataset pairs", "model small", "index default")
    }
    assert cache_prune.run(CachePruneConfig(), cache).unchanged
    assert next(iter(query_stage.run(QueryConfig(texts=("galaxy",)), cache))).hits == hits
    assert train.run(TrainConfig(**{**vars(QUICK), "dataset": "pairs"}), cache).unchanged


def test_prune_leaves_what_is_in_use(cache: Workspace) -> None:
    with held(cache.decoded(), "read"), held(cache.model("small")):
        (cache.root / "models" / ".small.new.abcdefgh").mkdir()
        report = cache_prune.run(CachePruneConfig(), cache)
    assert report.unchanged and set(report.excluded) == {
        "finished trainings: in use by another process",
        "datasets of decoded images: in use by another process",
        "leftovers: in use by another process",
    }
    assert (cache.root / "models" / ".small.new.abcdefgh").is_dir()
    assert "training small" in listed(cache)


def test_a_training_that_goes_on_keeps_its_checkpoints(cache: Workspace) -> None:
    """It has the name of a finished model, but other settings: more steps, or a new beginning."""
    plan = cache.training("small") / "plan.json"
    said = json.loads(plan.read_text())
    said["config"]["steps"] += 1
    plan.write_text(json.dumps(said))
    assert listed(cache)["training small"].state == "not finished"
    assert "training small" in listed(cache)["dataset pairs"].used_by
    cache_prune.run(CachePruneConfig(), cache)
    assert (cache.training("small") / "checkpoints").is_dir()


def test_a_folder_of_a_later_version_is_listed(workspace: Workspace) -> None:
    write_manifest(workspace.model("new"), Manifest(stage="train", config={}))
    path = workspace.model("new") / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    assert listed(workspace)["model new"].state == "not finished"
