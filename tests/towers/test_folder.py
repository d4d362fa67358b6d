"""Model names, the content of model folders, and fingerprints."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.images.view import View
from paperclip_cli.towers import folder as folders
from paperclip_cli.towers.folder import CLIP_MEAN, ModelFolder, fingerprint, resolve
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny").path


@pytest.fixture
def tiny(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for file in original.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def put(workspace: Workspace, name: str, original: Path) -> Path:
    folder = workspace.model(name)
    folder.mkdir(parents=True)
    for file in original.iterdir():
        (folder / file.name).hardlink_to(file)
    return folder


def test_no_name_means_the_only_model(workspace: Workspace, original: Path) -> None:
    with pytest.raises(PaperclipError, match="no model in the cache") as raised:
        resolve(None, workspace)
    assert "paperclip train" in str(raised.value.hint)
    put(workspace, "first", original)
    assert resolve(None, workspace).name == "first"
    put(workspace, "second", original)
    with pytest.raises(UsageError, match=r"2 models \(first, second\) and no --model"):
        resolve(None, workspace)


def test_a_name_of_the_cache_comes_before_a_folder(
    workspace: Workspace, original: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    assert resolve("tiny", workspace).path == tiny
    assert resolve("tiny", workspace).path.is_absolute()
    inside = put(workspace, "tiny", original)
    assert resolve("tiny", workspace).path == inside
    assert resolve("./tiny", workspace).path == tiny


@pytest.mark.parametrize("name", ["nonsense", "../tiny-not-there", "/no/such/folder", ""])
def test_a_name_that_means_nothing_is_told_with_what_there_is(
    name: str, workspace: Workspace, original: Path
) -> None:
    put(workspace, "first", original)
    if name:
        with pytest.raises(UsageError, match="first"):
            resolve(name, workspace)
    else:
        with pytest.raises(PaperclipError):
            resolve(name, workspace)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_without_a_model_says_what_it_lacks(
    tiny: Path, missing: str, workspace: Workspace
) -> None:
    (tiny / missing).unlink()
    if missing == "tokenizer.json":
        resolve(str(tiny), workspace)  # vocab.json and merges.txt are there
        (tiny / "merges.txt").unlink()
    with pytest.raises(PaperclipError, match=f"{missing}.* is missing"):
        resolve(str(tiny), workspace)


def test_a_model_from_elsewhere_has_the_papers_view_of_previews(tiny: Path) -> None:
    (tiny / "paperclip.json").unlink()
    (tiny / "preprocessor_config.json").unlink()
    found = ModelFolder.open(tiny)
    assert found.view == View(kind="centre", crop=0.4375, size=64, pad=255)
    assert (found.card, found.mean) == ({}, CLIP_MEAN)
    assert found.view_of(is_preview=True) == found.view
    assert found.view_of(is_preview=False) == View(kind="clip", crop=1.0, size=64)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("paperclip.json", '{"view": {"kind": "tiles"}}', "tiles"),
        ("paperclip.json", '{"view": {"size": 32}}', "32 pixels and the model 64"),
        ("paperclip.json", '{"view": {"colour": 3}}', "not a view"),
        ("paperclip.json", '{"view": 7}', "not a view"),
        ("paperclip.json", '{"view": {"crop": "all"}}', "not a view"),
        ("paperclip.json", '{"extras": {"head_size": -1}}', "not a model's extras"),
        ("paperclip.json", '{"extras": {"head_size": 4, "path": "../x"}}', "not a model's extras"),
        ("paperclip.json", '{"extras": {"logit_bias": true}}', "heads.safetensors is missing"),
        ("paperclip.json", "[1]", "not a JSON object"),
        ("paperclip.json", "{", "cannot be read as JSON"),
        ("preprocessor_config.json", '{"image_mean": [0.5, 0.5]}', "three numbers"),
        ("preprocessor_config.json", '{"image_std": [1, 1, 0]}', "three numbers"),
    ],
)
def test_a_damaged_description_is_named(tiny: Path, file: str, content: str, says: str) -> None:
    (tiny / file).write_text(content)
    with pytest.raises(PaperclipError, match=says) as raised:
        ModelFolder.open(tiny)
    assert file in raised.value.message


def test_a_fingerprint_is_of_what_changes_an_embedding(
    tiny: Path, original: Path, workspace: Workspace
) -> None:
    value = fingerprint(ModelFolder.open(tiny), workspace)
    assert len(value) == 64
    assert fingerprint(ModelFolder.open(original), workspace) == value, "a copy is the same model"
    (tiny / "README.md").write_text("another card")
    (tiny / "notes.txt").write_text("x")
    assert fingerprint(ModelFolder.open(tiny), workspace) == value
    for name in (
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "preprocessor_config.json",
        "paperclip.json",
    ):
        before = fingerprint(ModelFolder.open(tiny), workspace)
        data = (tiny / name).read_bytes()
        (tiny / name).write_bytes(data + b" ")
        assert fingerprint(ModelFolder.open(tiny), workspace) != before, name


def test_a_fingerprint_is_remembered_until_a_file_changes(
    tiny: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ModelFolder.open(tiny)
    value = fingerprint(folder, workspace)
    hashed: list[int] = []
    real = folders._hash
    monkeypatch.setattr(folders, "_hash", lambda files: (hashed.append(1), real(files))[1])
    assert fingerprint(folder, workspace) == value and not hashed
    os.utime(tiny / "model.safetensors")
    assert fingerprint(folder, workspace) == value and len(hashed) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"stamp": 3, "fingerprint": "x"}'])
def test_a_damaged_memo_is_made_again(tiny: Path, workspace: Workspace, content: str) -> None:
    value = fingerprint(ModelFolder.open(tiny), workspace)
    (memo,) = (workspace.root / "fingerprints").iterdir()
    assert json.loads(memo.read_text())["fingerprint"] == value
    memo.write_text(content)
    assert fingerprint(ModelFolder.open(tiny), workspace) == value
