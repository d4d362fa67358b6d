"""How files are written, so that neither a kill nor a power cut leaves one that is half there.

A file or a folder is made under a hidden name beside the place it is to take, flushed to disk, and
renamed: `.NAME.new.XXXXXXXX`. What a killed writer leaves under such a name is no artefact; the
next writer of `NAME` sweeps it away. Where a system cannot exchange two folders at once, the old
one lies in `.NAME.old.XXXXXXXX/NAME` for a moment, and is put back from there after a kill.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paperclip_cli.errors import PaperclipError

_HIDDEN = re.compile(r"\.(?P<name>.+)\.(new|old|import)\.[a-z0-9_]{8}")
# What versions before 0.1 called the files that they had not finished.
_EARLIER = re.compile(r"\.(manifest\.json|.+\.npy|.+\.jpg)\.[a-z0-9_]{8}|\..+\.new")
_PACE = 1.0  # seconds: what a power cut may take from a file that is appended to
_BLOCK = 2**16


@contextmanager
def replacing(path: Path, flush_parent: bool = True) -> Iterator[Path]:
    """Yields the path of an empty file beside `path`, which takes its place when the block ends well.

    Many files in one folder are written faster without `flush_parent`: each is whole, but a power
    cut may take it until `flush_folder` was called for its folder.
    """
    if flush_parent:
        make_folder(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path)
    handle, temporary = _new_file(path)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~umask())  # libraries make files with a mode of their own
        _flush(temporary)
        os.replace(temporary, path)
        if flush_parent:
            flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def replace_file(path: Path, content: str | bytes, flush_parent: bool = True) -> None:
    """Writes a whole file at once, as `replacing` does."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path, flush_parent) as temporary:
        temporary.write_bytes(data)


def _new_file(path: Path) -> tuple[int, Path]:
    """A new temporary file. Its lock, held until the handle is closed, says that its writer lives."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.new.", dir=path.parent)
        with suppress(OSError):  # a file system without locks: nothing is ever swept there
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # swept away before it was locked


def sweep(path: Path) -> None:
    """Removes the temporary files of dead writers of the file `path`."""
    for left in _hidden(path.parent, path.name, "new"):
        if left.is_file():
            _remove_if_dead(left)


def _remove_if_dead(temporary: Path) -> None:
    with suppress(OSError), temporary.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temporary.unlink()


def _hidden(parent: Path, name: str, *kinds: str) -> list[Path]:
    """What lies in `parent` under a hidden name that was made for `name`."""
    start = tuple(f".{name}.{kind}." for kind in kinds)
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(parent) as entries:
        return [
            parent / entry.name
            for entry in entries
            if entry.name.startswith(start)
            and (match := _HIDDEN.fullmatch(entry.name))
            and match["name"] == name
        ]
    return []


def make_folder(folder: Path) -> None:
    """Makes a folder and what is missing above it, so that a power cut does not take it away."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Has the names in a folder written to disk: a rename counts after a power cut only then."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(handle)


def flush_folders(folders: Iterable[Path]) -> None:
    """Flushes the names in several folders, each once."""
    for folder in sorted(set(folders)):
        flush_folder(folder)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_tree(folder: Path) -> None:
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            _flush(Path(place, name))
        flush_folder(Path(place))


def cut_torn_line(path: Path) -> None:
    """Cuts off a last line without its end, which a killed process left.

    To be called before a file is read that is appended to afterwards.
    """
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _BLOCK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        file.truncate(end)


