"""Stages killed by strace at their renames, and checks of the cache afterwards."""

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
    """A kill at the `number`-th rename of a thread, or at the one that exchanges two folders.

    `can_exchange` means that the system has that call. strace counts each kind of call separately.
    """

    number: int
    can_exchange: bool = True
    at_exchange: bool = False

    @property
    def options(self) -> list[str]:
        """Options of strace. Its filter in the kernel would be quicker, but injects no signal."""
        calls = "renameat2" if self.at_exchange else "rename,renameat"
        kill = ["-e", f"inject={calls}:signal=SIGKILL:when={self.number}"]
        return kill if self.can_exchange else [*kill, "-e", "inject=renameat2:error=EINVAL"]


def paperclip(
    workspace: Workspace,
    *arguments: object,
    under: Sequence[str] = (),
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A run of the program in a process of its own, for example `under` strace.

    It uses no network, except in the `environment` of a stand-in.
    """
    program = [*under, sys.executable, "-m", "paperclip_cli"]
    options = ["--cache-dir", str(workspace.root), "--quiet"]
    options += ["--offline"] if environment is None else []
    command = [*program, *options, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def trace(log: Path, options: Sequence[str], calls: str = RENAMES) -> list[str]:
    """The beginning of a command line that runs another under strace."""
    return ["strace", "-f", "-y", "-qq", "-o", str(log), "-e", f"trace={calls}", *options, "--"]


@functools.cache
def can_trace() -> bool:
    """Whether strace is installed and allowed to trace: a container may forbid it."""
    if shutil.which("strace") is None:
        return False
    command = ["strace", "-f", "-qq", "-e", "trace=rename", "true"]
    return subprocess.run(command, capture_output=True).returncode == 0


def faulty(workspace: Workspace, before: dict[str, list[str]]) -> Iterator[str]:
    """The artefacts that existed `before`, by kind, and are now gone or not whole."""
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
    """Opens an artefact as the commands do, and checks all of it."""
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
    if kind == "models":
        return resolve(name, workspace).path
    return open_index(workspace.index(name)).folder


def left_over(place: Path) -> list[str]:
    """Hidden files and folders that a finished run must not leave. Locks may stay."""
    found = (path.relative_to(place).as_posix() for path in place.rglob(".*"))
    return sorted(path for path in found if not re.search(r"\.lock$", path))
