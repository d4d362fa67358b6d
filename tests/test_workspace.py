"""The cache: its names and its manifests."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import replace_file
from paperclip_cli.workspace import (
    Manifest,
    Workspace,
    announce,
    checked_name,
    faults,
    is_finished,
    read_manifest,
    stamp_of,
    whole_manifest,
    write_manifest,
)


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCLIP_CACHE_DIR", str(tmp_path / "from-environment"))
    assert Workspace.locate(tmp_path / "given").root == tmp_path / "given"
    assert Workspace.locate(None).root == tmp_path / "from-environment"
    monkeypatch.delenv("PAPERCLIP_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Workspace.locate(None).root.name == "paperclip"


def test_a_file_cannot_be_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not a directory"):
        Workspace.locate(tmp_path / "file")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\nb", "..", "/root"])
def test_no_name_leads_out_of_the_cache(name: str) -> None:
    with pytest.raises(UsageError):
        checked_name(name, "model")


def test_a_manifest_says_what_was_done(tmp_path: Path) -> None:
    config, inputs = {"size": 512, "paths": ("a", "b")}, {"catalogue": "abc"}
    done = Manifest(stage="fetch", config=config, inputs=inputs, counts={"previews": 3})
    write_manifest(tmp_path, done)

    found = read_manifest(tmp_path)
    assert found is not None and found.counts == {"previews": 3} and found.created.endswith("Z")
    assert is_finished(tmp_path, "fetch", config, inputs)
    assert not is_finished(tmp_path, "fetch", config | {"size": 256}, inputs)
    assert not is_finished(tmp_path, "fetch", config, {"catalogue": "abd"})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stage": 1}', '{"stage": "a", "config": []}'])
def test_a_damaged_manifest_is_not_taken_for_none(tmp_path: Path, text: str) -> None:
    assert read_manifest(tmp_path) is None
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(PaperclipError, match="is damaged"):
        read_manifest(tmp_path)
    assert read_manifest(tmp_path, may_be_damaged=True) is None


def test_a_manifest_has_a_format(tmp_path: Path) -> None:
    """An old manifest without a format is read, and gets one when it is written next.

    A manifest of a later format is refused.
    """
    path = tmp_path / "manifest.json"
    path.write_text('{"stage": "fetch", "config": {}, "counts": {"images": 3}}')
    old = read_manifest(tmp_path)
    assert old is not None and old.format == 0 and old.counts == {"images": 3}

    write_manifest(tmp_path, old)
    created = json.loads(path.read_text())["created"]
    assert read_manifest(tmp_path) == replace(old, format=1, created=created)

    path.write_text('{"stage": "fetch", "config": {}, "format": 2, "version": "9.0"}')
    for may_be_damaged in (False, True):
        with pytest.raises(PaperclipError, match=r"later version of paperclip \(9.0\)"):
            read_manifest(tmp_path, may_be_damaged)


def finished(folder: Path, content: bytes, grows: bool = False) -> None:
    """An artefact of one file."""
    replace_file(folder / "lines", content)
    write_manifest(
        folder, Manifest(stage="fetch", config={}, files={"lines": stamp_of(content, grows)})
    )


def test_what_is_cut_or_gone_is_refused(tmp_path: Path) -> None:
    finished(tmp_path, b"one\ntwo\n")
    assert whole_manifest(tmp_path) is not None
    (tmp_path / "lines").write_bytes(b"one\n")
    with pytest.raises(PaperclipError, match="lines has 4 bytes, and 8 were written"):
        whole_manifest(tmp_path)
    assert whole_manifest(tmp_path, parts=("other",)) is not None
    (tmp_path / "lines").unlink()
    with pytest.raises(PaperclipError, match="lines is missing"):
        whole_manifest(tmp_path)


@given(st.binary(min_size=1, max_size=9), st.data())
def test_any_flipped_bit_is_found(content: bytes, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        finished(folder, content)
        manifest = read_manifest(folder)
        assert manifest is not None and not list(faults(folder, manifest, verify=True))
        number = data.draw(st.integers(0, len(content) * 8 - 1))
        damaged = bytearray(content)
        damaged[number // 8] ^= 1 << number % 8
        (folder / "lines").write_bytes(damaged)
        assert list(faults(folder, manifest, verify=True)) == ["lines is not what was written"]
        assert not list(faults(folder, manifest))


def test_what_grows_is_whole_as_far_as_it_was_finished(tmp_path: Path) -> None:
    finished(tmp_path, b"one\n", grows=True)
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    for content, fault in (
        (b"one\ntwo\n", []),
        (b"one", ["lines has 3 bytes, and 4 were written"]),
        (b"ono\ntwo\n", ["lines is not what was written"]),
    ):
        (tmp_path / "lines").write_bytes(content)
        assert list(faults(tmp_path, manifest, verify=True)) == fault


def test_files_that_are_being_replaced_are_whole_before_and_after(tmp_path: Path) -> None:
    finished(tmp_path, b"one\n")
    announce(tmp_path, {"lines": stamp_of(b"three\n")})
    for content in (b"one\n", b"three\n"):
        (tmp_path / "lines").write_bytes(content)
        assert whole_manifest(tmp_path) is not None
    (tmp_path / "lines").write_bytes(b"th")
    with pytest.raises(PaperclipError, match="has 2 bytes, and 4 were written"):
        whole_manifest(tmp_path)


def test_hidden_folders_are_no_artefacts(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name in ("default", ".default.new.abcdefgh"):
        write_manifest(tmp_path / "models" / name, Manifest(stage="train", config={}))
    assert workspace.names("models") == ["default"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"../../secret": {"size": 1, "sha256": "0"}}, "outside the folder"),
        ({"/etc/passwd": {"size": 1, "sha256": "0"}}, "outside the folder"),
        ({"vectors.npy": {"size": "many", "sha256": "0"}}, "no size and SHA-256"),
        ({"vectors.npy": [1, "0"]}, "no size and SHA-256"),
        ({"vectors.npy": {}}, "no size and SHA-256"),
    ],
)
def test_a_hostile_manifest_is_damaged(tmp_path: Path, files: dict, reason: str) -> None:
    write_manifest(tmp_path, Manifest(stage="index", config={}, files=files))
    with pytest.raises(PaperclipError, match=reason):
        read_manifest(tmp_path)
