"""`build-dataset` from the cache to Parquet: splits, marks, skipped items, errors, second runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from paperclip_cli.cli.app import run as paperclip
from paperclip_cli.config import BuildDatasetConfig
from paperclip_cli.dataset.pairs import available_splits, find_dataset, read_split
from paperclip_cli.dataset.split import assign
from paperclip_cli.errors import ExitCode, MissingStage, PaperclipError, UsageError
from paperclip_cli.files import replace_file
from paperclip_cli.records import Observation, Preview, Proposal, Summary, write_jsonl
from paperclip_cli.stages.build_dataset import run
from paperclip_cli.workspace import Manifest, Workspace, file_sha256, read_manifest, write_manifest
from tests.factories import make_proposal, write_archive, write_fetched, write_preview

HALF = BuildDatasetConfig(val_fraction=0.25, test_fraction=0.25)


def keys(dataset: Path) -> dict[str, set[str]]:
    return {
        split: {str(pair.key) for pair in read_split(dataset, split)}
        for split in available_splits(dataset)
    }


def write_summaries(
    workspace: Workspace, mission: str, numbers: range, name: str = "keywords"
) -> None:
    found = [
        Summary(
            mission=mission,
            proposal_id=number,
            objects_and_phenomena=(f"object {number}",),
            science_use_cases=("study it",),
            backend="keywords",
        )
        for number in numbers
    ]
    replace_file(workspace.summaries(name) / "summaries.jsonl", write_jsonl(found))
    write_manifest(workspace.summaries(name), Manifest(stage="summarize", config={}))


def test_every_image_is_in_the_split_of_its_proposal(workspace: Workspace) -> None:
    previews = write_fetched(workspace)
    report = run(HALF, workspace)
    dataset = workspace.dataset("default")
    assert (
        report.counts["images"]
        == len(previews)
        == sum(len(read_split(dataset, split)) for split in available_splits(dataset))
    )
    for split, found in keys(dataset).items():
        assert found == {
            str(preview.key) for preview in previews if assign(preview.key, 0.25, 0.25, 42) == split
        }
    for pair in read_split(dataset, "train"):
        (preview,) = [preview for preview in previews if f"local/{preview.image}" == pair.path]
        assert pair.image == (workspace.previews("local") / preview.image).read_bytes()
        assert dataclasses.replace(pair.observation, cycle=None) == preview.observation


def test_a_second_run_does_nothing_until_something_changes(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=6)
    first = run(HALF, workspace)
    before = {path: file_sha256(path) for path in sorted(workspace.dataset("default").rglob("*.*"))}
    again = run(HALF, workspace)
    assert again.unchanged and again.counts == first.counts
    assert {path: file_sha256(path) for path in before} == before
    assert not run(dataclasses.replace(HALF, force=True), workspace).unchanged
    assert not run(dataclasses.replace(HALF, seed=1), workspace).unchanged
    write_fetched(workspace, proposals=7)
    assert not run(dataclasses.replace(HALF, seed=1), workspace).unchanged


def test_new_proposals_move_none_of_the_old(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=8)
    run(HALF, workspace)
    before = keys(workspace.dataset("default"))
    write_fetched(workspace, proposals=16)
    run(HALF, workspace)
    after = keys(workspace.dataset("default"))
    assert all(found <= after[split] for split, found in before.items())


@pytest.mark.parametrize(
    ("val", "test", "split"), [(1.0, 0.0, "validation"), (0.0, 1.0, "test"), (0.0, 0.0, "train")]
)
def test_one_split_can_take_all_and_no_other_is_written(
    workspace: Workspace, val: float, test: float, split: str
) -> None:
    write_fetched(workspace, proposals=5)
    report = run(BuildDatasetConfig(val_fraction=val, test_fraction=test), workspace)
    assert available_splits(workspace.dataset("default")) == [split]
    assert not any("too few proposals" in note for note in report.notes)
    assert all(
        pair.seen_sky is None and pair.seen_text is None
        for pair in read_split(workspace.dataset("default"), split)
    )


def test_a_tiny_set_says_what_it_lacks(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=1)
    report = run(BuildDatasetConfig(), workspace)
    assert available_splits(workspace.dataset("default")) == ["train"]
    assert any("validation and test" in note for note in report.notes)


def test_held_out_rows_know_what_training_gives_away(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=12)
    run(HALF, workspace)
    dataset = workspace.dataset("default")
    assert all(
        pair.seen_sky is None and pair.seen_text is None for pair in read_split(dataset, "train")
    )
    held_out = [pair for split in ("validation", "test") for pair in read_split(dataset, split)]
    planets = [pair for pair in held_out if pair.observation.moving]
    others = [pair for pair in held_out if not pair.observation.moving]
    assert planets and all(pair.seen_sky for pair in planets)
    assert others and not any(pair.seen_sky for pair in others)
    assert all(pair.seen_text is not None for pair in held_out)


def test_what_has_no_text_is_left_out_and_counted(workspace: Workspace) -> None:
    previews = [write_preview(workspace, "local", number, 0) for number in (1, 2, 3)]
    write_archive(
        workspace,
        "local",
        [
            make_proposal("local", 1),
            Proposal(mission="local", proposal_id=2, abstract=""),
            make_proposal("local", 4),
        ],
        previews,
    )
    report = run(BuildDatasetConfig(), workspace)
    assert report.exit_code == ExitCode.OK and report.counts["images"] == 1
    assert report.excluded == {
        "proposals without an image": 1,
        "images of proposals that are not in the catalogue": 1,
        "proposals without an abstract": 1,
    }
    assert run(BuildDatasetConfig(), workspace).excluded == report.excluded


def test_nothing_to_pair_is_an_error_that_says_why(workspace: Workspace) -> None:
    write_archive(
        workspace,
        "local",
        [Proposal(mission="local", proposal_id=1, abstract="")],
        [write_preview(workspace, "local", 1, 0)],
    )
    with pytest.raises(
        PaperclipError, match=r"no image has a caption \(1 proposal without an abstract\)"
    ):
        run(BuildDatasetConfig(), workspace)
    assert not workspace.dataset("default").exists()


def test_summaries_as_captions(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=4)
    config = BuildDatasetConfig(captions="summary", val_fraction=0.0, test_fraction=0.0)
    with pytest.raises(MissingStage, match="no summaries"):
        run(config, workspace)
    write_summaries(workspace, "local", range(1, 4))
    report = run(config, workspace)
    assert report.excluded == {"proposals without a summary": 1}
    captions = {pair.caption for pair in read_split(workspace.dataset("default"), "train")}
    assert captions == {f"object {number}; study it" for number in range(1, 4)}
    write_summaries(workspace, "local", range(1, 5))
    assert run(config, workspace).counts["proposals"] == 4


def test_the_only_set_of_summaries_fills_its_column_beside_abstracts(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=2)
    write_summaries(workspace, "local", range(1, 2))
    run(BuildDatasetConfig(val_fraction=0.0, test_fraction=0.0), workspace)
    found = {
        pair.key.proposal_id: pair.summary
        for pair in read_split(workspace.dataset("default"), "train")
    }
    assert found == {1: "object 1; study it", 2: None}


def test_without_fetch_the_user_is_told_to_fetch(workspace: Workspace) -> None:
    with pytest.raises(MissingStage) as error:
        run(BuildDatasetConfig(), workspace)
    assert error.value.hint == "run `paperclip fetch` first"
    write_fetched(workspace)
    with pytest.raises(MissingStage, match="jwst"):
        run(BuildDatasetConfig(missions=("jwst",)), workspace)


def test_missions_can_be_chosen(workspace: Workspace) -> None:
    write_fetched(workspace, "hst", proposals=3)
    write_fetched(workspace, "jwst", proposals=3, seed=1)
    assert run(BuildDatasetConfig(), workspace).counts["proposals"] == 6
    assert run(BuildDatasetConfig(missions=("jwst",)), workspace).counts["proposals"] == 3


def test_a_damaged_image_is_left_out_and_tried_again(workspace: Workspace) -> None:
    previews = write_fetched(workspace, proposals=4)
    damaged = workspace.previews("local") / previews[0].image
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-10])
    (workspace.previews("local") / previews[1].image).unlink()
    report = run(HALF, workspace)
    assert report.exit_code == ExitCode.PARTIAL
    assert {failure.reason for failure in report.failures} == {
        "the image is not the one that was fetched",
        "the image cannot be read (No such file or directory)",
    }
    assert report.counts["images"] == len(previews) - 2
    damaged.write_bytes(whole)
    again = run(HALF, workspace)
    assert (
        not again.unchanged
        and len(again.failures) == 1
        and again.counts["images"] == len(previews) - 1
    )


def test_an_image_outside_the_cache_is_not_read(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    outside = Preview(
        mission="local",
        proposal_id=2,
        image="../../../secret.jpg",
        sha256="0" * 64,
        side=64,
        original="x",
        observation=Observation(),
    )
    write_archive(
        workspace,
        "local",
        [make_proposal("local", 1), make_proposal("local", 2)],
        [write_preview(workspace, "local", 1, 0), outside],
    )
    report = run(BuildDatasetConfig(), workspace)
    assert [failure.reason for failure in report.failures] == ["the image lies outside the cache"]


def test_a_failed_build_leaves_the_old_dataset(workspace: Workspace) -> None:
    previews = write_fetched(workspace, proposals=2)
    run(BuildDatasetConfig(), workspace)
    before = keys(workspace.dataset("default"))
    for preview in previews:
        (workspace.previews("local") / preview.image).unlink()
    with pytest.raises(PaperclipError, match=r"no image can be used \(3 images tried\)"):
        run(BuildDatasetConfig(force=True), workspace)
    assert keys(workspace.dataset("default")) == before
    assert [
        path.name for path in workspace.dataset("default").parent.iterdir() if path.is_dir()
    ] == ["default"]


def test_nothing_is_built_from_a_part_of_what_was_fetched(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=6)
    path = workspace.previews("local") / "previews.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) * 2 // 3]))
    with pytest.raises(
        PaperclipError, match=r"previews.jsonl has .* bytes, and .* were written"
    ) as refused:
        run(HALF, workspace)
    assert "`paperclip fetch` again" in (refused.value.hint or "")
    assert workspace.names("datasets") == []


@pytest.mark.parametrize("name", ["manifest.json", "data/train-00000.parquet"])
def test_a_dataset_that_was_cut_is_told_and_made_again(workspace: Workspace, name: str) -> None:
    write_fetched(workspace, proposals=6)
    run(HALF, workspace)
    path = workspace.dataset("default") / name
    path.write_bytes(path.read_bytes()[:100])
    for use in (lambda: run(HALF, workspace), lambda: find_dataset("default", workspace)):
        with pytest.raises(PaperclipError, match="is damaged") as refused:
            use()
        assert "`paperclip build-dataset --force`" in (refused.value.hint or "")
    assert not run(dataclasses.replace(HALF, force=True), workspace).unchanged
    assert run(HALF, workspace).unchanged


def test_a_folder_of_something_else_is_not_replaced(workspace: Workspace, tmp_path: Path) -> None:
    write_fetched(workspace, proposals=2)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("do not lose me")
    with pytest.raises(PaperclipError, match="not a dataset of paperclip"):
        run(BuildDatasetConfig(out=theirs, force=True), workspace)
    with pytest.raises(PaperclipError, match="is a file"):
        run(BuildDatasetConfig(out=theirs / "thesis.tex"), workspace)
    assert (theirs / "thesis.tex").read_text() == "do not lose me"
    ours = tmp_path / "ours"
    run(BuildDatasetConfig(out=ours), workspace)
    assert not run(BuildDatasetConfig(out=ours, force=True), workspace).unchanged


def test_checksums_are_those_of_the_files(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=6)
    run(HALF, workspace)
    folder = workspace.dataset("default")
    manifest = read_manifest(folder)
    assert manifest is not None
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    assert {name: said["sha256"] for name, said in manifest.files.items()} == {
        path.relative_to(folder).as_posix(): file_sha256(path) for path in files
    }


def test_the_folder_loads_with_the_hub_s_library(workspace: Workspace, tmp_path: Path) -> None:
    import datasets

    previews = write_fetched(workspace, proposals=12)
    run(HALF, workspace)
    folder = workspace.dataset("default")
    found = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "hf"))
    assert list(found) == available_splits(folder)
    assert sum(len(split) for split in found.values()) == len(previews)
    assert found["train"][0]["image"].size == (64, 64)
    card = (folder / "README.md").read_text()
    assert (
        f"| train | {len(found['train'])} |" in card
        and '"seed": 42' in card
        and "/" not in card.split("## Sources")[1].split("##")[0]
    )


def test_the_command_line(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    write_fetched(workspace, proposals=4)
    common = ["--cache-dir", str(workspace.root), "build-dataset"]
    assert (
        paperclip([*common, "--name", "small", "--val-fraction", "0.5", "--test-fraction", "0"])
        == ExitCode.OK
    )
    assert "build-dataset: done" in capsys.readouterr().err
    assert (
        paperclip([*common, "--name", "small", "--val-fraction", "0.5", "--test-fraction", "0"])
        == ExitCode.OK
    )
    assert "nothing to do" in capsys.readouterr().err
    assert paperclip([*common, "--captions", "poem"]) == ExitCode.USAGE
    assert paperclip([*common, "--name", "../up"]) == ExitCode.USAGE
    assert paperclip([*common, "--captions", "summary"]) == ExitCode.ERROR
    assert capsys.readouterr().err.endswith("hint: run `paperclip summarize` first\n")


@pytest.mark.parametrize(
    ("val", "test"), [(0.6, 0.6), (-0.1, 0.1), (2.0, 0.0), (float("nan"), 0.1), (0.1, float("nan"))]
)
def test_fractions_must_be_shares(val: float, test: float) -> None:
    with pytest.raises(UsageError):
        BuildDatasetConfig(val_fraction=val, test_fraction=test)
