"""The proposal catalogue: parsing undoes formatting, and real and damaged files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.catalogue import (
    SEPARATOR,
    decode,
    format_catalogue,
    one_line,
    parse,
    read_catalogue,
)
from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import Proposal

# Words made to be misread: labels, separators, blanks of other alphabets, control characters.
TRAPS = [
    "ID:",
    "ID: 7",
    "Title:",
    "PI :",
    "Prop. Type:",
    "Cycle:  3",
    SEPARATOR,
    "-" * 60,
    "- -",
    "\x85",
    "\u2028",
    "\x00",
    "\ud800",
    "\t",
]
texts = (
    st.lists(st.one_of(st.sampled_from(TRAPS), st.text(max_size=12)), max_size=40)
    .map(" ".join)
    .map(one_line)
)
records = st.builds(
    Proposal,
    mission=st.just("hst"),
    proposal_id=st.integers(0, 999_999_999),
    abstract=texts,
    title=texts,
    category=texts,
    cycle=texts,
    pi=texts,
    proposal_type=texts,
)
catalogues = st.lists(records, max_size=5, unique_by=lambda proposal: proposal.proposal_id)

RECORD = """Prop. Type: GO
Category:   GALAXIES
ID:         10001
Cycle:      12
Title:      Locating Ultraluminous
            X-Ray Sources
PI:         Philip Kaaret

     We propose to observe
ultraluminous X-ray sources.

