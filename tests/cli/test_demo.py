"""The demo runs every stage as a program, and reuses its work when it is run again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from paperclip_cli.cli.app import run
from paperclip_cli.errors import ExitCode


@pytest.mark.nightly
def test_the_demo_ends_in_a_contact_sheet_and_reuses_its_work(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = [
        "--cache-dir",
        str(tmp_path / "cache"),
        "demo",
        "--proposals",
        "50",
        "--steps",
        "2",
        "--out",
        str(tmp_path / "out"),
    ]
    assert run(command) == 0
    out, err = capfd.readouterr()
    assert (
        "$ paperclip query 'galaxy mergers' -k 5" in out and "says nothing about real data" in out
    )
    assert "error" not in err
    sheet = (tmp_path / "out" / "demo.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in sheet and "http://" not in sheet
    hits = [
        json.loads(line)
        for line in (tmp_path / "out" / "hits.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert {hit["query"] for hit in hits} == {
        "galaxy mergers",
        "gravitational lens",
        "globular cluster",
        "planetary nebula",
    }

    assert run(command) == 0
    again = capfd.readouterr().err
    for stage in ("fetch", "summarize", "build-dataset", "train", "index"):
        assert f"{stage}: nothing to do" in again


def test_a_demo_that_is_terminated_ends_its_command_too(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "paperclip_cli",
        "--cache-dir",
        str(tmp_path),
        "demo",
        "--proposals",
        "2000",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert any(line.startswith("$ paperclip fetch") for line in process.stdout)
        assert process.stderr.readline().startswith("fetch: ")  # the command is at work
        process.send_signal(signal.SIGTERM)
        # Both pipes end only when no process holds them, the command included.
        said = process.stderr.read().splitlines()
        assert (
            said.count("terminated") == 1
            and said[-1] == "terminated"
            and process.wait() == ExitCode.TERMINATED
        )
