"""Files and folders are replaced whole or not at all, whenever the writer dies.

The leftovers of a dead writer are put back or removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli import files
from paperclip_cli.cli import app
from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import (
    append_lines,
    cut_torn_line,
    expanded,
    hidden_names,
    lock,
    recover,
    replace_file,
    replace_folder,
    replacing,
)
from paperclip_cli.workspace import Manifest, Workspace, write_manifest


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def inode(place: str | Path | int) -> int:
    return (os.fstat(place) if isinstance(place, int) else Path(place).stat()).st_ino


@pytest.fixture(params=["at once", "by turns"])
def turns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ways to swap folders: Linux's, and that of other systems."""
    if request.param == "by turns":
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    return request.param


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder" / "file"
    replace_file(path, "one")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        replace_file(path, "two")
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path, turns: str) -> None:
    folder = tmp_path / "model"
    with replace_folder(folder) as new:
        (new / "a").write_text("1")
    with pytest.raises(KeyboardInterrupt), replace_folder(folder) as new:
        (new / "b").write_text("2")
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["a"]
    with replace_folder(folder) as new:
        (new / "c").write_text("3")
    assert [path.name for path in folder.iterdir()] == ["c"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_second_process_is_told_that_the_folder_is_taken(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from paperclip_cli.files import lock\n"
        "with lock(Path(%r)): print('held')"
    )
    with lock(tmp_path / "index"):
        done = subprocess.run(
            [sys.executable, "-c", script % str(tmp_path / "index")], capture_output=True, text=True
        )
    assert "another paperclip process" in done.stderr
    with lock(tmp_path / "index"):
        pass
    assert PaperclipError.exit_code == 1


def test_a_torn_line_is_cut_off_and_whole_ones_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "set" / "lines.jsonl"
    cut_torn_line(path)
    with append_lines(path) as append:
        append("ä")
        assert path.read_text("utf-8") == "ä\n"
    path.write_bytes(path.read_bytes() + "ü".encode()[:1])
    cut_torn_line(path)
    with append_lines(path) as append:
        append("ö")
    assert path.read_text("utf-8") == "ä\nö\n"


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=9)
    ),
    st.data(),
)
def test_whole_lines_survive_a_cut_anywhere(lines: list[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "lines")
        with append_lines(path) as append:
            for line in lines:
                append(line)
        whole = path.read_bytes()
        length = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:length])
        cut_torn_line(path)
        assert path.read_bytes() == whole[: whole.rfind(b"\n", 0, length) + 1]


def test_a_torn_line_may_be_long(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"one\n" + b"x" * 200_000)
    cut_torn_line(tmp_path / "lines")
    assert (tmp_path / "lines").read_bytes() == b"one\n"
    (tmp_path / "lines").write_bytes(b"x" * 200_000)
    cut_torn_line(tmp_path / "lines")
    assert (tmp_path / "lines").read_bytes() == b""


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int, int]]]:
    """Flushes (with the inode) and renames (with the inodes of source and folder), in order."""
    seen: list[tuple[str, int, int]] = []
    flush, rename, exchange = os.fsync, os.replace, files._exchange

    def record_flush(handle: int) -> None:
        seen.append(("flush", inode(handle), 0))
        flush(handle)

    def record_rename(source: Path, target: Path) -> None:
        seen.append(("rename", inode(source), inode(Path(target).parent)))
        rename(source, target)

    def record_exchange(source: Path, target: Path) -> bool:
        seen.append(("rename", inode(source), inode(target.parent)))
        return exchange(source, target)

    monkeypatch.setattr(os, "fsync", record_flush)
    monkeypatch.setattr(os, "replace", record_rename)
    monkeypatch.setattr(files, "_exchange", record_exchange)
    yield seen


