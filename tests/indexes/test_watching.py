"""What a watch makes of what it sees: only whole files count, and nothing is dropped by mistake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paperclip_cli.images.find import Stamp
from paperclip_cli.indexes.scope import Scope
from paperclip_cli.indexes.watching import PATIENCE, FolderWatch, Look, look_into
from paperclip_cli.report import Failure
from tests.small_indexes import write_picture

ROOTS = (Path("/sky"), Path("/sea"))


class Watched:
    """A watch of `/sky` and `/sea` that updates whatever it is told to, second by second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.watch = FolderWatch(ROOTS, lambda: self.now)

    def look(
        self, fail: str = "", away: dict[str, str] | None = None, **files: int
    ) -> Scope | None:
        """One look at files `sky_a=3`: `/sky/a` with 3 bytes."""
        self.now += 1
        seen: dict[str, Stamp] = {path_of(name): (size, 0) for name, size in files.items()}
        scope = self.watch.take(Look(seen, away or {}))
        if scope is not None:
            self.watch.finish(scope, [Failure(path_of(fail), "damaged")] if fail else [])
        return scope


def path_of(name: str) -> str:
    return "/" + name.replace("_", "/")


def read(scope: Scope | None) -> list[str]:
    """The names of the files that an update reads."""
    assert scope is not None
    return [candidate.path.name for candidate in scope.candidates]


def test_a_file_is_read_when_it_has_stopped_growing() -> None:
    watched = Watched()
    assert [watched.look(sky_a=size) for size in (0, 1, 2)] == [None] * 3
    assert read(watched.look(sky_a=2)) == ["a"]
    assert watched.look(sky_a=2) is None
    assert watched.look(sky_a=3) is None, "it is written again"
    assert read(watched.look(sky_a=3)) == ["a"]


def test_files_that_arrive_together_are_one_update() -> None:
    watched, files = Watched(), {}
    for number in range(20):
        files[f"sky_{number:02d}"] = 1
        assert watched.look(**files) is None
    assert len(read(watched.look(**files))) == 20


def test_a_file_that_grows_for_long_does_not_hold_up_the_others() -> None:
    watched = Watched()
    scopes = [watched.look(sky_slow=size, sky_a=1) for size in range(int(PATIENCE) + 3)]
    (taken,) = [scope for scope in scopes if scope is not None]
    assert read(taken) == ["a"] and taken.held == {"/sky/slow"}
    assert "/sky/slow" not in taken, "what the index has of it stays"
    watched.look(sky_slow=999, sky_a=1)
    assert read(watched.look(sky_slow=999, sky_a=1)) == ["a", "slow"]


def test_a_file_that_fails_is_read_again_only_when_it_has_changed() -> None:
    watched = Watched()
    watched.look(sky_bad=1)
    assert read(watched.look(sky_bad=1, fail="sky_bad")) == ["bad"]
    watched.look(sky_bad=1, sky_a=1)
    assert read(watched.look(sky_bad=1, sky_a=1)) == ["a"]
    watched.look(sky_bad=2, sky_a=1)
    assert read(watched.look(sky_bad=2, sky_a=1)) == ["a", "bad"]


def test_what_is_deleted_is_dropped_once_it_has_stayed_away() -> None:
    watched = Watched()
    for _ in range(2):
        watched.look(sky_a=1, sky_b=1)
    assert watched.look(sky_a=1) is None
    assert watched.look(sky_a=1, sky_b=1) is None, "an editor replaces a file like this"
    assert watched.look(sky_a=1) is None
    scope = watched.look(sky_a=1)
    assert read(scope) == ["a"] and scope is not None and "/sky/b" in scope
    assert watched.look(sky_a=1) is None


@pytest.mark.parametrize("away", [None, {"/sea": "No such file or directory"}])
def test_a_folder_that_is_unmounted_loses_nothing(away: dict[str, str] | None) -> None:
    watched = Watched()
    for _ in range(2):
        watched.look(sky_a=1, sea_b=1)
    assert [watched.look(sky_a=1, away=away) for _ in range(3)] == [None] * 3
    assert [*watched.watch.away] == ["/sea"]
    watched.look(sky_a=1, sky_c=1, away=away)
    scope = watched.look(sky_a=1, sky_c=1, away=away)
    assert read(scope) == ["a", "c"] and scope is not None
    assert "/sea/b" not in scope and "/sky/x" in scope
    for _ in range(3):
        assert watched.look(sky_a=1, sky_c=1, sea_b=1) is None, "it is back, as it was"
    assert not watched.watch.away


def test_a_look_tells_what_it_cannot_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "sub/b.png", "locked/c.png", ".hidden/d.png"):
        write_picture(tmp_path / name, 0)
    (tmp_path / "broken.png").symlink_to("nothing")
    scan = os.scandir

    def scandir(place: str) -> object:  # root may read any folder, so the refusal is made up
        if Path(place).name == "locked":
            raise PermissionError(13, "Permission denied", place)
        return scan(place)

    monkeypatch.setattr(os, "scandir", scandir)
    look = look_into([tmp_path, tmp_path / "gone", tmp_path / "a.png"])
    status = (tmp_path / "a.png").stat()
    assert {Path(path).name for path in look.files} == {"a.png", "b.png"}
    assert look.files[str(tmp_path / "a.png")] == (status.st_size, status.st_mtime_ns)
    assert look.away == {
        str(tmp_path / "locked"): "Permission denied",
        str(tmp_path / "gone"): "No such file or directory",
    }
