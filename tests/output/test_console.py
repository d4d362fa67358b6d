"""Output on stdout and stderr, and in a log without a terminal."""

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
    written = [(str(row["rank"]), ";".join(row["filters"])) for row in rows]
    assert [(row["rank"], row["filters"]) for row in read] == written


def test_nothing_found_is_still_valid_json() -> None:
    assert json.loads(console.rows([], "json")) == []


def test_a_report_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    failures = tuple(Failure(f"image {n}", "truncated") for n in range(7))
    console.report(
        Report(
            stage="fetch",
            counts={"previews": 1200},
            excluded={"proposals without an image": 3},
            failures=failures,
        )
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[:3] == [
        "fetch: done (1,200 previews)",
        "  skipped 3 proposals without an image",
        "  failed: 7 truncated",
    ]
    assert "... and 2 more" in err


def test_quiet_still_shows_failures(capsys: pytest.CaptureFixture[str]) -> None:
    console.report(
        Report(stage="fetch", counts={"previews": 1}, failures=(Failure("a.jpg", "truncated"),)),
        quiet=True,
    )
    assert capsys.readouterr().err == "  failed: 1 truncated\n    a.jpg: truncated\n"
