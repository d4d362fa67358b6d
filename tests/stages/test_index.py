"""`index`: whatever came, went and failed, it is what a fresh index would be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.data import index_folder, index_update, journal
from paperclip_cli.data.index_folder import Index, open_index
from paperclip_cli.errors import ExitCode, MissingStage, PaperclipError, UsageError
from paperclip_cli.records import Key
from paperclip_cli.report import Report
from paperclip_cli.stages import index as stage
from paperclip_cli.stages import query
from paperclip_cli.workspace import Workspace
from tests.factories import make_proposal, write_archive, write_fetched, write_preview
from tests.indexes import FakeTower, towers, write_picture

NAMES = ("a.png", "b.png", "sub/c.png", "sub/d.png")


@pytest.fixture
def model(tiny_model: Path) -> str:
    return str(tiny_model)


def index_of(workspace: Workspace, name: str = "default") -> Index:
    return open_index(workspace.index(name))


def holds(index: Index) -> dict[str, list]:
    """What an index says, without the numbers of generations: path, hash and vectors."""
    return {image.entry.path: [image.entry, image.proposal, image.split, index.vectors[image.id:image.id + image.entry.tiles].tolist()]
            for image in index.observations.images()}


def run(folder: Path, workspace: Workspace, model: str, tower: FakeTower | None = None, **more: object) -> Report:
    return stage.run(IndexConfig(paths=(folder,), model=model, **more), workspace, **towers(tower))  # type: ignore[arg-type]


STEP = st.one_of(st.tuples(st.just("write"), st.sampled_from(NAMES), st.integers(0, 3)),
                 st.tuples(st.just("remove"), st.sampled_from(NAMES), st.none()),
                 st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
                 st.tuples(st.just("spoil"), st.sampled_from(NAMES), st.none()),
                 st.tuples(st.just("touch"), st.sampled_from(NAMES), st.none()))


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
def test_an_updated_index_is_what_a_fresh_one_is(tiny_model: Path, rounds: list[list[tuple]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "pictures")
        write_picture(folder / "always.png", 99)
        updated, fresh = Workspace(Path(place, "updated"), offline=True), Workspace(Path(place, "fresh"), offline=True)
        for steps in rounds:
            for step in steps:
                apply(folder, step)
            report = run(folder, updated, str(tiny_model))
        expected = run(folder, fresh, str(tiny_model))
        assert holds(index_of(updated)) == holds(index_of(fresh))
        assert report.failures == expected.failures
        assert sorted(path.suffix for path in updated.index("default").iterdir()) == [".json", ".npy", ".sqlite"]


def test_only_new_and_changed_content_is_embedded_and_counted(tmp_path: Path, workspace: Workspace, model: str) -> None:
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
    assert run(folder, workspace, model, tower).counts == {"images": 4, "renamed": 1} and tower.embedded == 4
    shutil.copy(folder / "b.png", folder / "twin.png")
    (folder / "sub/c.png").unlink()
    write_picture(folder / "sub/d.png", 50)
    assert run(folder, workspace, model, tower).counts == {"images": 4, "new": 1, "changed": 1, "removed": 1}
    assert tower.embedded == 5
    index = index_of(workspace)
    rows = {Path(image.entry.path).name: index.vectors[image.id].tolist() for image in index.observations.images()}
    assert rows["twin.png"] == rows["b.png"] != rows["z.png"]


def test_a_bad_file_is_reported_and_shifts_no_row(tmp_path: Path, workspace: Workspace, model: str) -> None:
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
    assert {Path(failure.item).name: failure.reason.partition(":")[0] for failure in report.failures} == {
        "2.png": "not a JPEG, PNG, TIFF or FITS file", "4.png": "damaged", "text.jpg": "not a JPEG, PNG, TIFF or FITS file",
        os.fsdecode(b"\xff.png"): "the file's name is not text in UTF-8"}
    left = {path: entry for path, entry in sound.items() if Path(path).name not in ("2.png", "4.png")}
    assert holds(index_of(workspace)) == left
    again = run(tmp_path / "p", workspace, model)
    assert again.unchanged and len(again.failures) == 4, "what fails is not forgotten, and nothing else is done"


def test_images_that_cannot_be_used_at_all_are_one_line(tmp_path: Path, workspace: Workspace, model: str) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    with pytest.raises(PaperclipError, match=r"none of the 1 images can be used; .*bad.jpg: not a JPEG"):
        run(tmp_path, workspace, model)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PaperclipError, match="there is no image in"):
        run(tmp_path / "empty", workspace, model)
    with pytest.raises(UsageError, match="no such file or folder"):
        run(tmp_path / "gone", workspace, model)


def test_a_run_concerns_the_folders_it_is_given(tmp_path: Path, workspace: Workspace, model: str) -> None:
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
    assert run(tmp_path / "two", workspace, model, tower, force=True).counts == {"images": 2, "new": 2}
    assert tower.embedded == 2 and all("two" in path for path in holds(index_of(workspace)))


def test_the_index_of_the_cache_knows_observations_and_splits(workspace: Workspace, tiny_model: Path) -> None:
    from paperclip_cli.data.view import View
    from tests.clip_models import write_model

    previews = write_fetched(workspace, "hst", proposals=4)
    card = {"data": {"splits": {"train": ["hst:1", "hst:2"], "test": ["hst:3"]}}}
    write_model(workspace.model("mine"), "mine", view=View(size=64), card=card)
    report = stage.run(IndexConfig(), workspace, **towers())  # type: ignore[arg-type]
    assert report.counts == {"images": len(previews), "new": len(previews)}
    images = list(index_of(workspace).observations.images())
    expected = [preview.observation for preview in sorted(previews, key=lambda preview: preview.image)]
    assert [image.entry.observation for image in images] == expected
    assert {image.entry.key: image.split for image in images} == {Key("hst", 1): "train", Key("hst", 2): "train", Key("hst", 3): "test",
                                                                  Key("hst", 4): "none"}
    assert {image.proposal.title for image in images if image.proposal} == {make_proposal("hst", number).title for number in range(1, 5)}
    assert all((workspace.root / image.entry.path).is_file() for image in images)


def test_a_card_that_makes_no_sense_is_one_line(workspace: Workspace, tmp_path: Path) -> None:
    from tests.clip_models import write_model

    write_fetched(workspace, proposals=1)
    write_model(tmp_path / "odd", card={"data": {"splits": {"train": ["no key"]}}})
    with pytest.raises(PaperclipError, match=r"the splits in its paperclip\.json cannot be read"):
        stage.run(IndexConfig(model=str(tmp_path / "odd")), workspace, **towers())  # type: ignore[arg-type]


def test_new_words_for_old_images_embed_nothing(workspace: Workspace, model: str) -> None:
    previews = write_fetched(workspace, proposals=3)
    config, tower = IndexConfig(model=model), FakeTower()
    stage.run(config, workspace, **towers(tower))  # type: ignore[arg-type]
    proposals = [replace(make_proposal("local", number), title="A new title") for number in (1, 2, 3)]
    moved = [replace(preview, observation=replace(preview.observation, target="M 99")) for preview in previews[1:]]
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
    assert stage.run(IndexConfig(model=model), workspace, **towers()).counts == {"images": 6, "new": 3}  # type: ignore[arg-type]
    write_preview(workspace, "hst", 9, 0)
    write_archive(workspace, "hst", [], [])
    assert stage.run(IndexConfig(model=model, missions=("jwst",)), workspace, **towers()).unchanged  # type: ignore[arg-type]
    assert stage.run(IndexConfig(model=model), workspace, **towers()).counts == {"images": 3, "removed": 3}  # type: ignore[arg-type]


def test_a_preview_that_leads_out_of_the_cache_is_refused(workspace: Workspace, model: str, tmp_path: Path) -> None:
    write_picture(tmp_path / "secret.png", 0)
    previews = write_fetched(workspace, proposals=2)
    write_archive(workspace, "local", [], [*previews, replace(previews[0], image="../../../secret.png")])
    report = stage.run(IndexConfig(model=model), workspace, **towers())  # type: ignore[arg-type]
    assert [failure.reason for failure in report.failures] == ["the image lies outside the cache"]


def test_an_index_of_another_model_or_view_is_not_mixed(tmp_path: Path, workspace: Workspace, model: str) -> None:
    from tests.clip_models import write_model

    write_picture(tmp_path / "p" / "a.png", 0)
    run(tmp_path / "p", workspace, model)
    before = holds(index_of(workspace))
    write_model(tmp_path / "other", seed=1)
    with pytest.raises(PaperclipError, match=r"index 'default' was made by another model \(.*\)") as error:
        run(tmp_path / "p", workspace, str(tmp_path / "other"))
    assert error.value.hint is not None and "--force" in error.value.hint and "--index NAME" in error.value.hint
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


# Where a process may die: in the middle of embedding, and before or after each file of a new state is written.
DEATHS: list[tuple[object, str]] = [(index_update, "write_vectors"), (index_update, "write_observations"), (index_update, "write_manifest"),
                                    (stage, "publish"), (stage, "measure"), (stage, "discard_journal")]


@pytest.mark.parametrize(("module", "name"), DEATHS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_step_loses_nothing(module: object, name: str, after: bool, tmp_path: Path, workspace: Workspace, model: str,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    run(tmp_path / "p", workspace, model)
    before = holds(index_of(workspace))
    write_picture(tmp_path / "p" / "5.png", 5)
    (tmp_path / "p" / "0.png").unlink()
    original: Callable = getattr(module, name)

    def dying(*arguments: object, **named: object) -> None:
        if after:
            original(*arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, name, dying)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "p", workspace, model)
    monkeypatch.undo()
    now = holds(index_of(workspace))
    assert now == before or set(map(os.path.basename, now)) == {f"{number}.png" for number in range(1, 6)}
    tower = FakeTower()
    run(tmp_path / "p", workspace, model, tower)
    assert tower.embedded == 0, "what was embedded once is not embedded again"
    fresh = Workspace(tmp_path / "fresh", offline=True)
    run(tmp_path / "p", fresh, model)
    assert holds(index_of(workspace)) == holds(index_of(fresh))
    assert len(list(workspace.index("default").iterdir())) == 3


def test_death_between_batches_costs_one_batch(tmp_path: Path, workspace: Workspace, model: str) -> None:
    for number in range(10):
        write_picture(tmp_path / f"{number}.png", number)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, workspace, model, FakeTower(fail_after=3), batch_size=2)
    with pytest.raises(MissingStage):
        open_index(workspace.index("default"))
    tower = FakeTower()
    run(tmp_path, workspace, model, tower, batch_size=2)
    assert tower.embedded == 4 and len(index_of(workspace).vectors) == 10


def test_a_killed_process_is_continued(tmp_path: Path, workspace: Workspace, model: str) -> None:
    for number in range(12):
        write_picture(tmp_path / "p" / f"{number:02d}.png", number)
    code = f"""
