"""What a watch must do: which of the files that it sees are new, whole, and worth reading.

The folders are looked at every few seconds, because network file systems do not tell of changes. A
file counts as it is when two looks in a row find the same size and modification time: until then
somebody may be writing it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paperclip_cli.images.find import Stamp, stamps_of
from paperclip_cli.indexes.reader import Candidate
from paperclip_cli.indexes.scope import Scope, is_under
from paperclip_cli.report import Failure

PATIENCE = 30.0  # seconds for which whole files wait for those that are still being written


@dataclass(frozen=True)
class Look:
    """The stamps of the images in some folders, and what could not be looked into, and why."""

    files: Mapping[str, Stamp] = field(default_factory=dict)
    away: Mapping[str, str] = field(default_factory=dict)


def look_into(roots: Iterable[Path]) -> Look:
    """Looks once into folders, or at files."""
    files: dict[str, Stamp] = {}
    away: dict[str, str] = {}
    for root in roots:
        found, unseen = stamps_of(root)
        files |= found
        away |= unseen
    return Look(files, away)


class FolderWatch:
    """Tells from one look after another when an index must be updated, and with which files.

    A root that is gone, unmounted or empty takes none of its images out of the index: plain `index`
    refuses such a folder, too.
    """

    def __init__(self, roots: Sequence[Path], clock: Callable[[], float] = time.monotonic) -> None:
        self.roots = [str(root) for root in roots]
        self.away: Mapping[str, str] = {}  # the places that cannot be seen now, and why
        self._clock = clock
        self._last: Mapping[str, Stamp] = {}
        self._done: dict[str, Stamp] = {}  # the files that the index was updated with
        self._failed: dict[str, Stamp] = {}
        self._since: float | None = None  # when there was first something to do

    def take(self, look: Look) -> Scope | None:
        """What to update now, if anything. Call `finish` after it."""
        last, self._last = self._last, look.files
        self.away = {**look.away, **self._emptied(look)}
        whole = {path: stamp for path, stamp in look.files.items() if last.get(path) == stamp}
        moving = {path for path in {*look.files, *last} if path not in whole}
        gone = {path for path in self._done if path not in look.files and path not in moving}
        if self.away:
            moving, gone = (
                {path for path in some if self._is_seen(path)} for some in (moving, gone)
            )
        if not gone and all(self._done.get(path) == stamp for path, stamp in whole.items()):
            self._since = None
            return None

        now = self._clock()
        self._since = now if self._since is None else self._since
        if moving and now - self._since < PATIENCE:
            return None
        readable = (path for path, stamp in whole.items() if self._failed.get(path) != stamp)
        return Scope(
            candidates=[Candidate(path=Path(path), stored=path) for path in sorted(readable)],
            roots=self.roots,
            proposals={},
            sources={},
            held=moving,
            away=[*self.away],
        )

    def count_of_new(self, scope: Scope) -> int:
        """The number of images that the index was not updated with before."""
        stored = (candidate.stored for candidate in scope.candidates)
        return sum(self._done.get(path) != self._last[path] for path in stored)

    def finish(self, scope: Scope, failures: Iterable[Failure]) -> None:
        """Records that the index was updated with `scope`, and which of its files failed."""
        kept = {
            path: stamp
            for path, stamp in self._done.items()
            if path in scope.held or is_under(path, scope.away)
        }
        whole = {path: stamp for path, stamp in self._last.items() if path not in scope.held}
        self._done = {**kept, **whole}
        failed = {failure.item for failure in failures}
        self._failed = {
            path: stamp
            for path, stamp in self._done.items()
            if path in failed or self._failed.get(path) == stamp
        }
        self._since = None

    def _is_seen(self, path: str) -> bool:
        return not is_under(path, self.away)

    def _emptied(self, look: Look) -> dict[str, str]:
        """The roots that had images and have none any more."""
        return {
            root: "no image is there any more"
            for root in self.roots
            if root not in look.away
            and any(is_under(path, [root]) for path in self._done)
            and not any(is_under(path, [root]) for path in look.files)
        }


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp]:
    """Size and modification time of those of the files that exist."""
    found = {}
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found[path] = status.st_size, status.st_mtime_ns
    return found
