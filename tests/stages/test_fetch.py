"""`fetch` from a folder: the contents of the cache, second runs, and bad input."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paperclip_cli.archives.folder import FolderArchive
from paperclip_cli.config import FetchConfig
from paperclip_cli.errors import BadItem, ExitCode, PaperclipError, UsageError
from paperclip_cli.images.pictures import decode_jpeg, encode_jpeg, make_canvas, read_picture
from paperclip_cli.previews.fetch_log import LEDGER
from paperclip_cli.previews.names import file_names
from paperclip_cli.previews.records import read_image, read_previews, read_proposals
from paperclip_cli.records import Key
from paperclip_cli.report import Report
from paperclip_cli.stages import fetch
from paperclip_cli.workspace import PREVIEWS, Workspace, read_manifest
from tests.archive_on_disk import write_archive_folder, write_image
from tests.factories import make_proposal
from tests.images.test_pictures import COLOUR, encoded, png

Run = Callable[..., Report]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = write_archive_folder(
        tmp_path / "archive", {1: ["a.jpg", "b.png", "c.fits"], 2: ["a.jpg"], 3: ["a.png"]}
    )
    (folder / "observations.csv").write_text(
        "image,target,ra,dec\nobservations/proposal_2/a.jpg,M 57,283.4,33.0\n"
    )
    return folder


@pytest.fixture
def run(root: Path, workspace: Workspace) -> Run:
    def go(**options: object) -> Report:
        return fetch.run(FetchConfig(**{"source": root, "workers": 2} | options), workspace)

    return go


def contents(folder: Path) -> Mapping[str, bytes]:
    """Every file below a folder except manifests, which contain the time."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def stamps(folder: Path) -> Mapping[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def images(workspace: Workspace, mission: str = "local") -> list[str]:
    return [preview.image for preview in read_previews(workspace, [mission])]


def mode_of(path: Path) -> str:
    with Image.open(path) as image:
        return image.mode


def test_what_comes_into_the_cache(run: Run, root: Path, workspace: Workspace) -> None:
    before = contents(root)
    report = run()
    assert (
        report.counts == {"proposals": 3, "images": 5, "read now": 5}
        and report.exit_code == ExitCode.OK
        and not report.unchanged
    )
    assert images(workspace) == [
        "proposal_1/a.jpg",
        "proposal_1/b.jpg",
        "proposal_1/c.jpg",
        "proposal_2/a.jpg",
        "proposal_3/a.jpg",
    ]
    assert read_proposals(workspace, ["local"]) == {
        Key("local", number): make_proposal("local", number) for number in (1, 2, 3)
    }
    for preview in read_previews(workspace, ["local"]):
        data = read_image(workspace, preview)
        canvas = make_canvas(read_picture(root / preview.original), 512)
        assert data == encode_jpeg(canvas) and decode_jpeg(data).shape == (
            preview.side,
            preview.side,
        ) == (40, 40)
    observed = {preview.key: preview.observation for preview in read_previews(workspace, ["local"])}
    assert (
        observed[Key("local", 2)].target == "M 57"
        and observed[Key("local", 2)].s_ra == 283.4
        and observed[Key("local", 3)].s_ra is None
    )
    assert contents(root) == before, "the user's files are not touched"
    manifest = read_manifest(workspace.previews("local"))
    assert (
        manifest
        and manifest.counts == {"proposals": 3, "images": 5}
        and list(manifest.inputs) == [str(root)]
    )


def test_a_second_run_does_nothing(run: Run, workspace: Workspace) -> None:
    run()
    before = stamps(workspace.root)
    report = run(workers=1)
    assert report.unchanged and report.counts == {"proposals": 3, "images": 5}
    assert stamps(workspace.root) == before


@pytest.mark.parametrize("workers", [1, 3, 16])
def test_the_number_of_workers_changes_nothing(
    run: Run, workspace: Workspace, tmp_path: Path, root: Path, workers: int
) -> None:
    run()
    other = Workspace(tmp_path / "other")
    fetch.run(FetchConfig(source=root, workers=workers), other)
    assert contents(other.root) == contents(workspace.root)


