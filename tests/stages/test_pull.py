"""Downloads from a stand-in of the Hub: what is made of them, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load, save

from paperclip_cli.config import (
    BuildDatasetConfig,
    CiteConfig,
    DescribeConfig,
    DoctorConfig,
    IndexConfig,
    PublishConfig,
    PullConfig,
    QueryConfig,
)
from paperclip_cli.dataset.pairs import find_dataset, read_split
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.report import Report, State
from paperclip_cli.services import hub_files
from paperclip_cli.stages import build_dataset, cite, describe, doctor, index, publish, pull, query
from paperclip_cli.towers import hub_model
from paperclip_cli.towers.folder import MODEL_FILES, fingerprint, resolve
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace, read_manifest
from tests.factories import write_fetched
from tests.small_indexes import towers, write_picture
from tests.stages.test_publish import add_model
from tests.standin.hub import HubStandIn, the_hub


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Workspace:
    """A cache with a model, a dataset and an index of 12 proposals."""
    workspace = Workspace(tmp_path_factory.mktemp("origin") / "cache")
    add_model(workspace, tiny_model)
    write_fetched(workspace, "hst", proposals=12)
    build_dataset.run(BuildDatasetConfig(name="pairs"), workspace)
    index.run(IndexConfig(model="tiny", name="sky"), workspace, **towers())  # type: ignore[arg-type]
    return workspace


@pytest.fixture
def cache(tmp_path: Path) -> Workspace:
    """The cache of somebody else."""
    return Workspace(tmp_path / "theirs")


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def model_files(origin: Workspace) -> dict[str, bytes]:
    files = files_of(origin.model("tiny"))
    return {name: data for name, data in files.items() if name != "manifest.json"}


def send(workspace: Workspace, kind: str, name: str) -> None:
    publish.run(PublishConfig(kind=kind, name=name, repository=f"org/{name}"), workspace)  # type: ignore[arg-type]


def get(workspace: Workspace, repository: str, **more: object) -> Report:
    return pull.run(PullConfig(repository=repository, **more), workspace)  # type: ignore[arg-type]


def answers(workspace: Workspace, **more: object) -> list[tuple]:
    config = QueryConfig(texts=("spiral galaxy",), collapse="none", indexes=("sky",), **more)  # type: ignore[arg-type]
    hits = next(iter(query.run(config, workspace))).hits
    return [(hit.key, hit.obs_id, hit.title, hit.split) for hit in hits]


def nothing_left(workspace: Workspace) -> bool:
    """Whether no download is kept, and no unfinished folder."""
    hidden = (path for path in workspace.root.rglob(".*") if not path.name.endswith(".lock"))
    return list(hidden) == []


def test_a_published_model_is_the_same_in_another_cache(
    hub: HubStandIn, origin: Workspace, cache: Workspace, tmp_path: Path
) -> None:
    send(origin, "model", "tiny")
    with the_hub(hub, None):  # nobody need be logged in
        report = get(cache, "org/tiny")
    ours, theirs = files_of(origin.model("tiny")), files_of(cache.model("tiny"))
    assert theirs.keys() == ours.keys() - {"notes.txt"}
    assert all(theirs[name] == ours[name] for name in theirs if name != "manifest.json")
    assert cache.names("models") == ["tiny"] and report.output == cache.model("tiny")
    commit = hub.repositories["model", "org/tiny"].refs["main"]
    manifest = read_manifest(cache.model("tiny"))
    assert manifest is not None and manifest.stage == "pull"
    assert manifest.config == {"repository": "org/tiny", "revision": None}
    assert manifest.inputs == {"commit": commit} and "model.safetensors" in manifest.files
    assert nothing_left(cache)

    offline = Workspace(cache.root, offline=True)
    assert fingerprint(resolve("tiny", offline), offline) == fingerprint(
        resolve("tiny", origin), origin
    )
    write_fetched(offline, "hst", proposals=12)
    index.run(IndexConfig(model="tiny", name="sky"), offline, **towers())  # type: ignore[arg-type]
    assert answers(offline) == answers(origin)
    write_picture(tmp_path / "a.png", 1)
    said = describe.run(DescribeConfig(images=(str(tmp_path / "a.png"),)), offline).items
    assert said
    checks = [check for check in doctor.run(DoctorConfig(True), offline) if check.topic == "health"]
    assert {check.state for check in checks} == {State.OK}
    assert "tiny (licence: mit)" in str(cite.run(CiteConfig(), offline).model)


def test_a_model_in_shards_is_pulled_checked_and_published(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    files = model_files(origin)
    tensors = load(files.pop("model.safetensors"))
    names = sorted(tensors)
    shards = {
        f"model-0000{number}-of-00002.safetensors": {name: tensors[name] for name in part}
        for number, part in enumerate((names[::2], names[1::2]), start=1)
    }
    place = {name: shard for shard, part in shards.items() for name in part}
    files["model.safetensors.index.json"] = json.dumps({"weight_map": place}).encode()
    files |= {shard: save(part) for shard, part in shards.items()}
    hub.put("org/large", files | {"model-x-of-y.safetensors": b"x", "sub/model.safetensors": b"x"})
    with the_hub(hub, None):
        get(cache, "org/large")
    there = files_of(cache.model("large"))
    assert there.keys() - {"manifest.json"} == files.keys() - {"notes.txt"}
    text = ["a spiral galaxy"]
    np.testing.assert_array_equal(
        TextTower.open(resolve("large", cache)).embed(text),
        TextTower.open(resolve("tiny", origin)).embed(text),
    )
    publish.run(PublishConfig(kind="model", name="large", repository="org/again"), cache)
    again = hub.repositories["model", "org/again"].files
    assert all(again[name] == files[name] for name in (*shards, "model.safetensors.index.json"))

    shard = cache.model("large") / "model-00001-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(PaperclipError, match=f"is damaged: {shard.name} has"):
        resolve("large", cache)


def test_a_published_index_answers_in_another_cache(
    hub: HubStandIn, origin: Workspace, cache: Workspace, tmp_path: Path
) -> None:
    send(origin, "index", "sky")
    report = get(cache, "org/sky")
    offline = Workspace(cache.root, offline=True)
    assert answers(offline) == answers(origin) and len(answers(offline)) == 10
    assert report.notes == ('use it: `paperclip query "galaxy mergers" --index sky`',)
    assert nothing_left(cache) and get(cache, "org/sky").unchanged
    checks = [check for check in doctor.run(DoctorConfig(True), offline) if check.topic == "health"]
    assert {check.state for check in checks} == {State.OK}

    write_picture(tmp_path / "a.png", 1)
    images = QueryConfig(images=(tmp_path / "a.png",), indexes=("sky",))
    with pytest.raises(PaperclipError, match="came with only the text tower of its model"):
        next(iter(query.run(images, offline)))
    send(origin, "model", "tiny")
    get(cache, "org/tiny")
    assert next(iter(query.run(images, offline))).hits


def test_an_index_of_a_pulled_model_leads_to_it(
    hub: HubStandIn, origin: Workspace, cache: Workspace, tmp_path: Path
) -> None:
    send(origin, "model", "tiny")
    get(cache, "org/tiny", name="mine")
    write_fetched(cache, "hst", proposals=2)
    index.run(IndexConfig(model="mine", name="sky"), cache, **towers())  # type: ignore[arg-type]
    send(cache, "index", "sky")
    third = Workspace(tmp_path / "third")
    get(third, "org/sky")
    write_picture(tmp_path / "a.png", 1)
    images = QueryConfig(images=(tmp_path / "a.png",), indexes=("sky",))
    assert next(iter(query.run(images, third))).hits, "the model is fetched by its name"


def test_a_published_dataset_is_trained_on_like_ones_own(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    send(origin, "dataset", "pairs")
    get(cache, "org/pairs")
    ours, theirs = (find_dataset("pairs", place) for place in (origin, cache))
    assert read_split(theirs, "train") == read_split(ours, "train") != []
    assert get(cache, "org/pairs").unchanged and nothing_left(cache)


def test_the_revision_is_pinned_and_the_second_time_nothing_is_done(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    first = hub.put("org/tiny", model_files(origin))
    get(cache, "org/tiny")
    hub.log.clear()
    again = get(cache, "org/tiny")
    assert again.unchanged and not [line for line in hub.log if "/resolve/" in line]
    assert again.notes[0] == f"org/tiny is here at commit {first}"
    forced = get(cache, "org/tiny", force=True)
    assert not forced.unchanged and [line for line in hub.log if "/resolve/" in line]

    left = cache.root / "hub" / f".org--tiny@{first}.part"
    left.mkdir()
    assert get(cache, "org/tiny").unchanged and not left.exists()

    card = {"README.md": b"---\nlicense: mit\n---\nNew\n"}
    second = hub.put("org/tiny", model_files(origin) | card)
    assert not get(cache, "org/tiny").unchanged
    assert (cache.model("tiny") / "README.md").read_bytes() == card["README.md"]
    old = f"org/tiny@{first}"
    assert not get(cache, old, name="old").unchanged
    assert (cache.model("old") / "README.md").read_bytes() == model_files(origin)["README.md"]

    hub.log.clear()
    offline = Workspace(cache.root, offline=True)
    assert get(offline, old, name="old").unchanged and hub.log == []
    assert get(offline, f"org/tiny@{second}", kind="model").unchanged and hub.log == []
    hub.put("org/tiny", model_files(origin), ref="v1")
    report = get(cache, "org/tiny@v1", name="tagged")
    manifest = read_manifest(report.output or Path())
    assert manifest is not None and manifest.config["revision"] == "v1"


def weights_requests(hub: HubStandIn) -> int:
    return len(hub.asked("GET /cdn/"))


def test_a_download_that_is_cut_goes_on_where_it_broke(
    hub: HubStandIn, origin: Workspace, cache: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(hub_files, "time", SimpleNamespace(sleep=waits.append))
    files = model_files(origin)
    hub.put("org/tiny", files)
    hub.faults = [
        {"on": "GET /cdn/", "do": "cut", "after": 100_000, "times": 2},
        {"on": "GET /cdn/", "do": "status", "status": 503, "times": 1},
        {"on": "GET /cdn/", "do": "status", "status": 429, "headers": {"Retry-After": "7"},
         "times": 1},
    ]  # fmt: skip
    get(cache, "org/tiny")
    assert files_of(cache.model("tiny")).items() >= {
        (name, data) for name, data in files.items() if name in MODEL_FILES
    }
    assert weights_requests(hub) == 5 and 7.0 in waits


def test_a_run_that_failed_is_continued_by_the_next(
    hub: HubStandIn, origin: Workspace, cache: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_files, "time", SimpleNamespace(sleep=lambda _: None))
    files = model_files(origin)
    hub.put("org/tiny", files)
    hub.faults = [
        {"on": "GET /cdn/", "do": "cut", "after": 100_000, "times": 1},
        {"on": "GET /cdn/", "do": "status", "status": 500},
    ]
    with pytest.raises(PaperclipError) as caught:
        get(cache, "org/tiny")
    assert caught.value.message == "org/tiny could not be downloaded: the Hub fails (HTTP 500)"
    assert cache.names("models") == [] and not cache.model("tiny").exists()

    hub.faults, sent = [], []
    note = SimpleNamespace(note=sent.append, task=pull.SilentProgress().task)
    pull.run(PullConfig(repository="org/tiny"), cache, note)  # type: ignore[arg-type]
    left = len(files["model.safetensors"]) - 100_000
    assert "left to download" in sent[0]
    assert hub.ranges == [f"bytes=100000-{left + 100_000 - 1}/{left + 100_000}"]
    assert files_of(cache.model("tiny"))["model.safetensors"] == files["model.safetensors"]
    assert nothing_left(cache)


def test_a_file_that_is_not_what_the_hub_lists_is_refused(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    hub.put("org/tiny", model_files(origin))
    for on in ("/config.json", "GET /cdn/"):
        hub.faults = [{"on": on, "do": "tamper", "times": 1}]
        with pytest.raises(PaperclipError, match="is not what the Hub lists: its checksum differs"):
            get(cache, "org/tiny")
        assert cache.names("models") == []
    assert get(cache, "org/tiny").output == cache.model("tiny")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"status": 429}, "org/tiny could not be looked up: the Hub asks for a pause (HTTP 429)"),
        ({"status": 500}, "org/tiny could not be looked up: the Hub fails (HTTP 500)"),
    ],
)
def test_a_hub_that_fails_is_one_clear_line(
    hub: HubStandIn, cache: Workspace, fault: dict, message: str
) -> None:
    hub.faults = [{"on": "GET /api/", "do": "status", **fault}]
    with pytest.raises(PaperclipError) as caught:
        get(cache, "org/tiny")
    assert caught.value.message == message and "try again" in str(caught.value.hint)


def test_what_the_hub_refuses_is_one_clear_line(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    hub.put("org/gated", model_files(origin), gated=True)
    hub.put("org/hidden", model_files(origin), private=True)
    for token in (None, "hf_reader"):
        with the_hub(hub, token):
            for repository, message in {
                "org/none": "org/none: no model or dataset of this name on the Hub",
                "org/hidden": "org/hidden: no model or dataset of this name on the Hub",
                "org/gated": "org/gated: its licence must be accepted first",
                "org/gated@v9": "org/gated on the Hub has no revision 'v9'",
            }.items():
                with pytest.raises(PaperclipError, match=message):
                    get(cache, repository)
    assert not cache.root.exists() or cache.names("models") == []


def test_an_address_where_nothing_answers(cache: Workspace) -> None:
    nowhere = HubStandIn()
    nowhere.server_close()
    with the_hub(nowhere, None), pytest.raises(PaperclipError, match="could not be looked up"):
        get(cache, "org/tiny")


def test_without_network_the_repository_and_the_hub_are_named(
    hub: HubStandIn, cache: Workspace
) -> None:
    with pytest.raises(PaperclipError) as caught:
        get(Workspace(cache.root, offline=True), "org/tiny@v1")
    message = f"org/tiny@v1 must be fetched from {hub.url}, and --offline is set"
    assert caught.value.message == message and "--import FILE" in str(caught.value.hint)
    assert hub.log == []


def test_a_name_that_is_taken_is_refused_without_force(
    hub: HubStandIn, origin: Workspace, cache: Workspace, tiny_model: Path
) -> None:
    add_model(cache, tiny_model)
    hub.put("org/tiny", model_files(origin))
    hub.put("other/tiny", model_files(origin))
    with pytest.raises(PaperclipError, match="models has 'tiny' already: it was made here"):
        get(cache, "org/tiny")
    get(cache, "org/tiny", force=True)
    with pytest.raises(PaperclipError, match="models has 'tiny' already: it is from org/tiny"):
        get(cache, "other/tiny")
    get(cache, "other/tiny", name="theirs")
    assert cache.names("models") == ["theirs", "tiny"]


def test_a_pulled_index_that_was_added_to_is_not_replaced(
    hub: HubStandIn, origin: Workspace, cache: Workspace, tmp_path: Path
) -> None:
    send(origin, "index", "sky")
    send(origin, "model", "tiny")
    get(cache, "org/sky")
    get(cache, "org/tiny")
    write_picture(tmp_path / "p" / "a.png", 1)
    more = IndexConfig(paths=(tmp_path / "p",), model="tiny", name="sky")
    index.run(more, cache, **towers())  # type: ignore[arg-type]
    with pytest.raises(PaperclipError, match="indexes has 'sky' already: it was made here"):
        get(cache, "org/sky")


def test_size_licence_and_revision_are_shown_before_and_may_be_refused(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    commit = hub.put("org/tiny", model_files(origin))
    offers: list[pull.Offer] = []
    with pytest.raises(PaperclipError, match="org/tiny was not downloaded"):
        pull.run(PullConfig(repository="org/tiny"), cache, None, lambda it: bool(offers.append(it)))
    said = str(offers[0])
    assert said.startswith("org/tiny: model, licence mit, ") and said.endswith(f"commit {commit}")
    report = get(cache, "org/tiny", dry_run=True)
    assert report.notes == ("nothing was downloaded",) and report.counts["bytes"] == offers[0].size
    assert not [line for line in hub.log if "/resolve/" in line] and cache.names("models") == []


def test_only_files_of_known_names_are_asked_for(
    hub: HubStandIn, origin: Workspace, cache: Workspace, tmp_path: Path
) -> None:
    hostile = {
        "../../evil.json": b"{}",
        "/etc/evil.txt": b"x",
        "pytorch_model.bin": b"pickle",
        "modeling.py": b"import os",
        "sub/config.json": b"{}",
        "manifest.json": b"{}",
        "README.md": b"---\nlicense: '\\x1b[31m'\n---\n" + b"x" * 2**20,
    }
    hub.put("org/tiny", model_files(origin) | hostile)
    get(cache, "org/tiny")
    asked = {line.partition("/resolve/")[2].partition("/")[2] for line in hub.log} - {""}
    assert asked == {*model_files(origin)} - {"notes.txt", "README.md"}
    assert not list(tmp_path.rglob("evil*"))
    assert (read_manifest(cache.model("tiny")) or pytest.fail()).extra["pulled"]["licence"] == (
        "not stated"
    )


def test_a_repository_that_is_nothing_for_paperclip_says_what_it_lacks(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    files = model_files(origin)
    pickled = {name: data for name, data in files.items() if name != "model.safetensors"}
    hub.put("org/pickled", pickled | {"pytorch_model.bin": b"x"})
    hub.offer_conversion("org/pickled", 7)
    hub.put("org/text", {"config.json": b"{}", "model.safetensors": b"x"})
    hub.put("org/table", {"a.csv": b"x"}, kind="dataset")
    hub.put("org/broken", files | {"paperclip.json": b"no JSON"})
    hub.put("org/other", files | {"config.json": b"[1, 2]"})
    hub.put("org/cut", files | {"model.safetensors": files["model.safetensors"][:5000]})
    hub.put("org/zip", {"index.zip": b"PK no zip"}, kind="dataset")
    hub.put("org/rows", {"data/train-00000.parquet": b"PAR1 no"}, kind="dataset")
    for repository, message, hint in [
        ("org/pickled", "has no model.safetensors", "try org/pickled@refs/pr/7"),
        ("org/text", "is no CLIP model: it has no tokenizer.json", "a model needs"),
        (
            "org/table",
            "holds neither an index nor a dataset of paperclip",
            "train --dataset org/table",
        ),
        ("org/broken", "is no CLIP model that works here .*JSON", "choose another"),
        ("org/other", "is no CLIP model that works here", "choose another"),
        ("org/cut", "is no CLIP model that works here .*safetensors", "choose another"),
        ("org/zip", "index.zip is not a whole bundle of an index", "have it exported"),
        ("org/rows", "train-00000.parquet is no Parquet file", "build-dataset"),
    ]:
        with pytest.raises(PaperclipError, match=message) as caught:
            get(cache, repository)
        assert hint in str(caught.value.hint), repository
    assert [cache.names(kind) for kind in ("models", "indexes", "datasets")] == [[], [], []]
    assert nothing_left(cache)


def test_a_disk_that_is_too_small_and_files_that_are_too_large(
    hub: HubStandIn, origin: Workspace, cache: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put("org/tiny", model_files(origin))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
        with pytest.raises(PaperclipError, match=r"org/tiny needs .* MB, and the disk of"):
            get(cache, "org/tiny")
    monkeypatch.setattr(hub_model, "_MOST", 1_000)
    with pytest.raises(PaperclipError, match="and no such file of ours has more than"):
        get(cache, "org/tiny")
    assert not [line for line in hub.log if "/resolve/" in line]


def repacked(data: bytes, change: Mapping[str, bytes]) -> bytes:
    """A bundle with other members."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, change.get(info.filename, old.read(info)))
    return made.getvalue()