def assert_flushed(seen: list[tuple[str, int, int]], made: set[int]) -> None:
    """All that was `made` is flushed before the first rename, and each target folder after it."""
    renames = [place for place, (kind, *_) in enumerate(seen) if kind == "rename"]
    before = {source for kind, source, _ in seen[: renames[0]] if kind == "flush"}
    assert made <= before
    for place in renames:
        assert ("flush", seen[place][2], 0) in seen[place:]


def test_a_file_is_on_disk_before_its_name(
    tmp_path: Path, events: list[tuple[str, int, int]]
) -> None:
    with replacing(tmp_path / "deep" / "file") as temporary:
        temporary.write_bytes(b"1")
        made = inode(temporary)
    assert_flushed(events, {made})
    assert ("flush", inode(tmp_path), 0) in events  # which has a new folder


@pytest.mark.parametrize("is_there", [False, True])
def test_all_of_a_folder_is_on_disk_before_its_name(
    tmp_path: Path, events: list[tuple[str, int, int]], is_there: bool
) -> None:
    if is_there:
        (tmp_path / "model").mkdir()
    with replace_folder(tmp_path / "model") as new:
        (new / "data").mkdir()
        for name in ("a", "data/b"):
            (new / name).write_text(name)
        made = {inode(path) for path in (new, *new.rglob("*"))}
    assert_flushed(events, made)


WRITER = """
import os, signal, sys
from pathlib import Path
from paperclip_cli import files
from paperclip_cli.cli import app
place, at, can_exchange = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "True"
rename, exchange, count = os.replace, files._exchange, 0

def die_at(real):
    def renamed(*places):
        global count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*places)
        if count + 0.5 == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return renamed

os.replace = die_at(rename)
files._exchange = die_at(exchange) if can_exchange else lambda one, other: False
with files.lock(place), files.replace_folder(place) as new:
    (new / "manifest.json").write_text('{"stage": "train", "config": {"new": 1}}')
print(count)
"""


def write_and_die(place: Path, at: float, can_exchange: bool) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WRITER, str(place), str(at), str(can_exchange)],
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_kill_at_any_rename_hides_nothing(tmp_path: Path, can_exchange: bool) -> None:
    """A kill before a rename or just after it: every reader finds the old folder or the new one.

    The next writer leaves nothing but what it writes.
    """
    renames = 1 if can_exchange else 3
    for at in (number / 2 for number in range(2, 2 * renames + 3)):
        workspace = Workspace(tmp_path / str(at))
        folder = workspace.root / "models" / "default"
        write_manifest(folder, Manifest(stage="train", config={"old": 1}))

        done = write_and_die(folder, at, can_exchange)
        assert done.returncode == (-signal.SIGKILL if at < renames + 1 else 0), done.stderr
        assert workspace.names("models") == ["default"]
        assert (workspace.model("default") / "manifest.json").is_file()
        assert write_and_die(workspace.model("default"), 0, can_exchange).returncode == 0
        assert names(workspace.root / "models") == [".default.lock", "default"]


def hide(folder: Path, name: str) -> None:
    """Leaves a folder as a kill between two renames does."""
    write_manifest(folder, Manifest(stage="train", config={}))
    aside = folder.parent / f".{folder.name}.old.abcdefgh"
    aside.mkdir()
    folder.rename(aside / name)


@pytest.mark.parametrize("name", ["default", "previous"])
@pytest.mark.parametrize(
    "look", [lambda cache: cache.names("models"), lambda cache: [cache.model("default").name]]
)
def test_what_was_moved_aside_is_put_back(
    tmp_path: Path, name: str, look: Callable[[Workspace], list[str]]
) -> None:
    workspace = Workspace(tmp_path)
    hide(tmp_path / "models" / "default", name)
    hide(tmp_path / "models" / "default.old", name)  # another model
    assert set(look(workspace)) <= {"default", "default.old"} and "default" in look(workspace)
    assert (tmp_path / "models" / "default" / "manifest.json").is_file()
    with lock(tmp_path / "models" / "default"):
        pass
    assert not hidden_names(tmp_path / "models") - {"default.old"}
    assert not list((tmp_path / "models").glob(".default.old.abcdefgh"))


