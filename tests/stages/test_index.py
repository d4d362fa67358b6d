"""`index`: after any change or failure, an index equals a new one."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.errors import ExitCode, MissingStage, PaperclipError, UsageError
from paperclip_cli.indexes import journal
from paperclip_cli.records import Key
from paperclip_cli.stages import index as stage
from paperclip_cli.stages import index_status, query
from paperclip_cli.workspace import Manifest, Workspace, write_manifest
from tests.factories import make_proposal, write_archive, write_fetched, write_preview
from tests.small_indexes import FILES, FakeTower, holds, index_of, run, towers, write_picture

NAMES = ("a.png", "b.png", "sub/c.png", "sub/d.png")


STEP = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.integers(0, 3)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("spoil"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("touch"), st.sampled_from(NAMES), st.none()),
)


def apply(folder: Path, step: tuple) -> None:
    what, name, value = step
    path = folder / name
    if what == "write":
        write_picture(path, value)
    elif what == "spoil":
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    elif path.exists():
        if what == "remove":
            path.unlink()
        elif what == "touch":
            os.utime(path, ns=(1, 1))
        else:
            (folder / value).parent.mkdir(exist_ok=True)
            path.replace(folder / value)


@settings(max_examples=25)
@given(st.lists(st.lists(STEP, min_size=1, max_size=3), min_size=1, max_size=4))
def test_an_updated_index_is_what_a_fresh_one_is(
    tiny_model: Path, rounds: list[list[tuple]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "pictures")
        write_picture(folder / "always.png", 99)
        updated, fresh = (
            Workspace(Path(place, "updated"), offline=True),
            Workspace(Path(place, "fresh"), offline=True),
        )
        for steps in rounds:
            for step in steps:
                apply(folder, step)
            report = run(folder, updated, str(tiny_model))
        expected = run(folder, fresh, str(tiny_model))
        assert holds(index_of(updated)) == holds(index_of(fresh))
        assert report.failures == expected.failures
        assert {path.name.split("-")[0] for path in updated.index("default").iterdir()} == FILES


def test_only_new_and_changed_content_is_embedded_and_counted(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    folder = tmp_path / "pictures"
    for number, name in enumerate(NAMES):
        write_picture(folder / name, number)
    tower = FakeTower()
    assert run(folder, workspace, model, tower).counts == {"images": 4, "new": 4}
    assert tower.embedded == 4
    assert run(folder, workspace, model, tower).unchanged and tower.embedded == 4
    os.utime(folder / "a.png", ns=(1, 1))
    assert run(folder, workspace, model, tower).counts == {"images": 4} and tower.embedded == 4
    (folder / "a.png").rename(folder / "z.png")
    assert (
        run(folder, workspace, model, tower).counts == {"images": 4, "renamed": 1}
        and tower.embedded == 4
    )
    shutil.copy(folder / "b.png", folder / "twin.png")
    (folder / "sub/c.png").unlink()
    write_picture(folder / "sub/d.png", 50)
    assert run(folder, workspace, model, tower).counts == {
        "images": 4,
        "new": 1,
        "changed": 1,
        "removed": 1,
    }
    assert tower.embedded == 5
    index = index_of(workspace)
    rows = {
        Path(image.entry.path).name: index.vectors[image.id].tolist()
        for image in index.observations.images()
    }
    assert rows["twin.png"] == rows["b.png"] != rows["z.png"]


def test_a_bad_file_is_reported_and_shifts_no_row(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    for number in range(7):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    run(tmp_path / "p", workspace, model, batch_size=2)
    sound = holds(index_of(workspace))
    (tmp_path / "p" / "2.png").write_text("no picture")
    (tmp_path / "p" / "4.png").write_bytes((tmp_path / "p" / "4.png").read_bytes()[:100])
    (tmp_path / "p" / "text.jpg").write_text("no picture either")
    (tmp_path / "p" / os.fsdecode(b"\xff.png")).write_bytes((tmp_path / "p" / "1.png").read_bytes())
    report = run(tmp_path / "p", workspace, model, batch_size=2)
    assert report.exit_code == ExitCode.PARTIAL
    assert {
        Path(failure.item).name: failure.reason.partition(":")[0] for failure in report.failures
    } == {
        "2.png": "not a JPEG, PNG, TIFF or FITS file",
        "4.png": "damaged",
        "text.jpg": "not a JPEG, PNG, TIFF or FITS file",
        os.fsdecode(b"\xff.png"): "the file's name is not valid UTF-8",
    }
    left = {
        path: entry for path, entry in sound.items() if Path(path).name not in ("2.png", "4.png")
    }
    assert holds(index_of(workspace)) == left
    again = run(tmp_path / "p", workspace, model)
    assert again.unchanged and len(again.failures) == 4, (
        "what fails is not forgotten, and nothing else is done"
    )


def test_images_that_cannot_be_used_at_all_are_one_line(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    with pytest.raises(
        PaperclipError, match=r"no image can be used \(1 image tried\): .*bad.jpg: not a JPEG"
    ):
        run(tmp_path, workspace, model)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PaperclipError, match="there is no image in"):
        run(tmp_path / "empty", workspace, model)
    with pytest.raises(UsageError, match="no such file or folder"):
        run(tmp_path / "gone", workspace, model)


def test_a_run_concerns_the_folders_it_is_given(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    for folder in ("one", "two"):
        write_picture(tmp_path / folder / "a.png", len(folder))
        write_picture(tmp_path / folder / "b.png", 7)
    run(tmp_path / "one", workspace, model)
    assert run(tmp_path / "two", workspace, model).counts == {"images": 4, "new": 2}
    (tmp_path / "one" / "a.png").unlink()
    assert run(tmp_path / "two", workspace, model).unchanged
    assert run(tmp_path / "one", workspace, model).counts == {"images": 3, "removed": 1}
    assert run(tmp_path / "one" / "b.png", workspace, model).unchanged
    tower = FakeTower()
    assert run(tmp_path / "two", workspace, model, tower, force=True).counts == {
        "images": 2,
        "new": 2,
    }
    assert tower.embedded == 2 and all("two" in path for path in holds(index_of(workspace)))


def test_the_index_of_the_cache_knows_observations_and_splits(
    workspace: Workspace, tiny_model: Path
) -> None:
    from paperclip_cli.images.view import View
    from tests.clip_models import write_model

    previews = write_fetched(workspace, "hst", proposals=4)
    card = {"data": {"splits": {"train": ["hst:1", "hst:2"], "test": ["hst:3"]}}}
    write_model(workspace.model("mine"), "mine", view=View(size=64), card=card)
    report = stage.run(IndexConfig(), workspace, **towers())  # type: ignore[arg-type]
    assert report.counts == {"images": len(previews), "new": len(previews)}
    images = list(index_of(workspace).observations.images())
    expected = [
        preview.observation for preview in sorted(previews, key=lambda preview: preview.image)
    ]
    assert [image.entry.observation for image in images] == expected
    assert {image.entry.key: image.split for image in images} == {
        Key("hst", 1): "train",
        Key("hst", 2): "train",
        Key("hst", 3): "test",
        Key("hst", 4): "none",
    }
    assert {image.proposal.title for image in images if image.proposal} == {
        make_proposal("hst", number).title for number in range(1, 5)
    }
    assert all((workspace.root / image.entry.path).is_file() for image in images)


def test_a_card_that_makes_no_sense_is_one_line(workspace: Workspace, tmp_path: Path) -> None:
    from tests.clip_models import write_model

    write_fetched(workspace, proposals=1)
    write_model(tmp_path / "odd", card={"data": {"splits": {"train": ["no key"]}}})
    with pytest.raises(PaperclipError, match=r"cannot read the splits in paperclip\.json"):
        stage.run(IndexConfig(model=str(tmp_path / "odd")), workspace, **towers())  # type: ignore[arg-type]


def test_new_words_for_old_images_embed_nothing(workspace: Workspace, model: str) -> None:
    previews = write_fetched(workspace, proposals=3)
    config, tower = IndexConfig(model=model), FakeTower()
    stage.run(config, workspace, **towers(tower))  # type: ignore[arg-type]
    proposals = [
        replace(make_proposal("local", number), title="A new title") for number in (1, 2, 3)
    ]
    moved = [
        replace(preview, observation=replace(preview.observation, target="M 99"))
        for preview in previews[1:]
    ]
    write_archive(workspace, "local", proposals, moved)
    report = stage.run(config, workspace, **towers(tower))  # type: ignore[arg-type]
    assert report.counts == {"images": len(moved), "removed": 1} and tower.embedded == len(previews)
    images = list(index_of(workspace).observations.images())
    assert {image.proposal.title for image in images if image.proposal} == {"A new title"}
    assert {image.entry.observation.target for image in images} == {"M 99"}


def test_missions_are_brought_up_to_date_one_at_a_time(workspace: Workspace, model: str) -> None:
    for mission in ("hst", "jwst"):
        write_fetched(workspace, mission, proposals=2)
    stage.run(IndexConfig(model=model, missions=("jwst",)), workspace, **towers())  # type: ignore[arg-type]
    assert stage.run(IndexConfig(model=model), workspace, **towers()).counts == {
        "images": 6,
        "new": 3,
    }  # type: ignore[arg-type]
    write_preview(workspace, "hst", 9, 0)
    write_archive(workspace, "hst", [], [])
    assert stage.run(IndexConfig(model=model, missions=("jwst",)), workspace, **towers()).unchanged  # type: ignore[arg-type]
    assert stage.run(IndexConfig(model=model), workspace, **towers()).counts == {
        "images": 3,
        "removed": 3,
    }  # type: ignore[arg-type]


def test_a_preview_that_leads_out_of_the_cache_is_refused(
    workspace: Workspace, model: str, tmp_path: Path
) -> None:
    write_picture(tmp_path / "secret.png", 0)
    previews = write_fetched(workspace, proposals=2)
    write_archive(
        workspace, "local", [], [*previews, replace(previews[0], image="../../../secret.png")]
    )
    report = stage.run(IndexConfig(model=model), workspace, **towers())  # type: ignore[arg-type]
    assert [failure.reason for failure in report.failures] == ["the image lies outside the cache"]


def test_an_index_of_another_model_or_view_is_not_mixed(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    from tests.clip_models import write_model

    write_picture(tmp_path / "p" / "a.png", 0)
    run(tmp_path / "p", workspace, model)
    before = holds(index_of(workspace))
    write_model(tmp_path / "other", seed=1)
    with pytest.raises(
        PaperclipError, match=r"index 'default' was made by another model \(.*\)"
    ) as error:
        run(tmp_path / "p", workspace, str(tmp_path / "other"))
    assert (
        error.value.hint is not None
        and "--force" in error.value.hint
        and "--index NAME" in error.value.hint
    )
    with pytest.raises(PaperclipError, match="made with another view"):
        run(tmp_path / "p", workspace, model, view="whole")
    assert holds(index_of(workspace)) == before
    run(tmp_path / "p", workspace, str(tmp_path / "other"), name="second")
    run(tmp_path / "p", workspace, str(tmp_path / "other"), force=True)
    assert index_of(workspace).manifest.inputs == index_of(workspace, "second").manifest.inputs


def test_what_is_missing_is_named_with_its_command(workspace: Workspace, model: str) -> None:
    with pytest.raises(MissingStage) as error:
        stage.run(IndexConfig(model=model), workspace)
    assert error.value.hint == "run `paperclip fetch` first"
    write_fetched(workspace, proposals=1)
    with pytest.raises(PaperclipError, match="no model"):
        stage.run(IndexConfig(), workspace)
    with pytest.raises(MissingStage, match="'jwst'"):
        stage.run(IndexConfig(model=model, missions=("jwst",)), workspace)
    with pytest.raises(UsageError, match="--batch-size"):
        IndexConfig(batch_size=0)


def test_a_folder_that_was_moved_is_not_indexed_twice(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    for number in range(3):
        write_picture(tmp_path / "old" / f"{number}.png", number)
    write_picture(tmp_path / "other" / "9.png", 9)
    for folder in ("old", "other"):
        run(tmp_path / folder, workspace, model)
    (tmp_path / "old").rename(tmp_path / "new")
    (tmp_path / "new" / "2.png").unlink()
    tower = FakeTower()
    report = run(tmp_path / "new", workspace, model, tower)
    assert report.counts == {"images": 4, "renamed": 2} and tower.embedded == 0
    assert [Path(path).relative_to(tmp_path) for path in holds(index_of(workspace))] == [
        Path("new/0.png"),
        Path("new/1.png"),
        Path("old/2.png"),  # which may be on a disk that is not there now
        Path("other/9.png"),
    ]


def test_an_index_says_that_more_was_fetched_until_it_is_updated(
    workspace: Workspace, model: str, tmp_path: Path
) -> None:
    def notes(index: str = "default") -> tuple[str, ...]:
        config = QueryConfig(texts=("dust",), indexes=(index,))
        return next(query.run(config, workspace)).notes

    def said(index: str = "default") -> list[str]:
        return [note for note in notes(index) if "fetched after" in note]

    write_picture(tmp_path / "p" / "a.png", 1)
    run(tmp_path / "p", workspace, model, name="mine")
    previews = write_fetched(workspace, proposals=3)
    stage.run(IndexConfig(model=model), workspace, **towers())  # type: ignore[arg-type]
    assert said() == []
    more = [*previews, write_preview(workspace, "local", 8, 0)]
    write_archive(workspace, "local", [make_proposal("local", 8)], more)
    assert said() == ["previews of local were fetched after the index was made: paperclip index"]
    assert said("mine") == [], "it is of another folder"
    status = index_status.run(IndexConfig(name="mine"), workspace)
    assert (status["new"], index_status.run(IndexConfig(), workspace)["new"]) == (0, 1)
    stage.run(IndexConfig(), workspace, **towers())  # type: ignore[arg-type]
    assert said() == []
    # Records that name no other image make no other index, and are seen once.
    write_archive(workspace, "local", [make_proposal("local", 8)], [*more, more[-1]])
    assert said() != []
    assert stage.run(IndexConfig(), workspace, **towers()).unchanged  # type: ignore[arg-type]
    assert said() == []
    write_picture(tmp_path / "p" / "b.png", 2)
    assert index_status.run(IndexConfig(name="mine"), workspace)["new"] == 1


def test_an_index_is_updated_with_the_model_that_made_it(
    workspace: Workspace, model: str, tmp_path: Path
) -> None:
    """Also where the cache has others."""
    mine = shutil.copytree(model, tmp_path / "mine")
    write_fetched(workspace, proposals=3)
    stage.run(IndexConfig(model=str(mine)), workspace, **towers())  # type: ignore[arg-type]
    for name in ("other", "another"):
        shutil.copytree(model, workspace.model(name))
        write_manifest(workspace.model(name), Manifest(stage="train", config={}))
    with pytest.raises(UsageError, match="and no --model"):
        stage.run(IndexConfig(name="new"), workspace, **towers())  # type: ignore[arg-type]
    for force in (False, True):
        report = stage.run(IndexConfig(force=force), workspace, **towers())  # type: ignore[arg-type]
        manifest = index_of(workspace).manifest
        assert (manifest.config["model"], report.unchanged) == (str(mine), not force)
    weights = mine / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(PaperclipError, match="was made by another model than the one now in"):
        stage.run(IndexConfig(), workspace, **towers())  # type: ignore[arg-type]


def test_status_says_what_has_changed(workspace: Workspace, model: str) -> None:
    with pytest.raises(MissingStage):
        index_status.run(IndexConfig(), workspace)
    previews = write_fetched(workspace, proposals=4)
    stage.run(IndexConfig(model=model), workspace, **towers())  # type: ignore[arg-type]
    status = index_status.run(IndexConfig(), workspace)
    assert {name: status[name] for name in ("images", "new", "changed", "gone", "unfinished")} == {
        "images": len(previews),
        "new": 0,
        "changed": 0,
        "gone": 0,
        "unfinished": False,
    }
    assert sum(status["missions"].values()) == len(previews)
    days = [one.observation.t_min for one in previews if one.observation.t_min is not None]
    assert status["dates"] == (
        [Time(day, format="mjd").strftime("%Y-%m-%d") for day in (min(days), max(days))]
        if days
        else None
    )
    write_preview(workspace, "local", 1, 0, seed=5)
    (workspace.previews("local") / previews[-1].image).unlink()
    write_archive(workspace, "local", [], [*previews, write_preview(workspace, "local", 8, 0)])
    journal.Journal(workspace.index("default"), {}, 3)
    status = index_status.run(IndexConfig(), workspace)
    assert (status["new"], status["changed"], status["gone"], status["unfinished"]) == (
        1,
        1,
        1,
        True,
    )


def test_status_of_folders_looks_there_for_new_files(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    write_picture(tmp_path / "p" / "0.png", 0)
    run(tmp_path / "p", workspace, model)
    write_picture(tmp_path / "p" / "1.png", 1)
    status = index_status.run(IndexConfig(paths=(tmp_path / "p",)), workspace)
    files = workspace.index("default").iterdir()
    assert (status["new"], status["hnsw"], status["bytes"]) == (
        1,
        "none",
        sum(path.stat().st_size for path in files),
    )
    assert 0 <= status["age_days"] < 0.01


def test_a_graph_is_built_once_and_goes_with_the_state_it_is_of(
    tmp_path: Path, workspace: Workspace, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hnswlib")
    from paperclip_cli.indexes import search

    for number in range(5):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    run(tmp_path / "p", workspace, model, hnsw=True)
    assert index_status.run(IndexConfig(), workspace)["hnsw"] == "ready"
    assert (
        run(tmp_path / "p", workspace, model, hnsw=True).unchanged
        and run(tmp_path / "p", workspace, model).notes == ()
    )

    def images(lines: list[str] | None = None) -> list[list[str]]:
        asked = query.run(QueryConfig(texts=() if lines else ("x",)), workspace, lines)
        return [[hit.image for hit in answer.hits] for answer in asked]

    monkeypatch.setattr(search, "GRAPH_FROM", 1)
    assert images(["x", "x"]) == images() * 2
    write_picture(tmp_path / "p" / "5.png", 5)
    report = run(tmp_path / "p", workspace, model)
    assert report.notes == ("the graph of the old vectors was removed; rebuild it with --hnsw",)
    assert (
        index_status.run(IndexConfig(), workspace)["hnsw"] == "none"
        and {path.name.split("-")[0] for path in workspace.index("default").iterdir()} == FILES
    )
    assert not run(tmp_path / "p", workspace, model, hnsw=True).unchanged
    assert images(["x"]) == images() and len(images()[0]) == 6
