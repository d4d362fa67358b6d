"""Updates an index whenever images arrive, until the process is ended: `index --watch`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from paperclip_cli.config import IndexConfig
from paperclip_cli.errors import Busy
from paperclip_cli.files import expanded
from paperclip_cli.images.find import Stamp, find_images
from paperclip_cli.indexes.folder import STAGE
from paperclip_cli.indexes.maker import (
    ImageTower,
    KeptTowers,
    TextTower,
    open_image_tower,
    open_text_tower,
)
from paperclip_cli.indexes.scope import Scope
from paperclip_cli.indexes.watching import FolderWatch, look_into, stamps
from paperclip_cli.previews.records import PROPOSALS
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Failure, Report
from paperclip_cli.towers.folder import ModelFolder, resolve
from paperclip_cli.workspace import PREVIEWS, Workspace

PAUSE = 2.0  # seconds between two looks
_REST = 30  # times as long as a look takes the watch rests: a large folder costs 3 % of a core
_AFTER, _LONGEST = 3, 60.0  # and this many times as long as an update, at most this many seconds
_MANY = 100  # images from which on an update shows its progress


class Update(Protocol):
    """`stages.index.run`, which this stage is given because stages do not import each other."""

    def __call__(
        self,
        config: IndexConfig,
        workspace: Workspace,
        progress: Progress | None,
        images: Callable[[ModelFolder, int], ImageTower],
        texts: Callable[[ModelFolder], TextTower],
        scope: Scope | None,
    ) -> Report: ...


@dataclass(frozen=True)
class Task:
    """An update that is due: its scope, or None for all cached previews, and its new images."""

    scope: Scope | None = None
    size: int = 0


def run(
    config: IndexConfig,
    workspace: Workspace,
    update: Update,
    progress: Progress | None = None,
    images: Callable[[ModelFolder, int], ImageTower] = open_image_tower,
    texts: Callable[[ModelFolder], TextTower] = open_text_tower,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Report]:
    """Watches the folders of `config`, or the records of the cached previews, and never ends.

    Yields the report of each update that did anything or failed with anything new. The model is
    loaded once. Where another process writes the index, it waits for it.

    Raises:
        UsageError: a folder does not exist.
        PaperclipError: as for `stages.index.run`.
    """
    if config.model is not None or config.name not in workspace.names("indexes"):
        resolve(config.model, workspace)  # tells of a model that is not there before images come
    towers = KeptTowers(images, texts, config.batch_size)
    said = progress or SilentProgress()
    watched = _Folders(config) if config.paths else _Previews(config, workspace)
    said.note(f"{STAGE}: watching {watched.name}, until Ctrl-C")
    told: set[str] = set()
    is_first = True

    while True:
        begin = time.monotonic()
        task = watched.look()
        looked = time.monotonic()
        notes = watched.notes()
        if task is not None:
            try:
                shown = progress if is_first or task.size > _MANY else None
                done = update(config, workspace, shown, towers.images, towers.texts, task.scope)
            except Busy as error:
                notes.add(f"{error.message}: waiting for it")
            else:
                report = replace(done, failures=tuple(watched.finish(task, done.failures)))
                config = replace(config, force=False)
                if is_first or report.failures or not report.unchanged:
                    yield report
                is_first = False
        for note in sorted(notes - told):
            said.note(f"{STAGE}: {note}")
        told = notes
        rest = min(_LONGEST, _AFTER * (time.monotonic() - looked))
        wait(max(PAUSE, _REST * (looked - begin), rest))


class _Folders:
    """Folders or files that a user named."""

    def __init__(self, config: IndexConfig) -> None:
        self._roots = [expanded(path).resolve() for path in config.paths]
        find_images(self._roots)  # tells of a folder that does not exist
        self._watch = FolderWatch(self._roots)
        self.name = ", ".join(map(str, self._roots))

    def look(self) -> Task | None:
        scope = self._watch.take(look_into(self._roots))
        return None if scope is None else Task(scope, self._watch.count_of_new(scope))

    def notes(self) -> set[str]:
        return {
            f"{place}: {why}; its images stay in the index"
            for place, why in self._watch.away.items()
        }

    def finish(self, task: Task, failures: Collection[Failure]) -> Collection[Failure]:
        """The failures that are new: a file that failed is read again when it has changed."""
        assert task.scope is not None
        self._watch.finish(task.scope, failures)
        return failures


class _Previews:
    """The cached previews. `fetch` writes them whole, so that nothing has to settle."""

    def __init__(self, config: IndexConfig, workspace: Workspace) -> None:
        self._missions, self._workspace = config.missions, workspace
        self._done: dict[Path, Stamp] = {}
        self._seen: dict[Path, Stamp] = {}
        self._failed: frozenset[Failure] = frozenset()
        self.name = f"the previews in {workspace.root}"

    def look(self) -> Task | None:
        cached = set(self._workspace.names("proposals")) & set(self._workspace.names("previews"))
        missions = cached & set(self._missions) if self._missions else cached
        self._seen = stamps(
            path
            for mission in sorted(missions)
            for path in (
                self._workspace.preview_records(mission),
                self._workspace.proposals(mission) / PROPOSALS,
            )
        )
        is_there = missions.issuperset(self._missions) and any(
            size for path, (size, _) in self._seen.items() if path.name == PREVIEWS
        )
        return Task() if is_there and self._seen != self._done else None

    def notes(self) -> set[str]:
        return set()

    def finish(self, _: Task, failures: Collection[Failure]) -> Collection[Failure]:
        """The failures that are new: each update tries all again."""
        self._done = self._seen
        known, self._failed = self._failed, frozenset(failures)
        return [failure for failure in failures if failure not in known]
