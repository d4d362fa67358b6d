"""`index` straight into an engine: only what is new is embedded and written."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.engines import update
from paperclip_cli.engines.index import EngineIndex
from paperclip_cli.engines.opening import open_index
from paperclip_cli.errors import MissingStage, PaperclipError
from paperclip_cli.indexes.background import Background
from paperclip_cli.indexes.contents import contents
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.report import Report
from paperclip_cli.stages import index as stage
from paperclip_cli.stages import query
from paperclip_cli.workspace import Workspace
from tests.engines.test_same_answers import assert_same, write_mission
from tests.factories import make_proposal, write_archive, write_fetched
from tests.small_indexes import FakeTower, towers, write_picture

QUERIES: list[dict] = [
    {"texts": ("spiral galaxy",), "k": 100, "collapse": "none"},
    {"texts": ("dust",), "instruments": ("ACS",)},
    {"texts": ("dust",), "cycles": ("22",)},
    {"texts": ("spiral galaxy",), "rank_by": "hybrid", "k": 100},
    {"near": (10.0, -55.0), "radius": 40.0, "k": 100},
]


class Both:
    """The same runs for an index in a folder and for one in an engine."""

    def __init__(self, workspace: Workspace, database: str, model: Path) -> None:
        self.workspace, self.database, self.model = workspace, database, str(model)

    def run(self, **more: object) -> tuple[Report, Report, FakeTower]:
        tower = FakeTower()
        config = {"model": self.model, **more}
        folder = stage.run(IndexConfig(**config), self.workspace, **towers())  # type: ignore[arg-type]
        engine = stage.run(
            IndexConfig(**config, name=self.database),  # type: ignore[arg-type]
            self.workspace,
            **towers(tower),  # type: ignore[arg-type]
        )
        assert (folder.counts, folder.failures, folder.unchanged) == (
            engine.counts,
            engine.failures,
            engine.unchanged,
        )
        return folder, engine, tower

    def opened(self) -> tuple[IndexFolder, EngineIndex]:
        folder = open_index("default", self.workspace)
        engine = open_index(self.database, self.workspace)
        assert isinstance(folder, IndexFolder) and isinstance(engine, EngineIndex)
        return folder, engine

    def assert_same(self) -> None:
        folder, engine = self.opened()
        assert [image.entry for image in folder.observations.images()] == [
            image.entry for image in engine.observations.images()
        ]
        assert np.array_equal(folder.vectors, engine.all_vectors())
        assert contents(folder.observations) == engine.state.contents
        assert folder.evidence is not None and engine.evidence is not None
        assert engine.evidence.pictures == pytest.approx(folder.evidence.pictures, abs=1e-5)
        assert engine.evidence.words == pytest.approx(folder.evidence.words, abs=1e-9)
        assert background(engine) == pytest.approx(background(folder), abs=1e-6)
        same = {"generation", "background", "evidence"}
        extras = [
            {name: value for name, value in one.manifest.extra.items() if name not in same}
            for one in (folder, engine)
        ]
        assert extras[0] == extras[1] and folder.manifest.counts == engine.manifest.counts
        for case in QUERIES:
            answers = [
                next(query.run(QueryConfig(**case, indexes=(name,)), self.workspace))
                for name in ("default", self.database)
            ]
            assert_same(*answers)


def background(index: IndexFolder | EngineIndex) -> tuple[float, ...]:
    found = index.background
    assert isinstance(found, Background)
    return found.scores


@pytest.fixture
def both(workspace: Workspace, fresh_database: str, tiny_model: Path) -> Both:
    return Both(workspace, fresh_database, tiny_model)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder for files of one's own."""
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def test_an_index_grows_and_shrinks_as_in_a_folder(both: Both, files: Path) -> None:
    write_mission(both.workspace, "hst", 9)
    _, report, tower = both.run()
    assert report.counts == {"images": 18, "new": 18} and tower.embedded == 18
    both.assert_same()
    assert both.run()[1].unchanged

    # Files of one's own come, of which two are the same, and one is no image.
    for number in range(3):
        write_picture(files / f"{number}.png", number % 2)
    (files / "bad.png").write_text("no picture")
    _, report, tower = both.run(paths=(files,))
    assert report.counts["new"] == 3 and len(report.failures) == 1 and tower.embedded == 2
    both.assert_same()

    # One changes, one goes, one is renamed.
    write_picture(files / "0.png", 7)
    (files / "1.png").rename(files / "4.png")
    (files / "2.png").unlink()
    _, report, tower = both.run(paths=(files,))
    assert tower.embedded == 1 and report.counts["changed"] == 1
    both.assert_same()

    # Proposals go and come, and the cycle of one changes: nothing is embedded twice.
    write_mission(both.workspace, "hst", 11)
    shutil.rmtree(both.workspace.previews("hst") / "proposal_2")
    _, _, tower = both.run()
    both.assert_same()
    texts = [replace(make_proposal("hst", number), cycle="22") for number in range(1, 12)]
    from paperclip_cli.previews.records import read_previews

    previews = [one for one in read_previews(both.workspace, ["hst"]) if one.proposal_id != 2]
    write_archive(both.workspace, "hst", texts, previews)
    _, _, tower = both.run()
    assert tower.embedded == 0
    both.assert_same()


