"""`cache` as it is typed."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from paperclip_cli.cli.app import run
from paperclip_cli.cli.cache import ACTIONS
from paperclip_cli.errors import ExitCode
from paperclip_cli.workspace import Manifest, Workspace, write_manifest
from tests.test_layers import HEAVY, loaded_by


@pytest.fixture
def cache(workspace: Workspace) -> Workspace:
    write_manifest(workspace.model("one"), Manifest(stage="train", config={}))
    write_manifest(workspace.model("two"), Manifest(stage="train", config={}))
    return workspace


def typed(workspace: Workspace, *words: str) -> int:
    return run(["--cache-dir", str(workspace.root), "cache", *words])


def test_the_list_and_the_path(cache: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(cache, "ls", "--json") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [(one["kind"], one["name"]) for one in found] == [("model", "one"), ("model", "two")]
    assert set(found[0]) == {"kind", "name", "path", "size", "made", "used_by", "state"}
    assert err == f"0.0 MB in {cache.root}\n"
    assert typed(cache, "ls") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["model", "one"]
    assert typed(cache, "path") == 0
    assert capsys.readouterr().out == f"{cache.root}\n"


def test_without_a_terminal_only_yes_removes(
    cache: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache.root / "models" / ".gone.new.abcdefgh").mkdir()
    for words in (("rm", "model", "one"), ("prune",)):
        assert typed(cache, *words) == ExitCode.ERROR
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith("error: nothing was removed") and "--yes" in hint
    assert cache.names("models") == ["one", "two"]
    assert typed(cache, "rm", "model", "one", "--yes") == typed(cache, "prune", "-y") == 0
    assert cache.names("models") == ["two"]
    assert not (cache.root / "models" / ".gone.new.abcdefgh").exists()
    assert typed(cache, "rm", "model", "../../x", "--yes") == ExitCode.ERROR
    assert typed(cache, "rm", "models", "two", "--yes") == ExitCode.USAGE
    assert typed(cache) == ExitCode.USAGE


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [("n\n", 1, ["one", "two"]), ("y\n", 0, ["two"]), ("", 130, ["one", "two"])],
)
def test_at_a_terminal_a_person_is_asked(
    cache: Workspace, answer: str, code: int, left: list[str]
) -> None:
    """In a process with a terminal; without an answer it gets a Ctrl-C."""
    ours, theirs = pty.openpty()
    command = [*PROGRAM, "--cache-dir", str(cache.root), "cache", "rm", "model", "one"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 1_024)
        if answer:
            os.write(ours, answer.encode())
        else:
            process.send_signal(signal.SIGINT)
    os.close(theirs)
    os.close(ours)
    assert (process.returncode, cache.names("models")) == (code, left), said
    assert b"model one (0.0 MB)" in said


PROGRAM = [sys.executable, "-m", "paperclip_cli"]


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_help_with_an_example(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cache", action, "--help"]) == 0
    assert f"Example: paperclip cache {action}" in capsys.readouterr().out.splitlines()[-1]


def test_help_and_completion_load_nothing_heavy(cache: Workspace) -> None:
    for words in (["cache", "--help"], ["cache", "rm", "--help"]):
        assert not HEAVY & loaded_by(
            f"from paperclip_cli.cli.app import run\nassert run({words}) == 0"
        )
    line = f"paperclip --cache-dir {cache.root} cache rm model "
    environment = os.environ | {
        "_PAPERCLIP_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split())),
    }
    done = subprocess.run(PROGRAM, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["one", "two"], done.stderr
    code = (
        "from pathlib import Path\nfrom paperclip_cli.stages import cache_names\n"
        "from paperclip_cli.workspace import Workspace\n"
        f"assert cache_names.run('model', Workspace(Path({str(cache.root)!r}))) == ['one', 'two']"
    )
    assert not HEAVY & loaded_by(code)
