"""The cache: names, manifests, atomic replacement, locks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.workspace import (
    Manifest,
    Workspace,
    append_lines,
    checked_name,
    cut_torn_line,
    is_finished,
    lock,
    read_manifest,
    replace_file,
    replace_folder,
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
    write_manifest(
        tmp_path,
        Manifest(
            stage="fetch",
            config={"size": 512, "paths": ("a", "b")},
            inputs={"catalogue": "abc"},
            counts={"previews": 3},
        ),
    )
    found = read_manifest(tmp_path)
    assert found is not None and found.counts == {"previews": 3} and found.created.endswith("Z")
    assert is_finished(tmp_path, "fetch", {"size": 512, "paths": ("a", "b")}, {"catalogue": "abc"})
    assert not is_finished(
        tmp_path, "fetch", {"size": 256, "paths": ("a", "b")}, {"catalogue": "abc"}
    )
    assert not is_finished(
        tmp_path, "fetch", {"size": 512, "paths": ("a", "b")}, {"catalogue": "abd"}
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stage": 1}'])
def test_a_broken_manifest_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    assert read_manifest(tmp_path) is None


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder" / "file"
    replace_file(path, "one")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        replace_file(path, "two")
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with replace_folder(folder) as new:
        (new / "a").write_text("1")
    with pytest.raises(KeyboardInterrupt), replace_folder(folder) as new:
        (new / "b").write_text("2")
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["a"]
    with replace_folder(folder) as new:
        (new / "c").write_text("3")
    assert [path.name for path in folder.iterdir()] == ["c"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_second_process_is_told_that_the_folder_is_taken(tmp_path: Path) -> None:
    script = "from pathlib import Path; from paperclip_cli.workspace import lock\nwith lock(Path(%r)): print('held')"
    with lock(tmp_path / "index"):
        done = subprocess.run(
            [sys.executable, "-c", script % str(tmp_path / "index")], capture_output=True, text=True
        )
    assert "another paperclip process" in done.stderr
    with lock(tmp_path / "index"):
        pass
    assert PaperclipError.exit_code == 1


def test_a_torn_line_is_cut_off_and_whole_ones_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "set" / "lines.jsonl"
    cut_torn_line(path)
    with append_lines(path) as append:
        append("ä")
        assert path.read_text("utf-8") == "ä\n"
    path.write_bytes(path.read_bytes() + "ü".encode()[:1])
    cut_torn_line(path)
    with append_lines(path) as append:
        append("ö")
    assert path.read_text("utf-8") == "ä\nö\n"