def test_only_what_changed_is_read_again(run: Run, root: Path, workspace: Workspace) -> None:
    run()
    before = contents(workspace.root)
    write_image(root / "observations/proposal_3/a.png", 3, side=50)
    (root / "observations/proposal_1/b.png").unlink()
    write_image(root / "observations/proposal_2/new.png", 2)
    assert run().counts["read now"] == 2
    now = contents(workspace.root)
    assert images(workspace) == [
        "proposal_1/a.jpg",
        "proposal_1/c.jpg",
        "proposal_2/a.jpg",
        "proposal_2/new.jpg",
        "proposal_3/a.jpg",
    ]
    changed = {name for name in now if name.endswith(".jpg") and now[name] != before.get(name)}
    assert {name.removeprefix("previews/local/") for name in changed} == {
        "proposal_2/new.jpg",
        "proposal_3/a.jpg",
    }
    assert "previews/local/proposal_1/b.jpg" not in now


def test_new_metadata_and_texts_need_no_image(run: Run, root: Path, workspace: Workspace) -> None:
    run()
    (root / "observations.csv").write_text("image,target\nobservations/proposal_3/a.png,M 13\n")
    catalogue = root / "abstracts.cat"
    catalogue.write_text(catalogue.read_text().replace("Globular", "Old"))
    report = run()
    assert "read now" not in report.counts and not report.unchanged
    assert [preview.observation.target for preview in read_previews(workspace, ["local"])][-2:] == [
        None,
        "M 13",
    ]
    assert any(
        "Old" in proposal.title for proposal in read_proposals(workspace, ["local"]).values()
    )
    assert run().unchanged


def test_settings_that_make_other_previews_make_them(run: Run, workspace: Workspace) -> None:
    run()
    assert run(size=20).counts["read now"] == 5
    assert {preview.side for preview in read_previews(workspace, ["local"])} == {20}
    assert run(size=20, max_images=1).unchanged is False
    assert len(images(workspace)) == 3
    assert run(force=True, size=20, max_images=1).counts["read now"] == 3


def test_what_was_lost_or_changed_in_the_cache_comes_back(run: Run, workspace: Workspace) -> None:
    run()
    before = contents(workspace.root)
    folder = workspace.previews("local")
    (folder / "proposal_1/a.jpg").unlink()
    assert run().counts["read now"] == 1
    (folder / "proposal_1/a.jpg").write_bytes(b"something else")
    assert run().unchanged
    assert run(verify=True).counts["read now"] == 1
    assert contents(workspace.root) == before


def test_selections_add_up(run: Run, workspace: Workspace) -> None:
    run(proposals=(1,))
    run(proposals=(3,))
    assert [key.proposal_id for key in read_proposals(workspace, ["local"])] == [1, 3]
    assert run(limit=2).counts == {"proposals": 2, "images": 4, "read now": 1}
    assert [key.proposal_id for key in read_proposals(workspace, ["local"])] == [1, 2, 3]


def test_what_vanished_from_the_source_is_dropped(
    run: Run, root: Path, workspace: Workspace
) -> None:
    run()
    (root / "abstracts.cat").write_text("ID: 1\n\nAn abstract.\n" + "-" * 78 + "\nID: 2\n\n")
    report = run()
    assert report.excluded == {"proposals without an abstract": 2}
    assert [key.proposal_id for key in read_proposals(workspace, ["local"])] == [1]
    assert not (workspace.previews("local") / "proposal_3").exists()


def test_a_second_folder_adds_and_replaces_by_proposal(
    run: Run, root: Path, workspace: Workspace, tmp_path: Path
) -> None:
    second = write_archive_folder(tmp_path / "second", {3: ["z.png", "y.png"], 4: ["a.png"]})
    run()
    assert run(source=second).counts["read now"] == 3
    assert images(workspace) == [
        "proposal_1/a.jpg",
        "proposal_1/b.jpg",
        "proposal_1/c.jpg",
        "proposal_2/a.jpg",
        "proposal_3/y.jpg",
        "proposal_3/z.jpg",
        "proposal_4/a.jpg",
    ]
    manifest = read_manifest(workspace.previews("local"))
    assert manifest and set(manifest.inputs) == {str(root), str(second)}
    assert run(source=second).unchanged
    (second / "abstracts.cat").write_text("ID: 4\n\nAn abstract.\n")
    run(source=second)
    assert [key.proposal_id for key in read_proposals(workspace, ["local"])] == [1, 2, 4], (
        "the first folder's are not dropped"
    )
    assert run().counts["read now"] == 1, "the first folder's proposal 3 comes back"


