"""Uploads to a stand-in of the Hub: what is there afterwards, and what is not."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from paperclip_cli.config import BuildDatasetConfig, IndexConfig, PublishConfig
from paperclip_cli.dataset.pairs import count_rows
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.report import Report
from paperclip_cli.stages import build_dataset, index, publish
from paperclip_cli.towers.folder import MODEL_FILES, ModelFolder, fingerprint_now
from paperclip_cli.workspace import Manifest, Workspace, stamps_of, write_manifest
from tests.factories import write_fetched
from tests.small_indexes import towers
from tests.standin.hub import READER, HubStandIn, header, the_hub


def add_model(workspace: Workspace, tiny_model: Path, name: str = "tiny") -> Path:
    """A model in the cache, as `train` leaves it."""
    folder = workspace.model(name)
    shutil.copytree(tiny_model, folder)
    card = "---\nlicense: mit\ntags:\n- paperclip\n---\n\n# tiny\n"
    (folder / "README.md").write_text(card)
    (folder / "metrics.jsonl").write_text('{"step": 1}\n')
    (folder / "notes.txt").write_text("mine")
    names = [*MODEL_FILES, "metrics.jsonl"]
    write_manifest(folder, Manifest(stage="train", config={}, files=stamps_of(folder, names)))
    return folder


@pytest.fixture
def cache(tmp_path: Path, tiny_model: Path) -> Workspace:
    workspace = Workspace(tmp_path / "cache")
    add_model(workspace, tiny_model)
    return workspace


@pytest.fixture
def full(cache: Workspace, tiny_model: Path) -> Workspace:
    """A cache with a model, a dataset and an index of 12 proposals."""
    write_fetched(cache, "hst", proposals=12)
    build_dataset.run(BuildDatasetConfig(name="pairs"), cache)
    index.run(IndexConfig(model="tiny", name="sky"), cache, **towers())  # type: ignore[arg-type]
    return cache


def send(workspace: Workspace, kind: str = "model", name: str = "tiny", **more: object) -> Report:
    config = PublishConfig(kind=kind, name=name, **{"repository": f"org/{name}", **more})  # type: ignore[arg-type]
    return publish.run(config, workspace)


def commits(hub: HubStandIn) -> int:
    return len([line for line in hub.log if "/commit/" in line])


def test_a_model_is_uploaded_with_its_card_and_nothing_else(
    hub: HubStandIn, cache: Workspace
) -> None:
    report = send(cache, message="the first")
    held, folder = hub.repositories["model", "org/tiny"], cache.model("tiny")
    names = {name for name in MODEL_FILES if (folder / name).is_file()}
    assert held.files.keys() == {*names, "README.md", "metrics.jsonl", ".gitattributes"}
    assert all(held.files[name] == (folder / name).read_bytes() for name in names)
    assert not held.private and held.titles[held.refs["main"]] == "the first"
    assert report.counts["files"] == len(names) + 2 and not report.unchanged
    assert f"{hub.url}/org/tiny, commit {held.refs['main']}" in report.notes
    assert "licence: mit" in report.notes


def test_the_same_again_makes_no_commit_and_a_change_uploads_only_itself(
    hub: HubStandIn, cache: Workspace
) -> None:
    send(cache)
    first = hub.repositories["model", "org/tiny"].refs["main"]
    hub.log.clear()
    again = send(cache)
    assert again.unchanged and any(first in note for note in again.notes)
    assert commits(hub) == 0 and not hub.asked("PUT") and not hub.asked("POST /api/repos")

    readme = cache.model("tiny") / "README.md"
    readme.write_text(readme.read_text() + "More.\n")
    assert not send(cache).unchanged
    assert commits(hub) == 1 and not hub.asked("PUT")


def test_files_of_an_earlier_upload_go_and_those_of_others_stay(
    hub: HubStandIn, full: Workspace
) -> None:
    old = {"heads.safetensors": b"old", "pytorch_model.bin": b"theirs", "docs/a.md": b"x"}
    hub.put("org/tiny", old)
    send(full)
    held = hub.repositories["model", "org/tiny"].files.keys()
    assert {"pytorch_model.bin", "docs/a.md"} <= held and "heads.safetensors" not in held

    old = {"data/train-00001.parquet": b"old", "other.csv": b"x"}
    hub.put("org/pairs", old, kind="dataset")
    send(full, "dataset", "pairs")
    held = hub.repositories["dataset", "org/pairs"].files.keys()
    assert "other.csv" in held and "data/train-00001.parquet" not in held


def test_a_dataset_is_its_parquet_its_card_and_its_manifest(
    hub: HubStandIn, full: Workspace
) -> None:
    send(full, "dataset", "pairs", private=True)
    held, folder = hub.repositories["dataset", "org/pairs"], full.dataset("pairs")
    data = {f"data/{path.name}": path.read_bytes() for path in (folder / "data").iterdir()}
    assert data and held.files.keys() == {
        *data, "README.md", "manifest.json", ".gitattributes",
    }  # fmt: skip
    assert {name: held.files[name] for name in data} == data and held.private
    assert header(held.files["README.md"])["license"] == "other"


def test_an_index_is_one_file_with_a_card_that_says_how_it_is_used(
    hub: HubStandIn, full: Workspace
) -> None:
    report = send(full, "index", "sky", licence="cc-by-4.0")
    held = hub.repositories["dataset", "org/sky"].files
    assert held.keys() == {"index.zip", "README.md", ".gitattributes"}
    card = held["README.md"].decode()
    assert header(card.encode())["license"] == "cc-by-4.0"
    assert {"astronomy", "paperclip"} <= {*header(card.encode())["tags"]}
    made_by = fingerprint_now(ModelFolder.open(full.model("tiny")))
    assert "paperclip pull org/sky" in card and made_by in card and "20 images of 12" in card
    assert "licence: cc-by-4.0" in report.notes
    with zipfile.ZipFile(io.BytesIO(held["index.zip"])) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}, "no time of day"
    assert send(full, "index", "sky", licence="cc-by-4.0").unchanged


def paths_in(data: bytes) -> list[str]:
    return [line for line in data.decode("utf-8", "replace").splitlines() if "/home/me" in line]


def test_no_path_of_this_machine_is_uploaded(
    hub: HubStandIn, full: Workspace, tmp_path: Path
) -> None:
    folder = full.model("tiny")
    card = {"base": {"name": "/home/me/clip", "license": "mit"}, "training": {"init": "~/clip"}}
    values = json.loads((folder / "paperclip.json").read_text())
    (folder / "paperclip.json").write_text(json.dumps(values | card))
    readme = (folder / "README.md").read_text()
    (folder / "README.md").write_text(f"{readme}from /home/me/clip\n")
    report = send(full)
    held = hub.repositories["model", "org/tiny"].files
    assert not [name for name, data in held.items() if paths_in(data)]
    assert json.loads(held["paperclip.json"])["base"] == {"name": "clip", "license": "mit"}
    assert json.loads(held["paperclip.json"])["training"] == {"init": "clip"}
    assert held["README.md"].endswith(b"from clip\n")
    assert "the fingerprint changes" in report.notes[0] and "2 paths" in report.notes[0]
    tokenizer = (folder / "tokenizer.json").read_bytes()
    assert held["tokenizer.json"] == tokenizer, "words are no paths"

    manifest = full.dataset("pairs") / "manifest.json"
    values = json.loads(manifest.read_text())
    values["config"]["summaries"] = "/home/me/summaries"
    values["inputs"] = {"/home/me/archive": "0" * 64}
    manifest.write_text(json.dumps(values))
    send(full, "dataset", "pairs")
    held = hub.repositories["dataset", "org/pairs"].files
    assert not [name for name, data in held.items() if paths_in(data)]
    assert json.loads(held["manifest.json"])["inputs"] == {"archive": "0" * 64}


def test_an_index_of_a_model_in_a_folder_names_only_the_folders_last_part(
    hub: HubStandIn, cache: Workspace, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "home" / "me" / "model"
    shutil.copytree(cache.model("tiny"), elsewhere)
    write_fetched(cache, "hst", proposals=2)
    index.run(IndexConfig(model=str(elsewhere), name="sky"), cache, **towers())  # type: ignore[arg-type]
    send(cache, "index", "sky")
    held = hub.repositories["dataset", "org/sky"].files
    assert str(tmp_path).encode() not in held["index.zip"] + held["README.md"]
    assert b"`model`, fingerprint" in held["README.md"]


def test_a_dry_run_lists_files_and_sizes_and_asks_nobody(hub: HubStandIn, full: Workspace) -> None:
    offline = Workspace(full.root, offline=True)
    for kind, name in (("model", "tiny"), ("dataset", "pairs"), ("index", "sky")):
        report = send(offline, kind, name, dry_run=True)
        assert len(report.notes) > report.counts["files"] > 1 and report.counts["bytes"] > 1_000
        assert any(note.startswith("README.md (0.0 MB)") for note in report.notes)
        assert f"/org/{name}" in report.notes[-1]
    assert hub.log == []


def damage(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)


def test_what_is_damaged_is_not_published(hub: HubStandIn, full: Workspace) -> None:
    damage(full.model("tiny"), "model.safetensors")
    damage(full.dataset("pairs"), "data/train-00000.parquet")
    damage(full.index("sky"), "vectors-000001.npy")
    for kind, name in (("model", "tiny"), ("dataset", "pairs"), ("index", "sky")):
        with pytest.raises(PaperclipError, match=r"is damaged: .* is not what was written"):
            send(full, kind, name)
    assert hub.log == []


@pytest.fixture(params=[None, READER, "hf_wrong"])
def stranger(hub: HubStandIn, request: pytest.FixtureRequest) -> Iterator[str | None]:
    with the_hub(hub, request.param):
        yield request.param


def test_strangers_are_told_and_no_token_is_printed(
    hub: HubStandIn, cache: Workspace, stranger: str | None
) -> None:
    hub.put("org/tiny", {"a.txt": b"x"})
    with pytest.raises(PaperclipError) as caught:
        send(cache)
    message, hint = {
        None: (
            "nothing can be published without a token of the Hub",
            "log in with `hf auth login`, or set HF_TOKEN, to one that may write",
        ),
        READER: (
            "org/tiny could not be published: the token does not allow it",
            "use a token that may, or another repository",
        ),
        "hf_wrong": (
            "org/tiny could not be published: the Hub does not accept the token",
            "log in again: `hf auth login`, or set HF_TOKEN",
        ),
    }[stranger]
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert hub.repositories["model", "org/tiny"].files == {"a.txt": b"x"}


def test_a_change_by_somebody_else_is_not_overwritten(hub: HubStandIn, cache: Workspace) -> None:
    hub.faults = [{"on": "POST /api/models/org/tiny/commit", "do": "status", "status": 412}]
    with pytest.raises(PaperclipError, match="somebody else changed the repository"):
        send(cache)


def test_private_does_not_count_for_a_public_repository(hub: HubStandIn, cache: Workspace) -> None:
    hub.put("org/tiny", {"a.txt": b"x"})
    with pytest.raises(PaperclipError, match="org/tiny is there and public"):
        send(cache, private=True)
    assert commits(hub) == 0


@pytest.mark.parametrize(
    ("kind", "name", "more", "message"),
    [
        ("model", "none", {}, "no 'none' among the models of the cache .it has: tiny"),
        ("dataset", "tiny", {}, "no 'tiny' among the datasets of the cache .it has: none"),
        ("index", "tiny", {}, "no 'tiny' among the indexes"),
        ("model", "../tiny", {}, "cannot be the name of a model"),
        ("model", "tiny", {"repository": "tiny"}, "'tiny' is not the name of a repository"),
        ("model", "tiny", {"repository": "org/tiny@v1"}, "not the name of a repository"),
        ("model", "tiny", {"licence": "my own: yes"}, "--licence 'my own: yes' is not the name"),
        ("model", "tiny", {"message": " "}, "--message is empty"),
        ("paper", "tiny", {}, "unknown KIND 'paper'"),
    ],
)
def test_wrong_usage(
    hub: HubStandIn, cache: Workspace, kind: str, name: str, more: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        send(cache, kind, name, **{"repository": "org/x", **more})


def test_without_network_it_says_so(cache: Workspace) -> None:
    with pytest.raises(PaperclipError, match="org/tiny is on the Hub, and --offline is set"):
        send(Workspace(cache.root, offline=True))


OTHER_PROGRAMS = """
import datasets
from transformers import CLIPModel
found = datasets.load_dataset("org/pairs", token=False)
model = CLIPModel.from_pretrained("org/tiny", token=False)
print({name: len(rows) for name, rows in found.items()}, found["train"][0]["image"].size)
print(sum(tensor.numel() for tensor in model.parameters()))
"""


def test_other_programs_read_what_was_published(
    hub: HubStandIn, full: Workspace, tmp_path: Path
) -> None:
    send(full)
    send(full, "dataset", "pairs")
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROGRAMS],
        capture_output=True,
        text=True,
        env=hub.environment(tmp_path / "hf"),
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    splits, count = done.stdout.splitlines()
    counts = {split: count_rows(full.dataset("pairs"), split) for split in ("train", "validation")}
    assert all(f"'{split}': {number}" in splits for split, number in counts.items() if number)
    assert int(count) > 10_000
    assert not [line for line in hub.with_token if line.startswith("localhost")]
