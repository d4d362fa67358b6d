"""Removal of what is in the cache, under the locks of all who write or read it for long.

A folder is renamed first and removed then. So nothing is ever half there, and what a kill leaves
is swept by the next writer of that name, or by `cache prune`.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import flush_folder, lock
from paperclip_cli.upkeep.inventory import Kept
from paperclip_cli.upkeep.places import FOLDERS
from paperclip_cli.workspace import Workspace

_LEFT = re.compile(r"\.(?P<name>.+)\.(new|old|import)\.[a-z0-9_]{8}")


def reading(folder: Path) -> AbstractContextManager[None]:
    """Says that a folder is read for long: a writer may replace it, but nothing removes it."""
    return lock(_readers(folder), shared=True, wait=True)


def remove(kept: Kept, workspace: Workspace) -> None:
    """Removes a folder of the cache, or the link in its place.

    Raises:
        PaperclipError: another process uses it.
    """
    with unused(kept, workspace):
        if kept.path.is_symlink():  # it leads to another disk: only the link is the cache's
            kept.path.unlink()
            return
        aside = Path(tempfile.mkdtemp(prefix=f".{kept.path.name}.new.", dir=kept.path.parent))
        os.replace(kept.path, aside)
        flush_folder(aside.parent)
        shutil.rmtree(aside)


@contextmanager
def unused(kept: Kept, workspace: Workspace) -> Iterator[None]:
    """Keeps others from using something in the cache.

    Raises:
        PaperclipError: another process does.
    """
    with ExitStack() as held:
        for place in _places(kept, workspace):
            try:
                held.enter_context(lock(place))
            except PaperclipError as error:
                raise PaperclipError(
                    f"{kept} is in use by another paperclip process", "wait for it, or stop it"
                ) from error
        if kept.kind == "decoded":
            held.enter_context(lock(workspace.decoded(), wait=True))
        yield


def leftovers(workspace: Workspace) -> Iterator[Path]:
    """Folders with hidden names that killed writers, or those at work, have left."""
    for name in FOLDERS.values():
        parent = workspace.root / name
        if parent.is_dir():
            yield from sorted(
                path for path in parent.iterdir() if _LEFT.fullmatch(path.name) and path.is_dir()
            )


def sweep_leftover(path: Path) -> bool:
    """Puts a folder that a killed writer left back in place, or removes it.

    Returns False if its writer is alive.
    """
    match = _LEFT.fullmatch(path.name)
    assert match is not None
    try:
        with lock(path.parent / match["name"]):
            return True
    except PaperclipError:
        return False


def _places(kept: Kept, workspace: Workspace) -> list[Path]:
    """What the writers and the long readers of something lock."""
    path = kept.path
    match kept.kind:
        case "training":  # a training locks the model that it makes
            return [workspace.root / FOLDERS["model"] / path.name]
        case "hub":  # a download locks its repository
            return [path.with_name(path.name.removeprefix(".").partition("@")[0])]
        case "decoded":
            return [_readers(workspace.decoded())]
        case "proposals":  # `fetch` locks the previews of the mission
            return [path, workspace.root / FOLDERS["previews"] / path.name]
        case "dataset" | "converted":
            return [path, _readers(path)]
        case _:
            return [path]


def _readers(folder: Path) -> Path:
    """The place whose lock is shared by those who read a folder: no folder may have this name."""
    return folder.with_name(f"{folder.name}@read")