def test_lists_that_became_short_are_made_anew(
    both: Both, monkeypatch: pytest.MonkeyPatch, files: Path
) -> None:
    from paperclip_cli.engines import lists
    from paperclip_cli.indexes import unrelated

    for module in (unrelated, lists):
        monkeypatch.setattr(module, "KEPT", 12)
    for number in range(30):
        write_picture(files / f"{number:02d}.png", number)
    both.run(paths=(files,))
    for least in (1, 64):  # the lists as they are, and made anew
        monkeypatch.setattr(update, "_SHORT", 10 if least == 1 else least)
        for number in range(12 if least == 1 else 20, 15 if least == 1 else 29):
            (files / f"{number:02d}.png").unlink()
        write_picture(files / f"new{least}.png", 100 + least)
        both.run(paths=(files,))
        both.assert_same()


def test_force_makes_it_anew(both: Both, files: Path) -> None:
    write_fetched(both.workspace, "hst", 4)
    both.run()
    write_picture(files / "0.png", 1)
    _, report, _ = both.run(paths=(files,), force=True)
    assert report.counts == {"images": 1, "new": 1}
    both.assert_same()


def test_another_model_is_refused(both: Both, files: Path) -> None:
    from tests.clip_models import write_model

    write_fetched(both.workspace, "hst", 2)
    both.run()
    other = write_model(files / "other", seed=5).path
    with pytest.raises(PaperclipError, match="was made by another model"):
        both.run(model=str(other))


def test_an_interrupted_run_embeds_nothing_twice(both: Both) -> None:
    write_fetched(both.workspace, "hst", 12)
    config = IndexConfig(model=both.model, name=both.database, batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        stage.run(config, both.workspace, **towers(FakeTower(fail_after=3)))  # type: ignore[arg-type]
    with pytest.raises(MissingStage, match="there is no index"):
        open_index(both.database, both.workspace)
    _, _, tower = both.run()
    assert tower.embedded == 8
    both.assert_same()


def test_a_write_that_fails_changes_nothing(
    both: Both, monkeypatch: pytest.MonkeyPatch, files: Path
) -> None:
    write_fetched(both.workspace, "hst", 6)
    both.run()
    write_picture(files / "0.png", 1)

    def fail(*_: object) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="power"):
        patched.setattr(update, "as_records", fail)
        stage.run(
            IndexConfig(paths=(files,), model=both.model, name=both.database),
            both.workspace,
            **towers(),  # type: ignore[arg-type]
        )
    both.assert_same()
    both.run(paths=(files,))
    both.assert_same()


def test_the_words_are_copied_once_for_each_state(both: Both, files: Path) -> None:
    write_fetched(both.workspace, "hst", 4)
    both.run()
    both.assert_same()
    folder = both.opened()[1].folder
    kept = sorted(folder.glob("names-*"))
    stamps = [path.stat().st_mtime_ns for path in kept]
    both.assert_same()
    assert len(kept) == 2 and stamps == [path.stat().st_mtime_ns for path in kept]
    write_picture(files / "0.png", 1)
    both.run(paths=(files,))
    both.assert_same()
    assert len({*folder.glob("names-*")} - {*kept}) == 2 == len([*folder.glob("names-*")])


def test_an_engine_has_a_graph_of_its_own(both: Both) -> None:
    with pytest.raises(PaperclipError, match="a graph of its own"):
        stage.run(IndexConfig(name=both.database, hnsw=True), both.workspace)
