"""Counts with their nouns: one function makes them all, and no message counts by hand."""

from __future__ import annotations

import ast
import io
import re
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.mast.filenames import Kind
from paperclip_cli.output import console
from paperclip_cli.report import Report
from paperclip_cli.wording import counted, noun

PACKAGE = Path(__file__).resolve().parents[1] / "paperclip_cli"
ONE = {
    "proposals": "proposal",
    "summaries": "summary",
    "tries": "try",
    "indexes": "index",
    "processes": "process",
    "batches": "batch",
    "bytes": "byte",
    "validation images": "validation image",
    "summaries exported": "summary exported",
    "proposals whose abstract names no object": "proposal whose abstract names no object",
    "files that are no JPEG, PNG, TIFF or FITS": "file that is no JPEG, PNG, TIFF or FITS",
    "links that lead out": "link that leads out",
    "images have no small picture": "image has no small picture",
    "records of the catalogue that repeat a proposal": (
        "record of the catalogue that repeats a proposal"
    ),
    "images of proposals that are not in the catalogue": (
        "image of proposals that are not in the catalogue"
    ),
    "previous analysis frames": "previous analysis frame",
    "WFPC2 CCDS": "WFPC2 CCDS",
    "new": "new",
    "already there": "already there",
    "read now": "read now",
}


@pytest.mark.parametrize("plural", ONE)
def test_one_is_singular_and_everything_else_is_not(plural: str) -> None:
    assert counted(1, plural) == f"1 {ONE[plural]}" and noun(1, plural) == ONE[plural]
    assert counted(0, plural) == f"0 {plural}" and counted(2, plural) == f"2 {plural}"
    assert counted(1_000, plural) == f"1,000 {plural}" and noun(1.5, plural) == plural


def test_times_read_as_they_are_said() -> None:
    assert [counted(n, "times") for n in (0, 1, 2)] == ["0 times", "once", "2 times"]


@given(st.integers(0, 10**12), st.sampled_from(sorted(ONE)))
def test_the_number_comes_first_and_can_be_read_again(count: int, plural: str) -> None:
    number, _, words = counted(count, plural).partition(" ")
    assert int(number.replace(",", "")) == count and words in (plural, ONE[plural])


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.WANTED])
def test_every_kind_of_product_has_a_singular(kind: Kind) -> None:
    assert noun(1, kind.value) != kind.value


def test_reports_count_in_words() -> None:
    said = io.StringIO()
    with redirect_stderr(said):
        console.report(
            Report(
                stage="fetch",
                counts={"proposals": 1, "images": 1_200, "new": 1},
                excluded={
                    "files that are no JPEG": 1,
                    "proposals without an image": 2,
                    "proposals: no text": 1,
                },
            )
        )
    assert said.getvalue().splitlines() == [
        "fetch: done (1 proposal, 1,200 images, 1 new)",
        "  skipped 1 file that is no JPEG",
        "  skipped 2 proposals without an image",
        "  skipped 1 proposal: no text",
    ]


NOUNS = (
    "proposals|images|pairs|files|rows|vectors|models|summaries|captions|steps|figures|times|"
    "records|hits|tries|cores|processes|devices|parts|requests|labels|phrases|batches"
)


def by_hand(path: Path) -> list[str]:
    """Messages of a module that put a number (anything but `split`) before a plural noun."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            for before, after in zip(node.values, node.values[1:], strict=False):
                if (
                    isinstance(before, ast.FormattedValue)
                    and ast.unparse(before.value) != "split"
                    and isinstance(after, ast.Constant)
                    and re.match(rf" ({NOUNS})\b", str(after.value))
                ):
                    found.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {after.value}")
    return found


def test_no_message_counts_by_hand() -> None:
    assert not [place for path in sorted(PACKAGE.rglob("*.py")) for place in by_hand(path)]
