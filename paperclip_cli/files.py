"""Atomic writes: neither a kill nor a power cut leaves a file or a folder half-written.

A file or a folder is made beside its destination under a hidden name, `.NAME.new.XXXXXXXX`, flushed
to disk, and renamed into place. What a killed writer leaves under such a name is no artefact, and
the next writer of `NAME` removes it. Where a system cannot exchange two folders in one step, the
old one lies in `.NAME.old.XXXXXXXX/NAME` for a moment, and is put back from there after a kill.
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

from paperclip_cli.errors import Busy, PaperclipError

_HIDDEN = re.compile(r"\.(?P<name>.+)\.(new|old|import)\.[a-z0-9_]{8}")
# Names of unfinished files in versions before 0.1.
_EARLIER = re.compile(r"\.(manifest\.json|.+\.npy|.+\.jpg)\.[a-z0-9_]{8}|\..+\.new")
_PACE = 1.0  # seconds of lines that a power cut may take from a file that is appended to
_BLOCK = 2**16


@contextmanager
def replacing(path: Path, flush_parent: bool = True) -> Iterator[Path]:
    """Yields the path of an empty file that replaces `path` if the block succeeds.

    Many files in one folder are written faster without `flush_parent`. Each is whole, but a power
    cut may take it until `flush_folder` has been called for its folder.
    """
    if path.is_dir():  # told before the work, not by the rename after it
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
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


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with `~` or `~user` replaced by the home directory.

    Raises:
        PaperclipError: there is no such user, or nobody knows where home is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise PaperclipError(
            f"{os.fspath(path)}: there is no such home directory", "write the path in full"
        ) from error


def replace_file(path: Path, content: str | bytes, flush_parent: bool = True) -> None:
    """Replaces a file as a whole, as `replacing` does."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path, flush_parent) as temporary:
        temporary.write_bytes(data)


def _new_file(path: Path) -> tuple[int, Path]:
    """A new temporary file, locked until its handle is closed: a lock means a living writer."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.new.", dir=path.parent)
        with suppress(OSError):  # a file system without locks: nothing is ever swept there
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # another process removed it before it was locked


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
    """The paths in `parent` with a hidden name of one of the `kinds` that was made for `name`."""
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
    """Makes a folder and its missing parents, flushed so that a power cut does not undo it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Flushes the names in a folder to disk: only then does a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(handle)


def flush_folders(folders: Iterable[Path]) -> None:
    """Flushes the names in several folders, each folder once."""
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
    """Cuts off an incomplete last line, left by a killed process.

    Call it before reading a file that is appended to afterwards.
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
    """Yields a function that adds a line to a file.

    Each line is handed to the system at once, so a kill loses none. It is flushed to disk if the
    last flush was a second ago or more, and at the end. Where a language model takes seconds for a
    line, a power cut therefore takes at most the line being written.
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
    """Yields an empty folder that replaces `folder` if the block succeeds.

    The caller holds the `lock` of `folder`. At every moment the old folder or the new one is in
    place, or `recover` can put one back.
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
    """Swaps two folders in one step. Returns False where the system or the disk cannot."""
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
    """Swaps two folders in three steps: `new` then holds the old one.

    After a kill between two steps, `recover` puts the right one in place.
    """
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    previous = aside / folder.name
    try:
        os.replace(folder, previous)
        os.replace(new, folder)
        os.replace(previous, new)  # from here on `recover` does not see the old folder
    finally:
        if not folder.exists():
            os.replace(previous, folder)
        with suppress(OSError):
            aside.rmdir()


def recover(folder: Path) -> Path:
    """The folder itself, put back if its writer was killed between two renames.

    On a disk that cannot be written to, it stays aside, and its path there is returned.
    """
    for _ in range(100):
        if folder.exists() or (previous := _previous(folder)) is None:
            return folder
        try:
            with lock(folder):  # puts it back
                return folder
        except PaperclipError:  # a living writer puts it back in a moment
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
    """The place to which a killed writer moved a folder aside, if any."""
    places = (
        aside / name
        for aside in _hidden(folder.parent, folder.name, "old")
        for name in (folder.name, "previous")
    )
    return next((place for place in places if place.is_dir()), None)


@contextmanager
def lock(folder: Path, shared: bool = False, wait: bool = False) -> Iterator[None]:
    """Locks an artefact for one writer. A second writer gets a PaperclipError, or waits.

    The lock ends with the process. An exclusive holder finds the folder put back if it was moved
    aside, and the leftovers of dead writers removed. Several processes may hold it `shared`, for
    work on separate files, while nobody holds it exclusively.
    """
    make_folder(folder.parent)
    path = folder.parent / f".{folder.name}.lock"
    with path.open("a") as file:
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(file, kind | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise Busy(
                f"another paperclip process is writing {folder}", "wait for it, or stop it"
            ) from error
        if not shared:
            _tidy(folder)
        yield


@contextmanager
def turn_in(folder: Path) -> Iterator[None]:
    """Waits for other processes in such a block for a folder. It leaves no file behind."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _tidy(folder: Path) -> None:
    """Puts the folder back if it was moved aside, and removes the leftovers of dead writers."""
    if not folder.exists() and (previous := _previous(folder)) is not None:
        os.replace(previous, folder)
        flush_folder(folder.parent)
    for left in _hidden(folder.parent, folder.name, "new", "old", "import"):
        if left.is_dir():
            _remove_folder(left)
    sweep_folder(folder)


def sweep_folder(folder: Path) -> None:
    """Removes the temporary files of dead writers from a folder that only paperclip writes to."""
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
    """The file mode creation mask of the process."""
    # Linux says it. Elsewhere it can only be read by changing it, for a moment in all threads.
    try:
        said = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        said = ""
    found = re.search(r"^Umask:\s*([0-7]+)$", said, re.MULTILINE)
    if found:
        return int(found[1], 8)
    mask = os.umask(0)
    os.umask(mask)
    return mask