"""


@given(catalogues)
def test_parse_undoes_format(proposals: list[Proposal]) -> None:
    catalogue = parse(format_catalogue(proposals), "hst")
    assert list(catalogue.proposals) == proposals
    assert catalogue.duplicates == catalogue.without_id == 0


@given(catalogues)
def test_it_survives_the_way_through_a_file(proposals: list[Proposal]) -> None:
    text = format_catalogue(proposals)
    assert decode(text.encode()) == text
    assert list(parse(text.replace("\n", "\r\n"), "hst").proposals) == proposals


@given(st.text(), st.binary())
def test_no_text_is_an_error(text: str, data: bytes) -> None:
    for proposal in parse(text, "x").proposals + parse(decode(data), "x").proposals:
        assert one_line(proposal.abstract) == proposal.abstract
        assert one_line(proposal.title) == proposal.title


@given(st.text())
def test_one_line_is_idempotent(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)
    assert "\n" not in one_line(text)
    one_line(text).encode()


@pytest.mark.parametrize(
    "name, records, blank",
    [
        ("hst/abstracts.cat", 15, "title"),
        ("hst/abstracts_fragments.cat", 11, ""),
        ("deepsky/abstracts.cat", 248, ""),
    ],
)
def test_real_catalogues(real_sample: Path, name: str, records: int, blank: str) -> None:
    catalogue = read_catalogue(real_sample / name, "hst")
    assert (len(catalogue.proposals), catalogue.duplicates, catalogue.without_id) == (records, 0, 0)
    assert all(proposal.abstract for proposal in catalogue.proposals)
    assert parse(format_catalogue(catalogue.proposals), "hst") == catalogue
    if blank:
        assert not any(getattr(proposal, blank) for proposal in catalogue.proposals)


def test_the_layout_of_the_real_file_is_kept(real_sample: Path) -> None:
    path = real_sample / "hst" / "abstracts.cat"
    written = format_catalogue(read_catalogue(path, "hst").proposals)
    assert written == path.read_text(encoding="utf-8")


def test_wrapped_fields_are_joined() -> None:
    (proposal,) = parse(RECORD, "hst").proposals
    assert proposal == Proposal(
        mission="hst",
        proposal_id=10001,
        abstract="We propose to observe ultraluminous X-ray sources.",
        title="Locating Ultraluminous X-Ray Sources",
        category="GALAXIES",
        cycle="12",
        pi="Philip Kaaret",
        proposal_type="GO",
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("Title: ", "  Title :"),
        lambda text: text.replace("ID: ", "ID:\t"),
        lambda text: "\n" + text.replace("            X-Ray", "X-Ray"),
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text.replace("PI:", "\nPI:"),
        lambda text: text.replace("X-ray sources", "X-ray\x00\x07sources"),
    ],
)
def test_small_departures_from_the_layout_change_nothing(change) -> None:  # type: ignore[no-untyped-def]
    assert parse(change(RECORD), "hst") == parse(RECORD, "hst")


def test_blank_and_missing_fields_are_blank() -> None:
    text = f"Category:\nID: 5\n{SEPARATOR}\nID:6\n\n  An abstract.\n"
    assert parse(text, "hst").proposals == (
        Proposal(mission="hst", proposal_id=5, abstract=""),
        Proposal(mission="hst", proposal_id=6, abstract="An abstract."),
    )


def test_of_repeated_numbers_the_last_with_an_abstract_counts() -> None:
    first, second, third = (
        Proposal(mission="hst", proposal_id=7, abstract=abstract, title=title)
        for abstract, title in (("One.", "a"), ("Two.", "b"), ("", "c"))
    )
    other = replace(first, proposal_id=8)
    catalogue = parse(format_catalogue([first, second, third, other]), "hst")
    assert catalogue.proposals == (second, other)
    assert catalogue.duplicates == 2


@pytest.mark.parametrize("number", ["", "15x", "-3", "1234567890", "٣", "12 13"])
def test_records_without_a_valid_number_are_counted(number: str) -> None:
    catalogue = parse(f"{RECORD}{SEPARATOR}\n{RECORD.replace('10001', number)}", "hst")
    assert [proposal.proposal_id for proposal in catalogue.proposals] == [10001]
    assert catalogue.without_id == 1


def test_text_before_the_first_label_is_no_part_of_a_record() -> None:
    assert parse("HST proposal catalogue, 2024\n\n" + RECORD, "hst") == parse(RECORD, "hst")


def test_a_lost_separator_costs_no_record() -> None:
    catalogue = parse(RECORD + RECORD.replace("10001", "10002"), "hst")
    assert [proposal.proposal_id for proposal in catalogue.proposals] == [10001, 10002]
    assert len({proposal.abstract for proposal in catalogue.proposals}) == 1


def test_dashes_within_an_abstract_do_not_end_it() -> None:
    dashed = RECORD.replace("ultraluminous X-ray", "-----\nultraluminous -- X-ray")
    (proposal,) = parse(dashed, "hst").proposals
    assert proposal.abstract.endswith("observe ----- ultraluminous -- X-ray sources.")


def test_a_stray_byte_spoils_one_letter_only() -> None:
    text = "\ufeffTitle: Sérsic 13 naïve\nPI: Ångström\n"
    data = text.encode().replace("naïve".encode(), b"na\xefve\x81")
    assert decode(data) == "Title: S\u00c3\u00a9rsic 13 naïve\ufffd\nPI: Ångström\n"


def test_it_takes_linear_time() -> None:
    """Each of these texts once made a regular expression or a loop take far longer."""
    hostile = [
        "ID: 5\n" + "x" * 3_000_000,
        "Title: " + "-" * 3_000_000,
        " " * 3_000_000 + "ID: 5",
        "ID" + " " * 3_000_000,
        "-" * 3_000_000 + "x",
        "ID: 1\n" * 300_000,
        "\n" * 1_000_000,
        f"ID: 1\n\nx\n{SEPARATOR}\n" * 30_000,
    ]
    found = [len(parse(text, "hst").proposals) for text in hostile]
    assert found == [0] * 7 + [1]


@pytest.mark.parametrize(
    "data, words",
    [
        (None, "no proposal catalogue at"),
        (b"", "is empty"),
        (b" \n\r\n", "is empty"),
        (b"<html>dataset parameter is required</html>", "no proposals in"),
        (RECORD.replace("10001", "").encode(), "no proposals in"),
    ],
)
def test_a_catalogue_that_is_none_is_one_clear_error(
    tmp_path: Path, data: bytes | None, words: str
) -> None:
    path = tmp_path / "abstracts.cat"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(PaperclipError, match=words) as caught:
        read_catalogue(path, "hst")
    assert str(path) in caught.value.message
    assert "--catalog" in (caught.value.hint or "")


def test_a_folder_is_no_catalogue(tmp_path: Path) -> None:
    with pytest.raises(PaperclipError, match="no proposal catalogue at"):
        read_catalogue(tmp_path, "hst")
