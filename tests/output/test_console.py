"""Output on stdout and stderr, and in a log without a terminal."""

from __future__ import annotations

import csv
import io
import json
import os
from contextlib import redirect_stdout
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

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


@given(
    st.integers(60, 200),
    st.lists(st.tuples(*[st.text("abc 星", max_size=70)] * 3), min_size=1, max_size=4),
)
def test_columns_that_share_a_line_cut_only_what_does_not_fit(
    width: int, cells: list[tuple[str, ...]]
) -> None:
    """None is wider than its text, and none that is cut has less than its share."""
    names, shares = ("Title", "Target", "Instrument"), (5, 2, 2)
    columns = [
        console.TableColumn("#", 4, "right"),
        *(
            console.TableColumn(name, share=share)
            for name, share in zip(names, shares, strict=True)
        ),
    ]
    rows = [[str(rank), *row] for rank, row in enumerate(cells, 1)]
    with mock.patch.dict(os.environ, COLUMNS=str(width)), redirect_stdout(io.StringIO()) as said:
        console.table(columns, rows)
    lines = said.getvalue().splitlines()
    gap, most = (1 if width < 80 else 2), min(width, 160)
    assert all(cell_len(line) <= most for line in lines)
    wanted = [
        max(map(cell_len, [name, *(console.printable(row[place]) for row in cells)]))
        for place, name in enumerate(names)
    ]
    room = most - 1 - 3 * gap
    if sum(wanted) <= room:
        assert "…" not in said.getvalue()
    else:
        assert max(map(cell_len, lines)) > most - 3, "the line is used"
    for place, share in enumerate(shares):
        if wanted[place] <= room * share // sum(shares):
            assert all(console.printable(row[place]) in said.getvalue() for row in cells)
