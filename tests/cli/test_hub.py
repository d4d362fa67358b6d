"""`publish` and `pull` as they are typed, in this process and in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from paperclip_cli.cli import pull as command
from paperclip_cli.cli.app import run
from paperclip_cli.errors import ExitCode
from paperclip_cli.workspace import Workspace
from tests.stages.test_publish import add_model
from tests.standin.hub import WRITER, HubStandIn

HEAVY = 30 * 2**20


@pytest.fixture
def cache(tmp_path: Path, tiny_model: Path) -> Workspace:
    workspace = Workspace(tmp_path / "cache")
    add_model(workspace, tiny_model)
    return workspace


def typed(workspace: Workspace, *words: str) -> int:
    return run(["--cache-dir", str(workspace.root), *words])


def test_reports_are_on_stderr_and_hold_no_token(
    hub: HubStandIn, cache: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = Workspace(tmp_path / "theirs")
    for _ in range(2):
        assert typed(cache, "publish", "model", "tiny", "org/tiny", "--verbose") == 0
        assert typed(theirs, "pull", "org/tiny", "--verbose") == 0
    out, err = capsys.readouterr()
    commit = hub.repositories["model", "org/tiny"].refs["main"]
    assert out == "" and WRITER not in err
    assert err.count("publish: done") == err.count("publish: nothing to do") == 1
    assert err.count("pull: done") == err.count("pull: nothing to do") == 1
    assert f"org/tiny: model, licence mit, 0.8 MB, commit {commit}" in err
    assert "use it: `paperclip index --model tiny`" in err


def test_what_is_wrong_ends_in_two_lines(
    hub: HubStandIn, cache: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(cache, "pull", "org/none") == ExitCode.ERROR
    assert typed(cache, "pull", "none") == ExitCode.USAGE
    assert typed(cache, "publish", "paper", "tiny", "org/tiny") == ExitCode.USAGE
    assert typed(cache, "publish", "model", "none", "org/tiny") == ExitCode.USAGE
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"] * 4


def test_only_a_person_is_asked_and_only_before_a_large_download(
    hub: HubStandIn, cache: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed(cache, "publish", "model", "tiny", "org/tiny") == 0
    theirs, asked = Workspace(tmp_path / "theirs"), []

    def pull(*words: str) -> int:
        return typed(theirs, "pull", "org/tiny", "--quiet", *words)

    def refuse(text: str, err: bool) -> bool:
        asked.append(text)
        return False

    monkeypatch.setattr(typer, "confirm", refuse)
    monkeypatch.setattr(command, "_LARGE", 1e5)
    assert pull("--name", "unattended") == 0 and not asked

    monkeypatch.setattr(command, "_is_attended", lambda: True)
    assert pull("--name", "refused") == ExitCode.ERROR
    assert len(asked) == 1 and "licence mit" in asked[0]
    assert pull("--name", "agreed", "--yes") == 0
    monkeypatch.setattr(command, "_LARGE", 1e9)
    assert pull("--name", "small") == 0
    assert len(asked) == 1 and theirs.names("models") == ["agreed", "small", "unattended"]


def program(server: HubStandIn, home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "paperclip_cli", "--cache-dir", str(home / "cache"), *words]


def test_a_killed_download_is_continued_by_another_process(
    hub: HubStandIn, cache: Workspace, tmp_path: Path
) -> None:
    files = {path.name: path.read_bytes() for path in cache.model("tiny").iterdir()}
    files["metrics.jsonl"] = b'{"step": 1}\n' * (HEAVY // 12)
    hub.put("org/tiny", files)
    hub.faults = [{"on": "/resolve/", "do": "slow"}]
    variables = hub.environment(tmp_path / "hf")
    command = program(hub, tmp_path / "theirs", "pull", "org/tiny")
    first = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE)
    place = tmp_path / "theirs" / "cache" / "hub"
    deadline = time.monotonic() + 60
    while not any(part.stat().st_size > 2**20 for part in place.rglob("metrics.jsonl.part")):
        assert first.poll() is None and time.monotonic() < deadline, first.communicate()[1]
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    hub.faults, hub.ranges[:] = [], []
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "left to download" in done.stderr, done.stderr
    assert len(hub.ranges) == 1 and not hub.ranges[0].startswith("bytes=0-")
    theirs = Workspace(tmp_path / "theirs" / "cache").model("tiny")
    assert all((theirs / name).read_bytes() == files[name] for name in files if name in (
        "metrics.jsonl", "model.safetensors", "README.md"))  # fmt: skip