def test_missions_do_not_meet(run: Run, workspace: Workspace) -> None:
    run()
    run(mission="hst", proposals=(2,))
    assert images(workspace, "hst") == ["proposal_2/a.jpg"] and len(images(workspace)) == 5
    assert [proposal.mission for proposal in read_proposals(workspace, ["hst"]).values()] == ["hst"]


def test_a_dry_run_writes_nothing(run: Run, workspace: Workspace) -> None:
    assert run(dry_run=True).counts == {"proposals": 3, "images": 5, "to read": 5}
    assert not workspace.root.exists()
    run(proposals=(1,))
    before = stamps(workspace.root)
    report = run(dry_run=True)
    assert report.counts["to read"] == 2 and any("dry run" in note for note in report.notes)
    assert stamps(workspace.root) == before


def test_originals_are_kept_when_asked(run: Run, root: Path, workspace: Workspace) -> None:
    run()
    folder = workspace.previews("local")
    assert not (folder / "originals").exists()
    assert run(keep_originals=True).counts["read now"] == 5
    assert (folder / "originals/proposal_1/c.fits").read_bytes() == (
        root / "observations/proposal_1/c.fits"
    ).read_bytes()
    assert run(keep_originals=True).unchanged and run().unchanged
    (root / "observations/proposal_1/c.fits").unlink()
    run()
    assert not (folder / "originals/proposal_1/c.fits").exists()


def test_bad_images_are_counted_and_cost_nothing_else(
    run: Run, root: Path, workspace: Workspace
) -> None:
    folder = root / "observations/proposal_1"
    bad = {
        "text.jpg": b"a text",
        "cut.jpg": encoded(COLOUR, "JPEG")[:-200],
        "dot.png": png(1, 1),
        "bomb.png": png(30_000, 30_000),
        "nil.jpg": b"",
        "table.fits": b"SIMPLE  =                    T" + b" " * 50 + b"BITPIX  = junk",
    }
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    report = run()
    assert report.exit_code == ExitCode.PARTIAL
    assert {failure.item.rpartition("/")[2] for failure in report.failures} == set(bad)
    reasons = {failure.item.rpartition("/")[2]: failure.reason for failure in report.failures}
    assert (
        reasons["text.jpg"] == "not a JPEG, PNG, TIFF or FITS file"
        and reasons["nil.jpg"] == "an empty file"
    )
    assert (
        "truncated" in reasons["cut.jpg"]
        and "too few" in reasons["dot.png"]
        and "30,000 x 30,000" in reasons["bomb.png"]
    )
    assert len(images(workspace)) == 5
    again = run()
    assert again.unchanged and again.exit_code == ExitCode.PARTIAL and len(again.failures) == 6, (
        "the same answer without the work"
    )
    assert run(retry_failed=True).counts["read now"] == 6
    write_image(folder / "text.jpg", 1)
    mended = run()
    assert (
        mended.counts["read now"] == 1
        and len(mended.failures) == 5
        and "proposal_1/text.jpg" in images(workspace)
    )


def test_a_proposal_with_bad_images_only_is_not_held(
    run: Run, root: Path, workspace: Workspace
) -> None:
    (root / "observations/proposal_3/a.png").write_bytes(b"no picture")
    assert len(run().failures) == 1
    assert [key.proposal_id for key in read_proposals(workspace, ["local"])] == [1, 2]


