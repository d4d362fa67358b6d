"""Summaries in the form of the paper's table, and the choice of a set."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.errors import MissingStage, PaperclipError
from paperclip_cli.files import replace_file
from paperclip_cli.records import Summary, write_jsonl
from paperclip_cli.summaries.files import choose_set, format_csv, read_csv, read_summaries
from paperclip_cli.workspace import Manifest, Workspace, write_manifest

item = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters=",;"),
    min_size=1,
    max_size=20,
)
items = st.lists(item, min_size=1, max_size=5).map(tuple)
summaries = st.builds(
    Summary,
    mission=st.just("hst"),
    proposal_id=st.integers(1, 10**5),
    objects_and_phenomena=items,
    science_use_cases=items,
    backend=st.just("import"),
)


@given(st.lists(summaries, unique_by=lambda summary: summary.proposal_id))
def test_summaries_survive_the_table(
    tmp_path_factory: pytest.TempPathFactory, written: list[Summary]
) -> None:
    path = tmp_path_factory.mktemp("table") / "summaries.csv"
    path.write_text(format_csv(written), encoding="utf-8")
    assert read_csv(path, "hst") == (written, [])


def test_rows_that_are_no_summary_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(
        "\ufeffproposal_id,objects_and_phenomena,science_use_cases\n"
        '1,"a, b",\n,c,d\n-3,c,d\n4," , ",d\n5,c\n',
        encoding="utf-8",
    )
    found, failures = read_csv(path, "hst")
    assert [(one.proposal_id, one.objects_and_phenomena, one.text) for one in found] == [
        (1, ("a", "b"), "a, b"),
        (5, ("c",), "c"),
    ]
    assert [one.science_use_cases for one in found] == [(), ()]

    no_number, no_objects = "no proposal number", "no objects and phenomena"
    assert [failure.reason for failure in failures] == [no_number, no_number, no_objects]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"proposal_id,objects\n1,a\n", "no column 'objects_and_phenomena'"),
        (b"", "no column"),
        (b"proposal_id,objects_and_phenomena\n1,\xff\xfe\n", "not a CSV file in UTF-8"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(content)
    with pytest.raises(PaperclipError, match=message):
        read_csv(path, "hst")


def test_the_paper_s_own_table_is_read(real_sample: Path) -> None:
    found, failures = read_csv(real_sample / "hst" / "summaries.csv", "hst")
    assert (len(found), failures) == (12, [])
    assert found[-1].objects_and_phenomena == (
        "gravitationally lensed quasars",
        "time-delays",
        "quads",
        "doubles",
    )


def write_set(workspace: Workspace, name: str, *written: Summary) -> None:
    replace_file(workspace.summaries(name) / "summaries.jsonl", write_jsonl(written))
    write_manifest(workspace.summaries(name), Manifest(stage="summarize", config={}))


def test_the_only_set_is_meant_if_none_is_named(workspace: Workspace) -> None:
    assert choose_set(workspace, None, needed=False) is None
    with pytest.raises(MissingStage, match="no summaries yet"):
        choose_set(workspace, None)

    write_set(workspace, "keywords")
    assert choose_set(workspace, None) == "keywords"

    write_set(workspace, "paper")
    assert choose_set(workspace, None, needed=False) is None
    assert choose_set(workspace, "paper") == "paper"
    with pytest.raises(PaperclipError, match="keywords, paper"):
        choose_set(workspace, None)
    with pytest.raises(MissingStage, match="no summaries named 'other'"):
        choose_set(workspace, "other")


def test_the_last_summary_of_a_proposal_counts(workspace: Workspace) -> None:
    old, new = (
        Summary(
            mission="hst",
            proposal_id=2,
            objects_and_phenomena=(text,),
            science_use_cases=("b",),
            backend="keywords",
        )
        for text in ("old", "new")
    )
    first = Summary(
        mission="hst",
        proposal_id=1,
        objects_and_phenomena=("a",),
        science_use_cases=("b",),
        backend="keywords",
    )
    write_set(workspace, "keywords", old, first, new)
    found = read_summaries(workspace, "keywords").values()
    assert [summary.objects_and_phenomena for summary in found] == [("a",), ("new",)]
    assert read_summaries(workspace, "none") == {}
