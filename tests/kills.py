"""Stages that are killed at their renames by strace, and what is looked for in the cache afterwards."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.dataset.pairs import find_dataset
from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.folder import open_index
from paperclip_cli.previews.records import read_previews, read_proposals
from paperclip_cli.summaries.files import read_summaries
from paperclip_cli.towers.folder import resolve
from paperclip_cli.workspace import Workspace, faults, read_manifest

KINDS = ("proposals", "previews", "summaries", "datasets", "models", "indexes")
RENAMES = "rename,renameat,renameat2"


@dataclass(frozen=True)
class Kill:
    """At the `number`-th rename of a thread, or at the one that exchanges two folders; `can_exchange`: the system has that one.

    strace counts every kind of call for itself.
    """

    number: int
    can_exchange: bool = True
    at_exchange: bool = False

    @property
    def options(self) -> list[str]:
        """strace's. Its filter in the kernel would be quicker, but lets no signal in."""
        calls = "renameat2" if self.at_exchange else "rename,renameat"
        kill = ["-e", f"inject={calls}:signal=SIGKILL:when={self.number}"]
        return kill if self.can_exchange else [*kill, "-e", "inject=renameat2:error=EINVAL"]


def paperclip(
    workspace: Workspace, *arguments: object, under: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """A run of the program in a process of its own."""
    command = [
        *under,
        sys.executable,
        "-m",
        "paperclip_cli",
        "--cache-dir",
        str(workspace.root),
        "--offline",
        "--quiet",
    ]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)


def trace(log: Path, options: Sequence[str], calls: str = RENAMES) -> list[str]:
    """A command line that runs another under strace."""
    return ["strace", "-f", "-y", "-qq", "-o", str(log), "-e", f"trace={calls}", *options, "--"]


@functools.cache
def can_trace() -> bool:
    """Whether strace is installed and may trace: a container may forbid it."""
    if shutil.which("strace") is None:
        return False
    return (
        subprocess.run(
            ["strace", "-f", "-qq", "-e", "trace=rename", "true"], capture_output=True
        ).returncode
        == 0
    )


def faulty(workspace: Workspace, before: dict[str, list[str]]) -> Iterator[str]:
    """What was there `before`, by kind, and is not, or is not whole."""
    for kind, names in before.items():
        now = workspace.names(kind)
        if now != names:
            yield f"{kind}: {', '.join(names)} before, {', '.join(now) or 'nothing'} now"
        for name in {*names} & {*now}:
            try:
                yield from (f"{kind} {name}: {fault}" for fault in _look(kind, name, workspace))
            except (PaperclipError, OSError) as error:
                yield f"{kind} {name}: {error}"


def _look(kind: str, name: str, workspace: Workspace) -> Iterator[str]:
    """Opens an artefact as the commands do, and reads all of it."""
    folder = _open(kind, name, workspace)
    manifest = read_manifest(folder)
    assert manifest is not None
    yield from faults(folder, manifest, verify=True)


def _open(kind: str, name: str, workspace: Workspace) -> Path:
    if kind == "proposals":
        assert read_proposals(workspace, [name])
        return workspace.proposals(name)
    if kind == "previews":
        assert read_previews(workspace, [name])
        return workspace.previews(name)
    if kind == "summaries":
        assert read_summaries(workspace, name)
        return workspace.summaries(name)
    if kind == "datasets":
        return find_dataset(name, workspace)
    return (
        resolve(name, workspace).path
        if kind == "models"
        else open_index(workspace.index(name)).folder
    )


def left_over(place: Path) -> list[str]:
    """Files and folders that a finished run does not leave: hidden ones, but for locks and decoded images."""
    found = (path.relative_to(place).as_posix() for path in place.rglob(".*"))
    return sorted(path for path in found if not re.search(r"\.lock$|/\.store$", path))
