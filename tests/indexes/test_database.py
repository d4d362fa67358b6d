"""The observations of an index are read back as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.database import Entry, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.records import Key, Observation, Proposal
from paperclip_cli.text.words import spaced
from paperclip_cli.wording import counted

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)
MAYBE = st.none() | TEXT
NUMBER = st.none() | st.floats(-90, 90)
OBSERVED = st.builds(
    Observation,
    target=MAYBE,
    moving=st.none() | st.booleans(),
    s_ra=NUMBER,
    s_dec=NUMBER,
    s_region=MAYBE,
    instrument=MAYBE,
    detector=MAYBE,
    filters=st.lists(TEXT, max_size=3).map(tuple),
    cycle=MAYBE,
    obs_id=MAYBE,
    t_min=NUMBER,
    t_exptime=NUMBER,
    access_url=MAYBE,
    preview_uri=MAYBE,
    product_uri=MAYBE,
    parallel=st.none() | st.booleans(),
)
KEYS = st.none() | st.builds(Key, st.sampled_from(["hst", "jwst"]), st.integers(1, 4))
DIGESTS = st.text("0123456789abcdef", min_size=4, max_size=4)
ENTRIES = st.lists(
    st.builds(
        Entry,
        path=TEXT,
        size=st.integers(0, 2**60),
        mtime_ns=st.integers(0, 2**62),
        sha256=DIGESTS,
        key=KEYS,
        observation=OBSERVED,
        tiles=st.integers(1, 3),
    ),
    max_size=6,
)
PROPOSALS = {
    Key("hst", number): Proposal(
        mission="hst",
        proposal_id=number,
        abstract=f"abstract {number}",
        title=f"title {number}",
        category="Galaxies",
        cycle="26",
    )
    for number in (1, 2)
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(ENTRIES)
def test_every_row_leads_to_its_image_and_tile(tmp_path: Path, entries: list[Entry]) -> None:
    write_observations(tmp_path / "o.sqlite", entries, PROPOSALS, {Key("hst", 1): "train"})
    observations = Observations(tmp_path / "o.sqlite")
    assert [image.entry for image in observations.images()] == entries
    row = 0
    for entry in entries:
        for tile in range(entry.tiles):
            image = observations.image(row)
            assert (image.entry, image.tile, image.id) == (entry, tile, row - tile)
            expected = None
            if entry.key is not None:
                unknown = Proposal(**entry.key._asdict(), abstract="")
                expected = PROPOSALS.get(entry.key, unknown)
            assert image.proposal == expected
            assert image.split == ("train" if entry.key == ("hst", 1) else "none")
            row += 1
    observations.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(ENTRIES)
def test_rows_for_other_vectors_are_damage(tmp_path: Path, entries: list[Entry]) -> None:
    write_observations(tmp_path / "o.sqlite", entries, {}, {})
    observations = Observations(tmp_path / "o.sqlite")
    rows = sum(entry.tiles for entry in entries)
    assert observations.damage(rows) == ""
    said = f"{counted(rows, 'rows')} for {counted(rows + 7, 'vectors')}"
    assert observations.damage(rows + 7) == said
    observations.close()


def test_one_hit_stands_for_the_images_of_a_target_or_a_proposal(tmp_path: Path) -> None:
    made = [
        ("a", 1, "M 51"),
        ("b", 1, "M 51"),
        ("c", 1, None),
        ("d", 1, None),
        ("e", 2, "M 51"),
        ("f", None, None),
        ("g", None, None),
    ]
    entries = [
        Entry(
            path=path,
            size=1,
            mtime_ns=1,
            sha256=path,
            key=None if number is None else Key("hst", number),
            observation=Observation(target=target),
            tiles=2,
        )
        for path, number, target in made
    ]
    write_observations(tmp_path / "o.sqlite", entries, PROPOSALS, {})
    observations = Observations(tmp_path / "o.sqlite")

    def group(row: int, collapse: str) -> str:
        return "".join(
            observations.image(first).entry.path
            for first, _ in observations.group(observations.image(row), collapse)
        )

    assert [group(row, "target") for row in range(0, 14, 2)] == "ab ab cd cd e f g".split()
    assert [group(row, "proposal") for row in range(0, 14, 2)] == ["abcd"] * 4 + ["e", "f", "g"]
    assert [group(row, "none") for row in range(14)] == [path for path in "abcdefg" for _ in "12"]


def test_a_damaged_file_is_one_line_and_a_missing_one_another(tmp_path: Path) -> None:
    text = b"not a database, but long enough to be taken for one "
    (tmp_path / "o.sqlite").write_bytes(text * 100)
    with pytest.raises(PaperclipError, match="cannot be read"):
        list(Observations(tmp_path / "o.sqlite").images())
    with pytest.raises(FileNotFoundError):
        Observations(tmp_path / "gone.sqlite")


def test_a_folder_with_odd_signs_in_a_read_only_place_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "50% of #1?"
    folder.mkdir()
    entry = Entry(path="a", size=1, mtime_ns=1, sha256="a")
    write_observations(folder / "o.sqlite", [entry], {}, {})
    folder.chmod(0o500)
    try:
        assert Observations(folder / "o.sqlite").image(0).entry.path == "a"
    finally:
        folder.chmod(0o700)


def test_letters_and_digits_are_words_of_their_own() -> None:
    assert spaced("SN1987A in NGC 4038") == "SN 1987 A in NGC 4038"
    assert spaced("été2 3°") == "été 2 3°"
