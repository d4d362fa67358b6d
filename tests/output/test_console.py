"""What goes to stdout and stderr, and what a log without a terminal shows."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.output import console
from paperclip_cli.report import Failure, Report

items = st.lists(
    st.fixed_dictionaries(
        {
            "rank": st.integers(1),
            "title": st.text(),
            "filters": st.lists(st.text("ABC123", min_size=1)),
        }
    ),
    min_size=1,
)


@given(items)
def test_json_and_json_lines_hold_the_same(rows: list[dict]) -> None:
    assert json.loads(console.rows(rows, "json")) == rows
    assert [json.loads(line) for line in console.rows(rows, "jsonl").split("\n")[:-1]] == rows


@given(items)
def test_csv_has_one_line_an_item(rows: list[dict]) -> None:
    read = list(csv.DictReader(io.StringIO(console.rows(rows, "csv"), newline="")))
    assert [(row["rank"], row["filters"]) for row in read] == [
        (str(row["rank"]), ";".join(row["filters"])) for row in rows
    ]


def test_nothing_found_is_still_valid_json() -> None:
    assert json.loads(console.rows([], "json")) == []


def test_a_report_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    failures = tuple(Failure(f"image {n}", "truncated") for n in range(7))
    console.report(Report("fetch", {"previews": 1200}, {"proposals without an image": 3}, failures))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[:3] == [
        "fetch: done (1,200 previews)",
        "  left out: 3 proposals without an image",
        "  failed: 7 truncated",
    ]
    assert "... and 2 more" in err


def test_quiet_still_shows_failures(capsys: pytest.CaptureFixture[str]) -> None:
    console.report(
        Report("fetch", {"previews": 1}, failures=(Failure("a.jpg", "truncated"),)), quiet=True
    )
    assert capsys.readouterr().err == "  failed: 1 truncated\n    a.jpg: truncated\n"


def test_without_a_terminal_a_table_is_a_line_every_so_many_steps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(clock)))
    with console.progress().table("train", 12, every=5) as table:
        for step in range(1, 13):
            table.add(step, loss=1 / step, images_per_second=30.0)
            if step == 6:
                table.add(step, validation_loss=2.0, validation_accuracy_10=None)
    assert capsys.readouterr().err.splitlines() == [
        "train: step 5/12, loss 0.2, images per second 30, 21 s left",
        "train: step 6/12, validation loss 2, 22 s left",
        "train: step 10/12, loss 0.1, images per second 30, 7 s left",
        "train: step 12/12, loss 0.08333, images per second 30",
    ]


def test_a_live_table_keeps_some_rows_and_follows_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn into memory, as on a terminal."""
    from rich.console import Console

    screen = io.StringIO()
    monkeypatch.setattr(
        console,
        "stderr_console",
        lambda: Console(file=screen, force_terminal=True, width=120, height=40),
    )
    with console.BarProgress().table("train", 60, every=2) as table:
        for step in range(1, 46):
            table.add(step, loss=float(step))
        table.add(45, validation_loss=0.5)
    last = screen.getvalue().split("train: 45 of 60 steps")[-1]
    shown = [
        line.split() for line in last.splitlines() if line.strip() and line.split()[0].isdecimal()
    ]
    assert [int(row[0]) for row in shown] == [*range(24, 46, 2), 45] and shown[-1] == [
        "45",
        "45",
        "0.5",
    ]


def test_without_a_terminal_progress_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(clock)))
    with console.progress().task("index", 4, "images") as task:
        for _ in range(4):
            task.advance(failed=0)
    err = capsys.readouterr().err
    assert "\x1b" not in err and "\r" not in err
    assert err.splitlines()[0].startswith("index: 2/4, ") and err.splitlines()[-1].startswith(
        "index: 4/4, "
    )
    assert "images/s" in err and "left" in err.splitlines()[0]