def test_exclusions_by_rule_are_no_failures(run: Run, root: Path, workspace: Workspace) -> None:
    write_image(root / "observations/proposal_1/hst_total_color.jpg", 1)
    write_image(root / "observations/proposal_77/a.jpg", 77)
    with (root / "abstracts.cat").open("a") as catalogue:
        catalogue.write("ID: 5\n\nNo image.\n")
    report = run()
    assert report.exit_code == ExitCode.OK
    assert report.excluded == {
        "colour composites (--include-color takes them)": 1,
        "proposals without an image": 1,
        "proposals without an abstract": 1,
    }
    assert run(include_color=True).counts["read now"] == 1
    assert "proposal_1/hst_total_color.jpg" in images(workspace)


def test_colour_and_grey_previews(run: Run, root: Path, workspace: Workspace) -> None:
    Image.fromarray(COLOUR).save(root / "observations/proposal_3/rgb.png")
    run()
    folder = workspace.previews("local")
    modes = {image: mode_of(folder / image) for image in images(workspace)}
    assert modes.pop("proposal_3/rgb.jpg") == "RGB" and set(modes.values()) == {"L"}


def test_large_images_shrink_and_are_padded_with_white(
    run: Run, root: Path, workspace: Workspace
) -> None:
    Image.fromarray(np.zeros((300, 1_000), np.uint8)).save(root / "observations/proposal_3/a.png")
    run(size=100)
    canvas = decode_jpeg((workspace.previews("local") / "proposal_3/a.jpg").read_bytes())
    assert canvas.shape == (100, 100) and canvas[:30].min() > 250 and canvas[40:60].max() < 5


def test_names_that_are_alike_do_not_meet(run: Run, root: Path, workspace: Workspace) -> None:
    for name in (
        "observations/proposal_3/a.jpg",
        "observations/proposal_3/A.png",
        "observations_2/proposal_3/a.tif",
        "observations/proposal_3/né à.png",
        "observations/proposal_3/-.png",
    ):
        write_image(root / name, 3)
    run()
    mine = [preview for preview in read_previews(workspace, ["local"]) if preview.proposal_id == 3]
    assert (
        len({preview.image.lower() for preview in mine})
        == len({preview.sha256 for preview in mine})
        == 6
    )
    for preview in mine:
        assert (
            hashlib.sha256((workspace.previews("local") / preview.image).read_bytes()).hexdigest()
            == preview.sha256
        )


@pytest.mark.parametrize(
    "names, expected",
    [
        (["x/hst_1_total_drc.jpg", "x/b.fits"], ["hst_1_total_drc.jpg", "b.jpg"]),
        (["../../x.png", "x/..png"], ["x.jpg", "image-"]),
        (["x/a b.png"], ["a_b-"]),
        ([f"x/{'n' * 300}.png"], ["n" * 80 + "-"]),
        (["x/a.png", "y/A.jpg"], ["a-", "A-"]),
        ([], []),
    ],
)
def test_names_of_previews(names: list[str], expected: list[str]) -> None:
    found = file_names(names)
    assert len(found) == len(expected) and all(
        name.startswith(start) for name, start in zip(found, expected, strict=True)
    )
    assert all(name.endswith(".jpg") and "/" not in name and len(name) < 120 for name in found)


