"""`summarize` adds missing summaries, survives a kill at any byte, and keeps sets apart."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.cli.app import run as paperclip
from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import ExitCode, MissingStage, PaperclipError, UsageError
from paperclip_cli.records import FailedSummary, Key, Proposal
from paperclip_cli.stages import summarize_export, summarize_import, summarize_show
from paperclip_cli.stages.summarize import NO_ABSTRACT, NO_SUBJECT, run
from paperclip_cli.summaries.base import Outcome
from paperclip_cli.summaries.files import read_summaries
from paperclip_cli.summaries.keywords.summarizer import KeywordSummarizer
from paperclip_cli.summaries.llm import open as opening
from paperclip_cli.workspace import Workspace, read_manifest
from tests.factories import make_proposal, write_archive, write_fetched

DEFAULT = SummarizeConfig()


def journal(workspace: Workspace, name: str = "keywords") -> Path:
    return workspace.summaries(name) / "summaries.jsonl"


def test_every_proposal_gets_a_summary_once(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=5)
    report = run(DEFAULT, workspace)
    assert report.counts == {"summaries": 5, "new": 5} and report.exit_code == ExitCode.OK
    before = journal(workspace).read_bytes()
    again = run(DEFAULT, workspace)
    assert again.unchanged and again.counts == {"summaries": 5, "new": 0}
    assert journal(workspace).read_bytes() == before
    manifest = read_manifest(workspace.summaries("keywords"))
    assert (
        manifest is not None
        and manifest.counts == {"summaries": 5}
        and manifest.config["backend"] == "keywords"
    )


def test_new_proposals_only_are_appended(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=3)
    run(DEFAULT, workspace)
    before = journal(workspace).read_bytes()
    write_fetched(workspace, proposals=5)
    assert run(DEFAULT, workspace).counts == {"summaries": 5, "new": 2}
    assert journal(workspace).read_bytes().startswith(before)


@settings(max_examples=30)
@given(st.data())
def test_a_run_killed_at_any_byte_goes_on(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    texts = [
        Proposal(
            mission="local",
            proposal_id=number,
            abstract=f"The galactic centre – {number} – hosts a black hole.",
        )
        for number in range(1, 6)
    ]
    write_archive(workspace, "local", texts, [])
    run(DEFAULT, workspace)
    whole = journal(workspace).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    journal(workspace).write_bytes(whole[:cut])
    run(DEFAULT, workspace)
    assert journal(workspace).read_bytes() == whole


def test_a_set_that_lost_its_end_is_refused_and_made_whole(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=5)
    run(DEFAULT, workspace)
    whole = journal(workspace).read_bytes()
    journal(workspace).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PaperclipError, match=r"is damaged: summaries.jsonl has") as refused:
        summarize_show.run(DEFAULT, workspace)
    assert "`paperclip summarize` again" in (refused.value.hint or "")
    assert run(DEFAULT, workspace).counts["new"] == 3
    assert (
        journal(workspace).read_bytes() == whole
        and len(summarize_show.run(DEFAULT, workspace)) == 5
    )


def test_a_set_that_was_altered_is_not_continued(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=5)
    run(DEFAULT, workspace)
    whole = journal(workspace).read_bytes()
    journal(workspace).write_bytes(whole.replace(b"galax", b"gelax"))
    write_fetched(workspace, proposals=6)
    with pytest.raises(PaperclipError, match=r"summaries.jsonl is not what was written") as refused:
        run(DEFAULT, workspace)
    assert "--force" in (refused.value.hint or "")
    run(dataclasses.replace(DEFAULT, force=True), workspace)
    assert journal(workspace).read_bytes().startswith(whole)


def test_a_manifest_that_was_damaged_is_written_anew(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=5)
    run(DEFAULT, workspace)
    (workspace.summaries("keywords") / "manifest.json").write_bytes(b"")
    with pytest.raises(PaperclipError, match=r"manifest.json is damaged"):
        summarize_show.run(DEFAULT, workspace)
    assert run(DEFAULT, workspace).unchanged and len(summarize_show.run(DEFAULT, workspace)) == 5


def test_what_has_no_subject_is_left_out_and_counted(workspace: Workspace) -> None:
    write_archive(
        workspace,
        "local",
        [
            make_proposal("local", 1),
            Proposal(mission="local", proposal_id=2, abstract=""),
            Proposal(mission="local", proposal_id=3, abstract="A test of the software."),
        ],
        [],
    )
    report = run(DEFAULT, workspace)
    assert (
        report.excluded == {NO_ABSTRACT: 1, NO_SUBJECT: 1}
        and report.counts["summaries"] == 1
        and report.exit_code == ExitCode.OK
    )
    again = run(DEFAULT, workspace)
    assert again.unchanged and again.excluded == report.excluded


def test_a_set_without_a_summary_is_no_set(workspace: Workspace) -> None:
    write_archive(
        workspace,
        "local",
        [Proposal(mission="local", proposal_id=1, abstract="A test of the software.")],
        [],
    )
    assert run(DEFAULT, workspace).counts["summaries"] == 0
    assert workspace.names("summaries") == []


def test_a_proposal_that_fails_is_told_and_tried_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Moody(KeywordSummarizer):
        def summaries(self, proposals: Sequence[Proposal]) -> Iterator[Outcome]:
            for proposal in proposals:
                failed = FailedSummary(
                    mission=proposal.key.mission,
                    proposal_id=proposal.key.proposal_id,
                    reason="no answer",
                    backend=self.backend,
                    version=self.version,
                    may_pass=proposal.proposal_id == 3,
                )
                yield failed if proposal.proposal_id > 1 else self.summarize(proposal)

    write_fetched(workspace, proposals=3)
    with monkeypatch.context() as patch:
        patch.setattr(opening, "KeywordSummarizer", Moody)
        for notes in ((), ()):
            report = run(DEFAULT, workspace)
            assert report.exit_code == ExitCode.PARTIAL and report.notes == notes
            assert [(failure.item, failure.reason) for failure in report.failures] == [
                ("local:2", "no answer"),
                ("local:3", "no answer"),
            ]
    assert run(DEFAULT, workspace).counts == {"summaries": 2, "new": 1}, (
        "what may pass is asked for again"
    )
    report = run(DEFAULT, workspace)
    assert (
        report.unchanged
        and [failure.item for failure in report.failures] == ["local:2"]
        and "--retry-failed" in report.notes[0]
    )
    assert run(SummarizeConfig(retry_failed=True), workspace).counts == {"summaries": 3, "new": 1}
    assert run(DEFAULT, workspace).failures == ()


def test_a_limit_takes_the_first_proposals(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=5)
    limited = SummarizeConfig(limit=2)
    assert run(limited, workspace).counts == {"summaries": 2, "new": 2}
    assert run(limited, workspace).unchanged
    assert list(read_summaries(workspace, "keywords")) == [Key("local", 1), Key("local", 2)]
    assert run(DEFAULT, workspace).counts == {"summaries": 5, "new": 3}
    with pytest.raises(UsageError):
        SummarizeConfig(limit=0)


def test_force_makes_the_chosen_missions_again(workspace: Workspace) -> None:
    write_fetched(workspace, "hst", proposals=2)
    write_fetched(workspace, "jwst", proposals=3)
    assert run(DEFAULT, workspace).counts["new"] == 5
    assert run(SummarizeConfig(missions=("jwst",)), workspace).unchanged
    assert run(SummarizeConfig(missions=("jwst",), force=True), workspace).counts == {
        "summaries": 5,
        "new": 3,
    }


def test_summaries_of_two_makers_do_not_mix(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_fetched(workspace, proposals=2)
    run(DEFAULT, workspace)
    monkeypatch.setattr(KeywordSummarizer, "version", "2-00000000")
    with pytest.raises(
        PaperclipError, match=r"made by keywords 1-\w+, not by keywords 2-0"
    ) as error:
        run(DEFAULT, workspace)
    assert "--force" in (error.value.hint or "") and "--set" in (error.value.hint or "")
    assert run(SummarizeConfig(set_name="newer"), workspace).counts["new"] == 2
    assert run(SummarizeConfig(force=True), workspace).counts["new"] == 2


def test_without_fetch_the_user_is_told_to_fetch(workspace: Workspace) -> None:
    with pytest.raises(MissingStage) as error:
        run(DEFAULT, workspace)
    assert error.value.hint == "run `paperclip fetch` first"
    with pytest.raises(MissingStage):
        summarize_show.run(DEFAULT, workspace)


def test_export_and_import_keep_the_items(workspace: Workspace, tmp_path: Path) -> None:
    write_fetched(workspace, proposals=4)
    run(DEFAULT, workspace)
    path = tmp_path / "theirs.csv"
    summarize_export.run(DEFAULT, workspace, path)
    assert next(csv.reader(io.StringIO(path.read_text()))) == [
        "proposal_id",
        "objects_and_phenomena",
        "science_use_cases",
    ]
    report = summarize_import.run(DEFAULT, workspace, path)
    assert report.counts == {"summaries": 4, "new": 4}
    ours, theirs = read_summaries(workspace, "keywords"), read_summaries(workspace, "theirs")
    assert {key: summary.text for key, summary in ours.items()} == {
        key: summary.text for key, summary in theirs.items()
    }
    assert summarize_import.run(DEFAULT, workspace, path).unchanged
    assert summarize_show.run(SummarizeConfig(set_name="theirs", limit=1), workspace) == [
        theirs[Key("local", 1)]
    ]
    with pytest.raises(PaperclipError, match="were made by keywords"):
        summarize_import.run(SummarizeConfig(set_name="keywords"), workspace, path)


def test_a_corrected_table_replaces_what_was_imported(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "paper.csv"
    config = SummarizeConfig(missions=("hst",))
    for text in ("old", "new"):
        path.write_text(f"proposal_id,objects_and_phenomena\n7,{text}\nx,y\n")
        report = summarize_import.run(config, workspace, path)
        assert report.exit_code == ExitCode.PARTIAL and report.counts == {"summaries": 1, "new": 1}
    assert read_summaries(workspace, "paper")[Key("hst", 7)].objects_and_phenomena == ("new",)


def test_a_table_without_a_mission_asks_for_one(workspace: Workspace, tmp_path: Path) -> None:
    write_fetched(workspace, "hst", proposals=1)
    write_fetched(workspace, "jwst", proposals=1)
    run(DEFAULT, workspace)
    with pytest.raises(UsageError, match="does not name the mission"):
        summarize_import.run(DEFAULT, workspace, tmp_path / "x.csv")
    with pytest.raises(UsageError, match="hst, jwst"):
        summarize_export.run(DEFAULT, workspace, tmp_path / "x.csv")
    summarize_export.run(SummarizeConfig(missions=("hst",)), workspace, tmp_path / "x.csv")
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 2


def test_the_command_line(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_fetched(workspace, proposals=3)
    command = ["--cache-dir", str(workspace.root), "summarize"]
    assert paperclip([*command, "--show"]) == ExitCode.ERROR
    assert paperclip(command) == ExitCode.OK
    assert "summarize: done (3 summaries, 3 new)" in capsys.readouterr().err
    assert paperclip([*command, "--show", "--json", "--limit", "1"]) == ExitCode.OK
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["proposal_id"] == 1 and "globular cluster" in shown["objects_and_phenomena"]
    assert len(shown["evidence"]) == len(shown["objects_and_phenomena"]) + len(
        shown["science_use_cases"]
    )
    assert paperclip([*command, "--show"]) == ExitCode.OK
    shown = capsys.readouterr().out.splitlines()
    assert (
        shown[0] == "local:1"
        and "globular cluster" in shown[1]
        and shown[2].startswith("  determine age")
    )
    assert paperclip([*command, "--show", "--format", "csv"]) == ExitCode.OK
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 3
    assert paperclip([*command, "--export", str(tmp_path / "a.csv")]) == ExitCode.OK
    assert (
        paperclip([*command, "--import", str(tmp_path / "a.csv"), "--set", "copy"]) == ExitCode.OK
    )
    assert paperclip([*command, "--show", "--export", str(tmp_path / "a.csv")]) == ExitCode.USAGE
    assert paperclip([*command, "--import", str(tmp_path / "none.csv")]) == ExitCode.ERROR
    assert paperclip([*command, "--backend", "oracle"]) == ExitCode.USAGE
    assert paperclip([*command, "--set", "a/b"]) == ExitCode.USAGE


def test_summaries_are_the_same_every_time(workspace: Workspace, tmp_path: Path) -> None:
    write_fetched(workspace, proposals=8)
    run(DEFAULT, workspace)
    first = journal(workspace).read_bytes()
    run(dataclasses.replace(DEFAULT, force=True), workspace)
    assert journal(workspace).read_bytes() == first
