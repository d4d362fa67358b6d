"""The cached holdings: merged by proposal, written whole, and recovered after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.errors import PaperclipError
from paperclip_cli.previews.collection import Holdings, read_holdings, tidy, write_holdings
from paperclip_cli.previews.fetch_log import LEDGER, Entry, appending, read_ledger, rewrite_ledger
from paperclip_cli.records import Key, Preview, Proposal
from paperclip_cli.workspace import Manifest, Workspace, read_manifest

EMPTY = Holdings({}, (), {})
MANIFEST = Manifest(stage="fetch", config={"seed": 42})


def holding(*numbers: int, source: str = "a", images: int = 1) -> Holdings:
    """Proposals of one source with one or more images each."""
    proposals = {
        Key("m", number): Proposal(mission="m", proposal_id=number, abstract=f"From {source}.")
        for number in numbers
    }
    entries = [
        Entry(
            mission="m",
            proposal_id=number,
            name=f"{image}.png",
            source=source,
            stamp="stamp",
            image=f"proposal_{number}/{image}.jpg",
            sha256=source * 64,
            side=8,
        )
        for number in numbers
        for image in range(images)
    ]
    previews = [
        Preview(
            mission="m",
            proposal_id=entry.proposal_id,
            image=entry.image,
            sha256=entry.sha256,
            side=entry.side,
            original=entry.name,
        )
        for entry in entries
    ]
    return Holdings(proposals, tuple(previews), {entry.place: entry for entry in entries})


def after(old: Holdings, new: Holdings, gone: set[Key] | None = None) -> Holdings:
    return old.after(new.proposals, new.previews, new.ledger.values(), gone or set())


@given(st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)))
def test_the_unit_is_the_proposal(old: set[int], new: set[int], gone: set[int]) -> None:
    gone -= new
    merged = after(
        holding(*sorted(old), source="a", images=3),
        holding(*sorted(new), source="b"),
        {Key("m", number) for number in gone},
    )

    sources = {key.proposal_id: proposal.abstract for key, proposal in merged.proposals.items()}
    assert sources == dict.fromkeys(old - new - gone, "From a.") | dict.fromkeys(new, "From b.")
    assert len(merged.previews) == 3 * len(old - new - gone) + len(new) == len(merged.ledger)
    assert list(merged.proposals) == sorted(merged.proposals)
    order = [(preview.key, preview.image) for preview in merged.previews]
    assert order == sorted(order)


def test_a_proposal_without_a_preview_is_not_held() -> None:
    wanted = holding(1, 2)
    merged = EMPTY.after(wanted.proposals, wanted.previews[:1], wanted.ledger.values(), set())
    assert list(merged.proposals) == [Key("m", 1)] and len(merged.ledger) == 2


def test_what_an_unfinished_run_left_is_kept_in_the_ledger() -> None:
    unfinished = Holdings({}, (), holding(5).ledger)
    merged = after(unfinished, holding(1))
    assert list(merged.proposals) == [Key("m", 1)] and "proposal_5/0.jpg" in merged.files()


def test_it_is_read_as_it_was_written(workspace: Workspace) -> None:
    held = holding(1, 2, images=2)
    assert write_holdings(workspace, "m", held, MANIFEST)
    tidy(workspace, "m", held)
    assert read_holdings(workspace, "m") == held
    for folder in (workspace.proposals("m"), workspace.previews("m")):
        manifest = read_manifest(folder)
        assert manifest is not None and list(manifest.inputs) == ["a"]
        assert manifest.counts == {"proposals": 2, "images": 4}

    assert not write_holdings(workspace, "m", held, MANIFEST)
    for folder in (workspace.proposals("m"), workspace.previews("m")):
        (folder / "manifest.json").unlink()
    assert write_holdings(workspace, "m", held, MANIFEST)


def test_nothing_is_held_of_a_mission_that_was_never_fetched(workspace: Workspace) -> None:
    assert read_holdings(workspace, "m") == EMPTY


def test_tidying_removes_what_no_record_names(workspace: Workspace) -> None:
    folder = workspace.previews("m")
    for name in (
        "proposal_1/0.jpg",
        "proposal_1/.0.jpg.x7f",
        "proposal_2/0.jpg",
        "originals/proposal_1/0.png",
        "elsewhere/a.jpg",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")

    tidy(workspace, "m", holding(1))
    files = (path for path in folder.rglob("*") if path.is_file())
    left = sorted(path.relative_to(folder).as_posix() for path in files)
    assert left == ["elsewhere/a.jpg", LEDGER, "proposal_1/0.jpg"]
    assert not (folder / "proposal_2").exists()


def test_the_ledger_survives_a_torn_line(tmp_path: Path) -> None:
    entries = list(holding(1, 2).ledger.values())
    rewrite_ledger(tmp_path, entries[:1])
    with appending(tmp_path) as append:
        append(entries[1])
    assert list(read_ledger(tmp_path).values()) == entries

    whole = (tmp_path / LEDGER).read_bytes()
    (tmp_path / LEDGER).write_bytes(whole[:-20] + "é".encode()[:1])
    assert list(read_ledger(tmp_path).values()) == entries[:1]


def test_a_damaged_ledger_is_one_clear_error(tmp_path: Path) -> None:
    rewrite_ledger(tmp_path, holding(1, 2).ledger.values())
    (tmp_path / LEDGER).write_bytes(b"{\n" + (tmp_path / LEDGER).read_bytes())
    with pytest.raises(PaperclipError, match=rf"{LEDGER}, line 1"):
        read_ledger(tmp_path)
    assert len(read_ledger(tmp_path, skip_damaged=True)) == 2
