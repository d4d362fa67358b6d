"""Indexing that is killed, or read meanwhile: nothing is lost, and no half is ever read."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.config import QueryConfig
from paperclip_cli.errors import MissingStage, PaperclipError
from paperclip_cli.indexes import destination, unrelated, update
from paperclip_cli.indexes import folder as index_folder
from paperclip_cli.indexes.folder import open_index
from paperclip_cli.stages import index as stage
from paperclip_cli.stages import query
from paperclip_cli.workspace import Workspace
from tests.small_indexes import FILES, FakeTower, holds, index_of, run, write_picture

# Points at which a process may die: in the middle of embedding, and before or after each file of
# a new state is written.
DEATHS: list[tuple[object, str]] = [
    (update, "write_vectors"),
    (update, "write_observations"),
    (update, "write_manifest"),
    (destination, "publish"),
    (destination, "write_unrelated"),
    (unrelated, "share_table"),
    (stage, "discard_journal"),
]


@pytest.mark.parametrize(
    ("module", "name"), DEATHS, ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_step_loses_nothing(
    module: object,
    name: str,
    after: bool,
    tmp_path: Path,
    workspace: Workspace,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
    assert now == before or set(map(os.path.basename, now)) == {
        f"{number}.png" for number in range(1, 6)
    }
    tower = FakeTower()
    run(tmp_path / "p", workspace, model, tower)
    assert tower.embedded == 0, "what was embedded once is not embedded again"
    fresh = Workspace(tmp_path / "fresh", offline=True)
    run(tmp_path / "p", fresh, model)
    assert holds(index_of(workspace)) == holds(index_of(fresh))
    assert {path.name.split("-")[0] for path in workspace.index("default").iterdir()} == FILES


def test_death_between_batches_costs_one_batch(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
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
from tests.small_indexes import FILES, FakeTower, towers
class Killed(FakeTower):
    def embed(self, items):
        if self.embedded >= 8: os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(items)
config = IndexConfig(paths=(Path({str(tmp_path / "p")!r}),), model={model!r}, batch_size=4)
index.run(config, Workspace(Path({str(workspace.root)!r})), **towers(Killed()))
"""
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False
        ).returncode
        == -9
    )
    tower = FakeTower()
    run(tmp_path / "p", workspace, model, tower)
    assert tower.embedded == 4 and len(index_of(workspace).vectors) == 12


def test_a_query_during_an_update_is_answered_from_the_old_state(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
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


def test_a_reader_between_manifest_and_files_takes_the_new_state(
    tmp_path: Path, workspace: Workspace, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (index_folder, "faults"),
        (index_folder, "open_vectors"),
        (index_folder, "Observations"),
        (sqlite3, "connect"),
        (index_folder.Unrelated, "open"),
    ],
)
def test_a_reader_that_is_overtaken_at_any_step_takes_the_new_state(
    tmp_path: Path,
    workspace: Workspace,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    place: object,
    name: str,
) -> None:
    write_picture(tmp_path / "p" / "0.png", 0)
    run(tmp_path / "p", workspace, model)
    step, calls = getattr(place, name), []

    def overtaken(*given: object, **more: object) -> object:
        monkeypatch.setattr(place, name, step)
        calls.append(name)
        write_picture(tmp_path / "p" / "1.png", 1)
        run(tmp_path / "p", workspace, model)
        return step(*given, **more)

    monkeypatch.setattr(place, name, overtaken)
    assert len(open_index(workspace.index("default")).vectors) == 2 and calls == [name]


def test_an_index_whose_files_are_gone_says_so(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    write_picture(tmp_path / "p" / "0.png", 0)
    run(tmp_path / "p", workspace, model)
    next(workspace.index("default").glob("*.npy")).unlink()
    with pytest.raises(PaperclipError, match=r"-000001.npy.* is missing"):
        open_index(workspace.index("default"))


def test_two_writers_do_not_meet(tmp_path: Path, workspace: Workspace, model: str) -> None:
    write_picture(tmp_path / "p" / "0.png", 0)

    class Second(FakeTower):
        def embed(self, items: object) -> np.ndarray:
            with pytest.raises(PaperclipError, match="another paperclip process is writing"):
                run(tmp_path / "p", workspace, model)
            return super().embed(items)  # type: ignore[arg-type]

    run(tmp_path / "p", workspace, model, Second())