def test_an_interrupted_run_is_continued(
    run: Run, root: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, seen = FolderArchive.read, []

    def stop_after_two(self: FolderArchive, candidate):  # type: ignore[no-untyped-def]
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(candidate.name)
        return read(self, candidate)

    monkeypatch.setattr(FolderArchive, "read", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        run(workers=1)
    assert workspace.names("previews") == []
    monkeypatch.setattr(FolderArchive, "read", read)
    report = run()
    assert report.counts["read now"] == 3
    other = Workspace(workspace.root.parent / "other")
    fetch.run(FetchConfig(source=root), other)
    assert contents(other.root) == contents(workspace.root)


def stop_at_the_last(self: FolderArchive, candidate, read=FolderArchive.read):  # type: ignore[no-untyped-def]
    if candidate.key.proposal_id == 3:
        raise KeyboardInterrupt
    return read(self, candidate)


def test_another_selection_keeps_what_an_interrupted_run_made(
    run: Run, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FolderArchive.read
    monkeypatch.setattr(FolderArchive, "read", stop_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        run(workers=1)
    assert "read now" not in run(proposals=(2,)).counts
    assert images(workspace) == ["proposal_2/a.jpg"]
    monkeypatch.setattr(FolderArchive, "read", read)
    assert run().counts["read now"] == 1


def test_an_interrupted_run_leaves_the_records_as_they_were(
    run: Run, root: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the run replaces files: an image that does not match its record is refused."""
    run(proposals=(1, 2))
    finished = {
        name: data for name, data in contents(workspace.root).items() if not name.endswith(LEDGER)
    }

    def stop(self: FolderArchive, candidate) -> None:  # type: ignore[no-untyped-def]
        raise KeyboardInterrupt

    monkeypatch.setattr(FolderArchive, "read", stop)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert workspace.names("previews") == workspace.names("proposals") == ["local"]
    assert {
        name: data for name, data in contents(workspace.root).items() if not name.endswith(LEDGER)
    } == finished
    write_image(root / "observations/proposal_2/a.jpg", 2, side=60)
    write_image(root / "observations/proposal_3/a.png", 3, side=60)
    monkeypatch.setattr(FolderArchive, "read", stop_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        run(workers=1)
    changed = [
        preview
        for preview in read_previews(workspace, ["local"])
        if preview.image == "proposal_2/a.jpg"
    ]
    with pytest.raises(BadItem, match="not the one that was fetched"):
        read_image(workspace, changed[0])
    monkeypatch.undo()
    run()
    assert all(read_image(workspace, preview) for preview in read_previews(workspace, ["local"]))


@pytest.mark.parametrize(
    ("name", "keep", "lost"),
    [
        (PREVIEWS, 0, ["local:1"]),
        (PREVIEWS, 2, ["local:1"]),
        (PREVIEWS, 3, []),
        ("proposals.jsonl", 0, ["local:1"]),
        ("proposals.jsonl", 1, []),
    ],
)
def test_torn_records_are_refused_and_restored(
    run: Run, workspace: Workspace, name: str, keep: int, lost: list[str]
) -> None:
    """Records are restored from the files in the cache, and no image is read again.

    Records of proposals that are not selected stay lost, and are reported, until they are.
    """
    run(proposals=(1,))
    run(proposals=(2, 3))
    finished = contents(workspace.root)
    path = workspace.root / name.removesuffix(".jsonl") / "local" / name
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:keep]) + lines[keep][:20])
    with pytest.raises(PaperclipError, match=f"{name} has .* were written") as refused:
        (read_previews if name == "previews.jsonl" else read_proposals)(workspace, ["local"])
    assert "`paperclip fetch` again" in (refused.value.hint or "")
    report = run(proposals=(2, 3))
    assert "read now" not in report.counts
    assert [failure.item for failure in report.failures] == lost
    if lost:
        with pytest.raises(PaperclipError, match="lacks the records of 1 proposal, first local:1"):
            read_previews(workspace, ["local"])
    assert "read now" not in run(proposals=(1,)).counts
    assert contents(workspace.root) == finished and run().unchanged


def as_before_there_was_a_format(folder: Path) -> None:
    values = json.loads((folder / "manifest.json").read_text())
    for name in ("format", "files", "underway"):
        del values[name]
    (folder / "manifest.json").write_text(json.dumps(values))


def test_records_of_earlier_versions_are_counted(run: Run, workspace: Workspace) -> None:
    """Their manifests have no sizes and checksums, which the next run adds without other work."""
    run()
    finished = contents(workspace.root)
    for folder in (workspace.previews("local"), workspace.proposals("local")):
        as_before_there_was_a_format(folder)
    path = workspace.previews("local") / PREVIEWS
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PaperclipError, match="has 3 records, and 5 were written"):
        read_previews(workspace, ["local"])
    assert "read now" not in run().counts and contents(workspace.root) == finished
    as_before_there_was_a_format(workspace.previews("local"))
    assert len(read_previews(workspace, ["local"])) == 5 and run().unchanged
    manifest = read_manifest(workspace.previews("local"))
    assert manifest is not None and manifest.format == 1 and list(manifest.files) == [PREVIEWS]


def test_altered_records_are_not_believed(run: Run, workspace: Workspace) -> None:
    run(proposals=(1,))
    run(proposals=(2, 3))
    finished = contents(workspace.root)
    path = workspace.previews("local") / PREVIEWS
    path.write_text(path.read_text().replace("proposal_3/a", "proposal_3/b"))
    assert len(read_previews(workspace, ["local"])) == 5  # what opens it sees sizes only
    assert [failure.item for failure in run(proposals=(2, 3)).failures] == ["local:1"]
    run(proposals=(1,))
    assert contents(workspace.root) == finished


def test_lost_records_may_be_given_up(run: Run, workspace: Workspace) -> None:
    run()
    (workspace.previews("local") / PREVIEWS).write_bytes(b"")
    assert {failure.item for failure in run(proposals=(3,)).failures} == {"local:1", "local:2"}
    assert not run(proposals=(3,), force=True).failures
    assert {preview.proposal_id for preview in read_previews(workspace, ["local"])} == {3}


BAD_LINES = ["{", "[]", '{"observation": 5}', "\udcff"]


@pytest.mark.parametrize("line", BAD_LINES)
def test_damaged_records_are_restored(run: Run, workspace: Workspace, line: str) -> None:
    run()
    path = workspace.previews("local") / PREVIEWS
    finished = path.read_bytes()
    path.write_text(line + "\n" + path.read_text(), errors="surrogateescape")
    assert "read now" not in run().counts
    assert path.read_bytes() == finished and run().unchanged


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_damaged_ledger_is_told_and_force_keeps_the_rest(
    run: Run, workspace: Workspace, line: str
) -> None:
    run()
    path = workspace.previews("local") / LEDGER
    path.write_text(line + "\n" + path.read_text(), errors="surrogateescape")
    with pytest.raises(PaperclipError, match=f"{LEDGER}, line 1"):
        run()
    assert run(force=True, proposals=(3,)).counts["read now"] == 1
    assert len(images(workspace)) == 5 and run().unchanged


def test_a_full_disk_is_an_error_and_not_a_bad_image(
    run: Run, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes, flush_parent: bool) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(fetch, "replace_file", full)
    with pytest.raises(OSError, match="No space left"):
        run()
    monkeypatch.undo()
    assert run().counts["read now"] == 5


def test_nothing_to_fetch_is_one_clear_error(run: Run, root: Path, workspace: Workspace) -> None:
    with pytest.raises(PaperclipError, match=r"nothing in .* is selected"):
        run(proposals=(99,))
    (root / "abstracts.cat").write_text("ID: 1\n")
    with pytest.raises(PaperclipError, match="has both an abstract and an image") as caught:
        run()
    assert "3 proposals without an abstract" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="nothing is selected"):
        fetch.run(FetchConfig(), workspace)
    assert not workspace.root.exists()


def test_an_unreadable_file_is_a_bad_image(run: Run, root: Path) -> None:
    path = root / "observations/proposal_3/a.png"
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads everything")
    assert "Permission denied" in run().failures[0].reason


@pytest.mark.parametrize(
    "sample, mission, proposals, previews", [("deepsky", "local", 248, 258), ("hst", "hst", 10, 14)]
)
def test_real_archives(
    real_sample: Path,
    workspace: Workspace,
    sample: str,
    mission: str,
    proposals: int,
    previews: int,
) -> None:
    report = fetch.run(FetchConfig(source=real_sample / sample, mission=mission), workspace)
    assert report.exit_code == ExitCode.OK and report.counts == {
        "proposals": proposals,
        "images": previews,
        "read now": previews,
    }
    if sample == "hst":
        assert report.excluded == {
            "proposals without an abstract": 37,
            "proposals without an image": 5,
        }
    modes = {
        Image.open(io.BytesIO(read_image(workspace, preview))).mode
        for preview in read_previews(workspace, [mission])
    }
    assert modes == ({"L"} if sample == "hst" else {"L", "RGB"})
    assert fetch.run(FetchConfig(source=real_sample / sample, mission=mission), workspace).unchanged
    assert (workspace.previews(mission) / PREVIEWS).stat().st_size > 0