def test_a_changed_bundle_makes_no_index(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    send(origin, "index", "sky")
    files = hub.repositories["dataset", "org/sky"].files
    for change in ({"vectors.npy": b"x"}, {"bundle.json": b"{"}):
        hub.put("org/bad", files | {"index.zip": repacked(files["index.zip"], change)}, "dataset")
        with pytest.raises(PaperclipError, match=r"index\.zip is not a whole bundle"):
            get(cache, "org/bad")
    assert cache.names("indexes") == [] and nothing_left(cache)


def test_a_model_goes_before_a_dataset_of_the_same_name(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    send(origin, "index", "sky")
    hub.put("org/sky", model_files(origin))
    get(cache, "org/sky")
    get(cache, "org/sky", kind="index")
    assert (cache.names("models"), cache.names("indexes")) == (["sky"], ["sky"])


def test_a_damaged_pulled_model_says_how_it_is_fetched_again(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    commit = hub.put("org/tiny", model_files(origin))
    get(cache, "org/tiny")
    weights = cache.model("tiny") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(PaperclipError) as caught:
        resolve("tiny", cache)
    again = f"paperclip pull org/tiny@{commit} --name tiny --force"
    assert again in str(caught.value.hint)
    assert not get(cache, "org/tiny").unchanged
    assert resolve("tiny", cache).name == "tiny"


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "../x", "org/..", "org/x@", "", "org/x@../y"])
def test_a_name_that_is_no_repository(cache: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a repository on the Hub"):
        get(cache, name)


def test_a_name_that_leads_out_of_the_cache(
    hub: HubStandIn, origin: Workspace, cache: Workspace
) -> None:
    hub.put("org/tiny", model_files(origin))
    with pytest.raises(UsageError, match="cannot be the name of a model"):
        get(cache, "org/tiny", name="../../x")
    assert hub.log == [], "nobody is asked before"
    assert cache.names("models") == []
