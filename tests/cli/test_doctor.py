"""`paperclip doctor` as a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paperclip_cli.cli import app as cli
from paperclip_cli.workspace import Manifest, Workspace, write_manifest


def test_problems_are_exit_1_and_end_in_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    arguments = ["--cache-dir", str(tmp_path), "--offline", "--quiet", "doctor"]
    assert cli.run(arguments) == 0
    capsys.readouterr()
    write_manifest(Workspace(tmp_path).model("broken"), Manifest(stage="train", config={}))
    assert cli.run(arguments) == 1
    out, err = capsys.readouterr()
    assert err == "" and all(
        len(line) <= 80 for line in out.partition("What to do:")[0].splitlines()
    )
    assert out.splitlines()[0].startswith("versions") and "What to do:\n  model broken: " in out
    assert "-> a model needs config.json" in out
    assert cli.run([*arguments, "--json"]) == 1
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert found["model broken"]["state"] == "problem" and set(found["python"]) == {
        "topic",
        "name",
        "found",
        "state",
        "advice",
    }
