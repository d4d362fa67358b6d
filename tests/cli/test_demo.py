"""The demo runs every stage through the program itself, and finds its own work again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paperclip_cli.cli.app import run


def test_the_demo_ends_in_a_contact_sheet_and_reuses_its_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--cache-dir", str(tmp_path / "cache"), "demo", "--proposals", "50", "--steps", "2", "--out", str(tmp_path / "out")]
    assert run(command) == 0
    out, err = capsys.readouterr()
    assert '$ paperclip query \'galaxy mergers\' -k 5' in out and "says nothing about real data" in out
    assert "error" not in err
    sheet = (tmp_path / "out" / "demo.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in sheet and "http://" not in sheet
    hits = [json.loads(line) for line in (tmp_path / "out" / "hits.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {hit["query"] for hit in hits} == {"galaxy mergers", "gravitational lens", "globular cluster", "planetary nebula"}

    assert run(command) == 0
    again = capsys.readouterr().err
    for stage in ("fetch", "summarize", "build-dataset", "train", "index"):
        assert f"{stage}: nothing to do" in again