def test_a_writer_that_lives_is_not_disturbed(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "default"
    hide(folder, "default")
    script = """
import sys, time
from pathlib import Path
from paperclip_cli import files
from paperclip_cli.cli import app
files._tidy = lambda folder: None  # as if it were between its two renames
with files.lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None and writer.stdin is not None
        assert writer.stdout.readline() == b"held\n"
        assert recover(folder) == folder and not folder.exists()
        writer.stdin.close()
        writer.wait()
    assert recover(folder).is_dir()


READER = """
import os, sys
from pathlib import Path
from paperclip_cli.workspace import Workspace, read_manifest
if os.getuid() == 0:
    os.setuid(65534)
workspace = Workspace(Path(sys.argv[1]))
model = workspace.model("default")
print(workspace.names("models"), model.name, read_manifest(model).stage)
"""


def test_in_a_cache_that_cannot_be_written_it_is_found_where_it_lies() -> None:
    place = Path(tempfile.mkdtemp())
    try:
        hide(place / "models" / "default", "default")
        for folder in (place, *place.rglob("*")):
            folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READER, str(place)], capture_output=True, text=True
        )
        assert done.stdout == "['default'] default train\n", done.stderr
        assert not (place / "models" / "default").exists()
    finally:
        for folder in (place, *place.rglob("*")):
            folder.chmod(0o755)
        shutil.rmtree(place)


STOPPED = """
import os, signal, sys
from pathlib import Path
from paperclip_cli.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("written", flush=True)
    sys.stdin.read()
"""


def stopped(path: Path) -> subprocess.Popen[bytes]:
    """A process that has written half of a file."""
    writer = subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None and writer.stdout.readline() == b"written\n"
    return writer


def test_what_a_killed_writer_leaves_is_swept_by_the_next(tmp_path: Path) -> None:
    """The file of a living writer stays, and so does that of a writer of another file."""
    dead, other = stopped(tmp_path / "file"), stopped(tmp_path / "file.new.other")
    with stopped(tmp_path / "file") as living:
        for writer in (dead, other):
            writer.kill()
            writer.communicate()
        assert len(names(tmp_path)) == 3
        replace_file(tmp_path / "file", "whole")
        assert len(names(tmp_path)) == 3  # the file, the living writer's, and the other file's
        living.communicate()
    assert (tmp_path / "file").read_text() == "half"
    replace_file(tmp_path / "file.new.other", "whole")
    assert names(tmp_path) == ["file", "file.new.other"]


def test_the_next_that_holds_a_folder_sweeps_it(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    for name in ("manifest.json", "vectors-000001.npy"):
        writer = stopped(folder / name)
        writer.kill()
        writer.communicate()
    (folder / ".graph-000001.hnsw.new").touch()  # the name in earlier versions
    (folder / ".keep").touch()
    for name in ("index.new", "index.import", "index.old", "other.new"):
        (tmp_path / f".{name}.abcdefgh").mkdir()

    with lock(folder, shared=True):
        assert len(names(folder)) == 4
    with lock(folder):
        assert names(folder) == [".keep"]
    assert names(tmp_path) == [".index.lock", ".other.new.abcdefgh", "index"]


def test_a_folder_is_no_file_to_replace_and_that_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(IsADirectoryError, match="there"), replacing(tmp_path / "there"):
        pytest.fail("the work has begun")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_home_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert expanded("~/a") == Path.home() / "a" and expanded("a~b") == Path("a~b")
    with pytest.raises(PaperclipError, match="~nobody-of-this-name/a: there is no such home"):
        expanded("~nobody-of-this-name/a")
    for line in (
        ["--cache-dir", "~nobody-of-this-name", "doctor"],
        ["index", "~nobody-of-this-name"],
    ):
        assert app.run(line) == 1
        assert "there is no such home directory" in capsys.readouterr().err