import os, signal
from pathlib import Path
from paperclip_cli.config import IndexConfig
from paperclip_cli.stages import index
from paperclip_cli.workspace import Workspace
from tests.indexes import FakeTower, towers
class Killed(FakeTower):
    def embed(self, items):
        if self.embedded >= 8: os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(items)
index.run(IndexConfig(paths=(Path({str(tmp_path / 'p')!r}),), model={model!r}, batch_size=4), Workspace(Path({str(workspace.root)!r})),
          **towers(Killed()))
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == -9
    tower = FakeTower()
    run(tmp_path / "p", workspace, model, tower)
    assert tower.embedded == 4 and len(index_of(workspace).vectors) == 12


def test_a_query_during_an_update_is_answered_from_the_old_state(tmp_path: Path, workspace: Workspace, model: str) -> None:
    for number in range(3):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    run(tmp_path / "p", workspace, model)
    seen: list[list[str]] = []

    class Asking(FakeTower):
        def embed(self, items: object) -> np.ndarray:
            answer = next(query.run(QueryConfig(texts=("galaxy",), k=50), workspace))
            seen.append(sorted(Path(hit.image).name for hit in answer.hits))
            return super().embed(items)  # type: ignore[arg-type]

    write_picture(tmp_path / "p" / "3.png", 3)
    (tmp_path / "p" / "0.png").unlink()
    held = index_of(workspace)
    run(tmp_path / "p", workspace, model, Asking())
    assert seen == [["0.png", "1.png", "2.png"]]
    assert len(holds(held)) == 3, "an index that is open stays what it was"
    assert sorted(map(os.path.basename, holds(index_of(workspace)))) == ["1.png", "2.png", "3.png"]


