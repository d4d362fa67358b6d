"""Records survive JSON Lines and a torn last line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import (
    Key,
    Observation,
    Preview,
    Proposal,
    Summary,
    from_dict,
    read_jsonl,
    to_json,
    write_jsonl,
)

numbers = st.floats(allow_nan=False, allow_infinity=False)
observations = st.builds(
    Observation,
    target=st.none() | st.text(min_size=1),
    moving=st.none() | st.booleans(),
    s_ra=st.none() | numbers,
    filters=st.lists(st.text(min_size=1)).map(tuple),
    t_min=st.none() | numbers,
)
previews = st.builds(
    Preview,
    mission=st.sampled_from(["hst", "jwst"]),
    proposal_id=st.integers(0, 10**6),
    image=st.text(),
    sha256=st.text(),
    side=st.integers(1, 4096),
    original=st.text(),
    observation=observations,
)
summaries = st.builds(
    Summary,
    mission=st.just("hst"),
    proposal_id=st.integers(0),
    objects_and_phenomena=st.lists(st.text()).map(tuple),
    science_use_cases=st.lists(st.text()).map(tuple),
    backend=st.text(),
    derived=st.booleans(),
)


@given(st.lists(previews))
def test_previews_survive_json_lines(
    tmp_path_factory: pytest.TempPathFactory, items: list[Preview]
) -> None:
    path = tmp_path_factory.mktemp("records") / "previews.jsonl"
    path.write_text(write_jsonl(items), encoding="utf-8")
    assert list(read_jsonl(path, Preview)) == items


@given(summaries)
def test_summaries_survive_json(summary: Summary) -> None:
    import json

    assert from_dict(Summary, json.loads(to_json(summary))) == summary


def test_a_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "proposals.jsonl"
    proposals = [
        Proposal(mission="hst", proposal_id=1, abstract="one"),
        Proposal(mission="hst", proposal_id=2, abstract="two"),
    ]
    path.write_text(write_jsonl(proposals) + '{"mission":"hst","propo')
    assert [record.proposal_id for record in read_jsonl(path, Proposal)] == [1, 2]


def test_a_bad_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "proposals.jsonl"
    path.write_text(
        '{"mission":\n' + write_jsonl([Proposal(mission="hst", proposal_id=2, abstract="two")])
    )
    with pytest.raises(PaperclipError, match="line 1"):
        list(read_jsonl(path, Proposal))


def test_unknown_fields_are_left_out() -> None:
    values = {"mission": "hst", "proposal_id": 1, "abstract": "a", "colour_of_ink": "blue"}
    assert from_dict(Proposal, values) == Proposal(mission="hst", proposal_id=1, abstract="a")


@given(st.integers(0, 10**9))
def test_keys_are_read_as_printed(number: int) -> None:
    assert Key.parse(str(Key("hst", number))) == Key("hst", number)


@pytest.mark.parametrize("text", ["", "hst", "15354", "hst:", ":1", "hst:x", "hst:-1"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a proposal key"):
        Key.parse(text)
