"""Progress: plain lines without a terminal, a live table on one."""

from __future__ import annotations

import io

import pytest

from paperclip_cli.output import bars


def test_without_a_terminal_a_table_is_a_line_every_few_steps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(bars.time, "monotonic", lambda: float(next(clock)))
    with bars.progress().table("train", 12, every=5) as table:
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
    """The table is drawn into memory, as on a terminal."""
    from rich.console import Console

    screen = io.StringIO()
    monkeypatch.setattr(
        bars,
        "stderr_console",
        lambda: Console(file=screen, force_terminal=True, width=120, height=40),
    )
    with bars.BarProgress().table("train", 60, every=2) as table:
        for step in range(1, 46):
            table.add(step, loss=float(step))
        table.add(45, validation_loss=0.5)
    last = screen.getvalue().split("train: 45 of 60 steps")[-1]
    rows = [line.split() for line in last.splitlines() if line.strip()]
    shown = [row for row in rows if row[0].isdecimal()]
    assert [int(row[0]) for row in shown] == [*range(24, 46, 2), 45]
    assert shown[-1] == ["45", "45", "0.5"]


def test_without_a_terminal_progress_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(bars.time, "monotonic", lambda: float(next(clock)))
    with bars.progress().task("index", 4, "images") as task:
        for _ in range(4):
            task.advance(failed=0)
    err = capsys.readouterr().err
    assert "\x1b" not in err and "\r" not in err
    assert err.splitlines()[0].startswith("index: 2/4, ") and err.splitlines()[-1].startswith(
        "index: 4/4, "
    )
    assert "images/s" in err and "left" in err.splitlines()[0]