def test_a_reader_between_manifest_and_files_takes_the_new_state(tmp_path: Path, workspace: Workspace, model: str,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(tmp_path / "p" / "0.png", 0)
    run(tmp_path / "p", workspace, model)
    read = index_folder.read_manifest

    def overtaken(folder: Path) -> object:
        manifest = read(folder)
        monkeypatch.setattr(index_folder, "read_manifest", read)
        write_picture(tmp_path / "p" / "1.png", 1)
        run(tmp_path / "p", workspace, model)
        return manifest

    monkeypatch.setattr(index_folder, "read_manifest", overtaken)
    assert len(open_index(workspace.index("default")).vectors) == 2


def test_an_index_whose_files_are_gone_says_so(tmp_path: Path, workspace: Workspace, model: str) -> None:
    write_picture(tmp_path / "p" / "0.png", 0)
    run(tmp_path / "p", workspace, model)
    next(workspace.index("default").glob("*.npy")).unlink()
    with pytest.raises(PaperclipError, match=r"vectors-000001.npy.* is missing"):
        open_index(workspace.index("default"))


def test_two_writers_do_not_meet(tmp_path: Path, workspace: Workspace, model: str) -> None:
    write_picture(tmp_path / "p" / "0.png", 0)

    class Second(FakeTower):
        def embed(self, items: object) -> np.ndarray:
            with pytest.raises(PaperclipError, match="another paperclip process is writing"):
                run(tmp_path / "p", workspace, model)
            return super().embed(items)  # type: ignore[arg-type]

    run(tmp_path / "p", workspace, model, Second())


def test_status_says_what_has_changed(workspace: Workspace, model: str) -> None:
    with pytest.raises(MissingStage):
        stage.status(IndexConfig(), workspace)
    previews = write_fetched(workspace, proposals=4)
    stage.run(IndexConfig(model=model), workspace, **towers())  # type: ignore[arg-type]
    status = stage.status(IndexConfig(), workspace)
    assert {name: status[name] for name in ("images", "new", "changed", "gone", "unfinished")} == {
        "images": len(previews), "new": 0, "changed": 0, "gone": 0, "unfinished": False}
    write_preview(workspace, "local", 1, 0, seed=5)
    (workspace.previews("local") / previews[-1].image).unlink()
    write_archive(workspace, "local", [], [*previews, write_preview(workspace, "local", 8, 0)])
    journal.Journal(workspace.index("default"), {}, 3)
    status = stage.status(IndexConfig(), workspace)
    assert (status["new"], status["changed"], status["gone"], status["unfinished"]) == (1, 1, 1, True)


def test_status_of_folders_looks_there_for_new_files(tmp_path: Path, workspace: Workspace, model: str) -> None:
    write_picture(tmp_path / "p" / "0.png", 0)
    run(tmp_path / "p", workspace, model)
    write_picture(tmp_path / "p" / "1.png", 1)
    status = stage.status(IndexConfig(paths=(tmp_path / "p",)), workspace)
    files = workspace.index("default").iterdir()
    assert (status["new"], status["hnsw"], status["bytes"]) == (1, "none", sum(path.stat().st_size for path in files))
    assert 0 <= status["age_days"] < 0.01


def test_vectors_are_those_of_the_views(tmp_path: Path, workspace: Workspace, tiny_model: Path) -> None:
    """The real towers: what the index holds is what the model says of each image alone."""
    from paperclip_cli.data.candidates import image_view
    from paperclip_cli.model.embed import ImageEmbedder
    from paperclip_cli.model.folder import ModelFolder

    for number in range(5):
        write_picture(tmp_path / f"{number}.png", number)
    stage.run(IndexConfig(paths=(tmp_path,), model=str(tiny_model), batch_size=2), workspace)
    model = ModelFolder.open(tiny_model)
    alone = ImageEmbedder(model, 1).embed(np.stack([image_view(tmp_path / f"{number}.png", model.view) for number in range(5)]))
    np.testing.assert_allclose(index_of(workspace).vectors, alone, atol=1e-5)


def test_files_say_themselves_where_they_lie_and_keep_it(tmp_path: Path, workspace: Workspace, model: str) -> None:
    from astropy.io import fits

    cards = [("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CRVAL1", 359.999), ("CRVAL2", 0.0), ("CRPIX1", 20.0), ("CRPIX2", 20.0),
             ("CD1_1", -1e-4), ("CD2_2", 1e-4), ("TARGNAME", "NGC 1"), ("INSTRUME", "ACS"), ("FILTER1", "F814W")]
    values = np.random.default_rng(0).normal(1, 0.1, (40, 40)).astype("f4")
    (tmp_path / "p").mkdir()
    fits.PrimaryHDU(values, fits.Header(cards)).writeto(tmp_path / "p" / "a.fits")
    write_picture(tmp_path / "p" / "b.png", 1)
    run(tmp_path / "p", workspace, model)
    expected = holds(index_of(workspace))
    observation = expected[str(tmp_path / "p" / "a.fits")][0].observation
    assert (observation.target, observation.instrument, observation.filters) == ("NGC 1", "ACS", ("F814W",))

    def found(**conditions: object) -> list[str]:
        return [Path(hit.image).name for hit in next(query.run(QueryConfig(texts=("x",), **conditions), workspace)).hits]  # type: ignore[arg-type]

    assert found(near=(0.0015, 0.0)) == ["a.fits"] and found(near=(0.1, 0.0)) == []
    assert found(filters=("F814W",), targets=("ngc1",)) == ["a.fits"]
    assert run(tmp_path / "p", workspace, model).unchanged
    (tmp_path / "p" / "a.fits").rename(tmp_path / "p" / "c.fits")
    tower = FakeTower()
    assert run(tmp_path / "p", workspace, model, tower).counts == {"images": 2, "renamed": 1} and tower.embedded == 0
    assert found(near=(0.0015, 0.0)) == ["c.fits"]


def test_an_index_of_tiles_is_updated_and_asked_as_such(tmp_path: Path, workspace: Workspace, model: str) -> None:
    for number in range(3):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    assert run(tmp_path / "p", workspace, model, view="tiles").counts == {"images": 3, "new": 3}
    (tmp_path / "p" / "0.png").unlink()
    (tmp_path / "p" / "1.png").write_text("no picture")
    write_picture(tmp_path / "p" / "3.png", 3)
    run(tmp_path / "p", workspace, model, batch_size=2)
    index = index_of(workspace)
    images = list(index.observations.images())
    assert [image.entry.tiles for image in images] == [9, 9] and len(index.vectors) == 18
    assert stage.status(IndexConfig(), workspace)["view"] == "tiles"
    words = index.vectors @ FakeTower(index.vectors.shape[1]).embed(["x"])[0]
    assert words.shape == (18,)
    answer = next(query.run(QueryConfig(texts=("x",)), workspace))
    assert sorted(Path(hit.image).name for hit in answer.hits) == ["2.png", "3.png"], "an image is one hit, however many tiles match"
    scores = {Path(hit.image).name: hit.score for hit in answer.hits}
    from paperclip_cli.model.folder import ModelFolder
    from paperclip_cli.model.text_tower import TextTower

    cosines = index.vectors @ TextTower.open(ModelFolder.open(Path(model))).embed(["x"])[0]
    assert scores == pytest.approx({"2.png": cosines[:9].max(), "3.png": cosines[9:].max()})
    with pytest.raises(PaperclipError, match=r"made with another view \(tiles\)"):
        run(tmp_path / "p", workspace, model, view="whole")


def test_a_hit_of_tiles_says_which_part_of_the_sky_it_means(tmp_path: Path, workspace: Workspace, model: str) -> None:
    from astropy.io import fits

    cards = [("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CRVAL1", 10.0), ("CRVAL2", 20.0), ("CRPIX1", 20.5), ("CRPIX2", 20.5),
             ("CD1_1", -1e-3), ("CD2_2", 1e-3)]
    fits.PrimaryHDU(np.random.default_rng(0).normal(1, 0.1, (40, 40)).astype("f4"), fits.Header(cards)).writeto(tmp_path / "a.fits")
    run(tmp_path / "a.fits", workspace, model, view="tiles")
    (hit,) = next(query.run(QueryConfig(texts=("x",)), workspace)).hits
    index = index_of(workspace)
    tile = int(np.argmax(index.vectors @ query.TextTower.open(query.model_of(index, workspace)).embed(["x"])[0]))
    corners = np.array(str(hit.tile_region).split()[2:], float).reshape(4, 2)
    across, down = (corners.mean(axis=0) - (10, 20)) * (-np.cos(np.radians(20)), -1) / 0.04
    places = [-0.5 + 0.4375 / 2, 0, 0.5 - 0.4375 / 2]
    assert (across, down) == (pytest.approx(places[tile % 3], abs=0.01), pytest.approx(places[tile // 3], abs=0.01))


def test_hdu_and_stretch_belong_to_an_index(tmp_path: Path, workspace: Workspace, model: str) -> None:
    from astropy.io import fits

    values = np.random.default_rng(0).normal(1, 0.1, (2, 40, 40)).astype("f4")
    (tmp_path / "p").mkdir()
    fits.HDUList([fits.PrimaryHDU(), *(fits.ImageHDU(plane, name=name) for plane, name in zip(values, ("SCI", "WHT"), strict=True))]
                 ).writeto(tmp_path / "p" / "a.fits")
    for name, more in (("first", {}), ("second", {"hdu": "WHT"}), ("zscale", {"stretch": "zscale"})):
        run(tmp_path / "p", workspace, model, name=name, **more)
        assert run(tmp_path / "p", workspace, model, name=name).unchanged, "what is not asked for again stays as it was"
    vectors = [index_of(workspace, name).vectors[0].tolist() for name in ("first", "second", "zscale")]
    assert vectors[0] != vectors[1] != vectors[2] != vectors[0]
    with pytest.raises(PaperclipError, match=r"another view \(centre, HDU WHT\)"):
        run(tmp_path / "p", workspace, model, name="second", stretch="zscale")
    with pytest.raises(PaperclipError, match=r"none of the 1 images can be used; .* no HDU 9"):
        run(tmp_path / "p", workspace, model, name="ninth", hdu=9)
    with pytest.raises(UsageError, match="--stretch"):
        IndexConfig(stretch="log")


def test_a_graph_is_built_once_and_goes_with_the_state_it_is_of(tmp_path: Path, workspace: Workspace, model: str,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hnswlib")
    from paperclip_cli.data import search

    for number in range(5):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    run(tmp_path / "p", workspace, model, hnsw=True)
    assert stage.status(IndexConfig(), workspace)["hnsw"] == "ready"
    assert run(tmp_path / "p", workspace, model, hnsw=True).unchanged and run(tmp_path / "p", workspace, model).notes == ()

    def images(lines: list[str] | None = None) -> list[list[str]]:
        asked = query.run(QueryConfig(texts=() if lines else ("x",)), workspace, lines)
        return [[hit.image for hit in answer.hits] for answer in asked]

    monkeypatch.setattr(search, "GRAPH_FROM", 1)
    assert images(["x", "x"]) == images() * 2
    write_picture(tmp_path / "p" / "5.png", 5)
    report = run(tmp_path / "p", workspace, model)
    assert report.notes == ("the graph of the vectors is gone with their old state: build it anew with --hnsw",)
    assert stage.status(IndexConfig(), workspace)["hnsw"] == "none" and len(list(workspace.index("default").iterdir())) == 3
    assert not run(tmp_path / "p", workspace, model, hnsw=True).unchanged
    assert images(["x"]) == images() and len(images()[0]) == 6
