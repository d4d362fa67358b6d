"""Removes what can be made again or is no longer needed: `cache prune`.

That is the checkpoints of finished trainings, the decoded images of datasets, old generations of
indexes, and what killed processes have left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from paperclip_cli.config import CachePruneConfig
from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import lock
from paperclip_cli.indexes.update import other_generations, sweep
from paperclip_cli.report import Report
from paperclip_cli.upkeep.inventory import FINISHED, Kept, inventory, size_of
from paperclip_cli.upkeep.places import folders
from paperclip_cli.upkeep.removal import leftovers, remove, sweep_leftover
from paperclip_cli.wording import counted, in_bytes
from paperclip_cli.workspace import Workspace

STAGE = "cache prune"
_TRAININGS = "finished trainings"
_DECODED = "datasets of decoded images"
_GENERATIONS = "indexes with old generations"
_LEFT = "leftovers"
# What the loss of each means.
_MEANING = {
    _TRAININGS: "their checkpoints; --resume with more --steps is then no longer possible",
    _DECODED: "the next training makes them again",
    _GENERATIONS: "files of interrupted updates",
    _LEFT: "unfinished folders of processes that were killed",
}


@dataclass(frozen=True)
class Waste:
    """Something to remove, of `size` bytes. `drop` returns whether it did: not if it is in use."""

    what: str
    name: str
    size: int
    drop: Callable[[], bool]


def run(
    config: CachePruneConfig, workspace: Workspace, agree: Callable[[str], bool] = lambda _: True
) -> Report:
    """Removes waste, or only shows it. What another process uses stays. `agree` is asked first.

    Raises:
        PaperclipError: it is not to be removed.
    """
    found = list(_waste(workspace))
    if not found:
        return Report(stage=STAGE, unchanged=True)
    if config.dry_run:
        return Report(stage=STAGE, notes=(*_lines(found), "nothing was removed"))
    if not agree("\n".join(_lines(found))):
        raise PaperclipError("nothing was removed", "--yes removes without asking")

    gone: list[Waste] = []
    busy: list[Waste] = []
    for one in found:
        (gone if one.drop() else busy).append(one)
    return Report(
        stage=STAGE,
        counts=dict(Counter(one.what for one in gone)),
        excluded=dict(Counter(f"{one.what}: in use by another process" for one in busy)),
        notes=(f"{in_bytes(sum(one.size for one in gone))} freed",) if gone else (),
        unchanged=not gone,
    )


def _lines(found: Sequence[Waste]) -> Iterator[str]:
    """What would go, a line a kind: `2 finished trainings (1.2 GB): a, b`."""
    for what, meaning in _MEANING.items():
        some = [one for one in found if one.what == what]
        if some:
            size = in_bytes(sum(one.size for one in some))
            names = ", ".join(one.name for one in some)
            yield f"{counted(len(some), what)}, {size} ({meaning}): {names}"


def _waste(workspace: Workspace) -> Iterator[Waste]:
    for kept in inventory(workspace):
        if kept.kind == "training" and kept.state == FINISHED:
            yield Waste(_TRAININGS, kept.name, kept.size, partial(_removed, kept, workspace))
        elif kept.kind == "decoded":
            name = ", ".join(kept.used_by).removeprefix("trainings with ") or kept.name
            yield Waste(_DECODED, name, kept.size, partial(_removed, kept, workspace))
    for _, index in folders(workspace, "index"):
        old = other_generations(index)
        if old:
            size = sum(map(size_of, old))
            yield Waste(_GENERATIONS, index.name, size, partial(_swept, index))
    for path in leftovers(workspace):
        yield Waste(_LEFT, path.name, size_of(path), partial(sweep_leftover, path))


def _removed(kept: Kept, workspace: Workspace) -> bool:
    try:
        remove(kept, workspace)
    except PaperclipError:
        return False
    return True


def _swept(index: Path) -> bool:
    try:
        with lock(index):
            sweep(index)
    except PaperclipError:
        return False
    return True
