"""`index --watch`: an index that is watched becomes what a fresh one is, and little is done."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.config import IndexConfig
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import lock
from paperclip_cli.progress import SilentProgress
from paperclip_cli.records import Preview
from paperclip_cli.report import Report
from paperclip_cli.stages import index, index_watch
from paperclip_cli.workspace import Workspace
from tests.factories import make_proposal, write_archive, write_fetched, write_preview
from tests.small_indexes import FakeTower, holds, index_of, run, towers, write_picture
from tests.stages.test_index import STEP, apply

Step = Callable[[], object]


class Ended(Exception):
    """The end of a watch that has no more steps."""


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def nothing() -> None:
    return None


def watch(
    config: IndexConfig,
    workspace: Workspace,
    steps: Iterable[Step],
    tower: FakeTower | None = None,
    notes: Notes | None = None,
) -> list[Report]:
    """The reports of a watch: a step is done after each look but the last two."""
    waiting = iter([*steps, nothing, nothing])

    def wait(_: float) -> None:
        step = next(waiting, None)
        if step is None:
            raise Ended
        step()

    reports = []
    with suppress(Ended):
        for report in index_watch.run(
            config,
            workspace,
            index.run,  # type: ignore[arg-type]
            notes,
            wait=wait,
            **towers(tower),
        ):
            reports.append(report)
    return reports


@settings(max_examples=15)
@given(st.lists(STEP, min_size=1, max_size=6))
def test_an_index_that_is_watched_becomes_what_a_fresh_one_is(
    tiny_model: Path, changes: list[tuple]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, kept = (
            Path(place, "pictures").resolve(),
            Workspace(Path(place, "kept"), offline=True),
        )
        write_picture(folder / "always.png", 99)
        steps: list[Step] = [nothing, nothing]
        steps += [lambda step=step: apply(folder, step) for step in changes]  # type: ignore[misc]
        watch(IndexConfig(paths=(folder,), model=str(tiny_model)), kept, steps)
        fresh = Workspace(Path(place, "fresh"), offline=True)
        run(folder, fresh, str(tiny_model))
        assert holds(index_of(kept)) == holds(index_of(fresh))


def test_a_burst_is_one_update_and_the_model_is_opened_once(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    opened: list[int] = []
    tower = FakeTower()

    def images(_: object, size: int) -> FakeTower:
        opened.append(size)
        return tower

    def burst(first: int) -> Step:
        return lambda: [
            write_picture(tmp_path / "p" / f"{n}.png", n) for n in range(first, first + 40)
        ]

    steps, reports = iter([nothing, burst(0), nothing, nothing, burst(40), nothing, nothing]), []

    def wait(_: float) -> None:
        step = next(steps, None)
        if step is None:
            raise Ended
        step()

    (tmp_path / "p").mkdir()
    config = IndexConfig(paths=(tmp_path / "p",), model=model, batch_size=16)
    with suppress(Ended):
        for report in index_watch.run(
            config, workspace, index.run, None, images, towers()["texts"], wait
        ):
            reports.append(report.counts)
    assert reports == [{"images": 40, "new": 40}, {"images": 80, "new": 40}]
    assert opened == [16] and tower.embedded == 80
    assert index_of(workspace).manifest.extra["generation"] == 2


def test_what_fails_is_told_once_and_makes_no_index(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    bad, good = tmp_path / "p" / "bad.jpg", tmp_path / "p" / "good.png"
    bad.parent.mkdir()
    reports = watch(
        IndexConfig(paths=(bad.parent,), model=model),
        workspace,
        [lambda: bad.write_text("no picture"), nothing, nothing, lambda: write_picture(good, 0)],
    )
    assert [(len(report.failures), report.counts) for report in reports] == [
        (1, {}),
        (0, {"images": 1, "new": 1}),
    ]
    assert reports[0].failures[0].item == str(bad)


def test_a_folder_that_disappears_keeps_its_images(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    for name in ("one", "two"):
        write_picture(tmp_path / name / "a.png", len(name))
        write_picture(tmp_path / name / "b.png", 9)
    notes = Notes()
    reports = watch(
        IndexConfig(paths=(tmp_path / "one", tmp_path / "two"), model=model),
        workspace,
        [
            nothing,
            nothing,
            lambda: (tmp_path / "one").rename(tmp_path / "elsewhere"),
            nothing,
            lambda: (tmp_path / "two" / "a.png").unlink(),
        ],
        notes=notes,
    )
    assert [report.counts for report in reports] == [
        {"images": 4, "new": 4},
        {"images": 3, "removed": 1},
    ]
    gone = f"{tmp_path / 'one'}: No such file or directory; its images stay in the index"
    assert notes.said == [
        f"index: watching {tmp_path / 'one'}, {tmp_path / 'two'}, until Ctrl-C",
        f"index: {gone}",
    ]


def test_an_index_that_another_process_writes_is_waited_for(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    write_picture(tmp_path / "p" / "a.png", 0)
    other = lock(workspace.index("default"))
    notes = Notes()
    reports = watch(
        IndexConfig(paths=(tmp_path / "p",), model=model),
        workspace,
        [lambda: other.__enter__(), nothing, nothing, lambda: other.__exit__(None, None, None)],
        notes=notes,
    )
    assert [report.counts for report in reports] == [{"images": 1, "new": 1}]
    (note,) = notes.said[1:]
    assert note.startswith("index: another paperclip process is writing")


def test_previews_are_indexed_as_they_are_fetched(workspace: Workspace, model: str) -> None:
    previews: list[Preview] = []

    def fetch(number: int) -> Step:
        def step() -> None:
            if not previews:
                previews.extend(write_fetched(workspace, proposals=3))
            else:
                previews.append(write_preview(workspace, "local", number, 0))
                write_archive(workspace, "local", [make_proposal("local", number)], previews)

        return step

    def spoil() -> None:
        (workspace.previews("local") / previews[0].image).write_bytes(b"no picture")
        fetch(9)()

    tower = FakeTower()
    reports = watch(
        IndexConfig(model=model),
        workspace,
        [nothing, fetch(0), nothing, fetch(8), nothing, spoil, nothing, fetch(10)],
        tower,
    )
    (first, second, third, fourth) = reports
    known = first.counts["images"]
    assert first.counts == {"images": known, "new": known}
    assert second.counts == {"images": known + 1, "new": 1}
    assert third.counts == {"images": known + 1, "new": 1, "removed": 1}
    assert len(third.failures) == 1
    assert fourth.counts["new"] == 1 and fourth.failures == (), "what failed before is not told"
    assert tower.embedded == known + 3


def test_what_cannot_work_is_told_at_once(tmp_path: Path, workspace: Workspace, model: str) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        watch(IndexConfig(paths=(tmp_path / "gone",), model=model), workspace, [])
    (tmp_path / "p").mkdir()
    with pytest.raises(PaperclipError, match="no model in the cache"):
        watch(IndexConfig(paths=(tmp_path / "p",)), workspace, [])


def test_a_model_that_changes_ends_the_watch(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    mine = Path(shutil.copytree(model, tmp_path / "mine"))
    write_picture(tmp_path / "p" / "a.png", 0)

    def spoil() -> None:
        weights = mine / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
        write_picture(tmp_path / "p" / "b.png", 1)

    with pytest.raises(PaperclipError, match="was made by another version of model"):
        watch(
            IndexConfig(paths=(tmp_path / "p",), model=str(mine)),
            workspace,
            [nothing, nothing, spoil],
        )