@contextmanager
def append_lines(path: Path) -> Iterator[Callable[[str], None]]:
    """Gives a function that adds a line to a file.

    Each line is handed to the system at once, so that a kill takes none. It is flushed to disk if
    the last flush is a second ago, and at the end: where a line takes a language model seconds,
    a power cut takes at most the one that was being written.
    """
    make_folder(path.parent)
    cut_torn_line(path)
    is_new = not path.exists()
    with path.open("ab") as file:
        if is_new:
            flush_folder(path.parent)
        flushed = time.monotonic()

        def append(line: str) -> None:
            nonlocal flushed
            file.write(line.encode("utf-8") + b"\n")
            file.flush()
            if time.monotonic() - flushed >= _PACE:
                os.fsync(file.fileno())
                flushed = time.monotonic()

        try:
            yield append
        finally:
            os.fsync(file.fileno())


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that takes the place of `folder` when the block ends well.

    To be called by whoever holds the `lock` of `folder`. At every moment the old folder or the new
    one is there, or can be put back by `recover`.
    """
    make_folder(folder.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new.", dir=folder.parent))
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~umask())
        _flush_tree(temporary)
        if not folder.exists():
            os.replace(temporary, folder)
        elif not _exchange(temporary, folder):
            _take_turns(temporary, folder)
        flush_folder(folder.parent)
    finally:
        _remove_folder(temporary)


def _exchange(one: Path, other: Path) -> bool:
    """Has two folders change places in one step; False where the system or the disk cannot."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    at_cwd, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


def _take_turns(new: Path, folder: Path) -> None:
    """The same in three steps, between which `recover` knows what to do. `new` is the old one then."""
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    previous = aside / folder.name
    try:
        os.replace(folder, previous)
        os.replace(new, folder)
        os.replace(previous, new)  # from here on `recover` does not know it
    finally:
        if not folder.exists():
            os.replace(previous, folder)
        with suppress(OSError):
            aside.rmdir()


def recover(folder: Path) -> Path:
    """The folder itself, put back if its writer was killed between two renames.

    Where it cannot be put back because nothing can be written, it is the place where it lies.
    """
    for _ in range(100):
        if folder.exists() or (previous := _previous(folder)) is None:
            return folder
        try:
            with lock(folder):  # puts it back
                return folder
        except PaperclipError:  # a writer lives, and has it back in a moment
            time.sleep(0.01)
        except OSError:
            return previous
    return folder


def hidden_names(parent: Path) -> set[str]:
    """The names of the folders in `parent` that `recover` would put back."""
    with suppress(FileNotFoundError, NotADirectoryError):
        matches = [
            match["name"]
            for entry in parent.iterdir()
            if (match := _HIDDEN.fullmatch(entry.name)) and match[2] == "old"
        ]
        return {name for name in matches if _previous(parent / name)}
    return set()


def _previous(folder: Path) -> Path | None:
    """Where a folder lies that a killed writer moved aside."""
    places = (
        aside / name
        for aside in _hidden(folder.parent, folder.name, "old")
        for name in (folder.name, "previous")
    )
    return next((place for place in places if place.is_dir()), None)


@contextmanager
def lock(folder: Path, shared: bool = False, wait: bool = False) -> Iterator[None]:
    """Holds an artefact for one writer; a second one is told so at once, or waits.

    The lock goes when the process does. Whoever holds it alone finds the folder put back if it was
    hidden, and what dead writers left swept away. Several may hold it `shared`, for work that does
    not meet, while nobody holds it alone.
    """
    make_folder(folder.parent)
    path = folder.parent / f".{folder.name}.lock"
    with path.open("a") as file:
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(file, kind | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise PaperclipError(
                f"another paperclip process is writing {folder}", "wait for it, or stop it"
            ) from error
        if not shared:
            _tidy(folder)
        yield


def _tidy(folder: Path) -> None:
    """Puts the folder back if it was moved aside, and removes what dead writers of it left."""
    if not folder.exists() and (previous := _previous(folder)) is not None:
        os.replace(previous, folder)
        flush_folder(folder.parent)
    for left in _hidden(folder.parent, folder.name, "new", "old", "import"):
        if left.is_dir():
            _remove_folder(left)
    sweep_folder(folder)


def sweep_folder(folder: Path) -> None:
    """Removes the temporary files of dead writers of any file in a folder that is ours alone."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            if _HIDDEN.fullmatch(path.name) or _EARLIER.fullmatch(path.name):
                _remove_if_dead(path)


def _remove_folder(folder: Path) -> None:
    if folder.is_symlink():  # a user's artefact may lie on another disk
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def umask() -> int:
    """The process's file mode creation mask, for files that a library makes with a mode of its own."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
