"""What `--dataset` names: a dataset of ours, or one of others, converted into the cache once.

    <cache>/datasets-converted/<name>-<digest>/data/<split>-00000.parquet

There is one for each source and choice of columns. It is made again when the source has changed:
the commit of a dataset on the Hub, or names, sizes and times of a folder's files. An unchanged one
is found without `datasets`, and offline without any request.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path

from paperclip_cli.config import PREVIEW_SIZE
from paperclip_cli.dataset import hub
from paperclip_cli.dataset.columns import Columns, LeftOut, Wanted, choose
from paperclip_cli.dataset.loading import loaded
from paperclip_cli.dataset.pairs import Pair, find_dataset, is_ours, read_keys, write_split
from paperclip_cli.dataset.row_images import Places, jpeg_of, name_of, parts
from paperclip_cli.dataset.sources import Folder, OnHub, Source, slug
from paperclip_cli.dataset.split import TRAIN
from paperclip_cli.errors import BadItem, MissingStage, PaperclipError, UsageError
from paperclip_cli.files import expanded, lock, recover, replace_folder
from paperclip_cli.images.pictures import quiet_decoders
from paperclip_cli.progress import Progress, Task
from paperclip_cli.report import Failure, Report
from paperclip_cli.threads import processors
from paperclip_cli.wording import counted
from paperclip_cli.workspace import (
    Manifest,
    Workspace,
    faults,
    is_name,
    read_manifest,
    stamps_of,
    write_manifest,
)

STAGE = "convert"
_FORMAT = 1  # increase it when a conversion gives something else
_A_FEW = 100  # images: if most of them cannot be read, the others are not tried
_ROWS_AT_A_TIME = 16  # per processor, with their images


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The folder of a dataset, and what its user should know of its conversion, if any."""

    folder: Path
    failures: tuple[Failure, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def onto(self, report: Report) -> Report:
        """The report of a stage that used the dataset, with that of its conversion."""
        return replace(
            report,
            failures=self.failures + report.failures,
            excluded={**self.excluded, **report.excluded},
            notes=self.notes + report.notes,
        )


def open_dataset(name: str, wanted: Wanted, workspace: Workspace, progress: Progress) -> Opened:
    """The dataset that `--dataset` names.

    That is a name in the cache, a folder that `build-dataset` made, another folder that
    `datasets.load_dataset` reads, or a name on the Hub. If columns are `wanted`, a dataset of ours
    is converted, too.

    Raises:
        MissingStage: there is no such dataset.
        PaperclipError: it cannot be read or downloaded.
    """
    if not name:  # it would be the folder in which the program was started
        raise UsageError("the name of the dataset is empty", "give the name or the folder of one")
    folder = recover(expanded(name))
    in_cache = workspace.dataset(name) if is_name(name) else None
    if in_cache is not None and in_cache.is_dir():
        folder = in_cache
    if folder.is_dir():
        if (folder == in_cache or is_ours(folder)) and not any(wanted):
            return Opened(folder=find_dataset(str(folder), workspace))
        return _import(Folder(folder.resolve()), wanted, workspace, progress)

    on_hub = hub.parse(name)
    if on_hub is not None:
        return _import(OnHub(on_hub), wanted, workspace, progress)
    raise MissingStage(
        f"no dataset {name!r}: none in the cache has that name, there is no such folder, and it "
        "is no name on the Hub (org/name)",
        "paperclip build-dataset",
    )


def origin_of(dataset: Path) -> dict[str, str]:
    """Where a converted dataset is from: its `name` and `revision`; empty for a dataset of ours.

    Of a folder only the name is given, because its path is private.
    """
    manifest = read_manifest(dataset)
    return manifest.extra["origin"] if manifest and manifest.stage == STAGE else {}


def _import(source: Source, wanted: Wanted, workspace: Workspace, progress: Progress) -> Opened:
    """The converted dataset, which is made unless it is there and the source has not changed."""
    config = {
        "source": source.identity,
        "image_column": wanted.image,
        "text_column": wanted.text,
        "group_column": wanted.group,
        "size": PREVIEW_SIZE,
        "format": _FORMAT,
    }
    digest = hashlib.sha256(json.dumps(config).encode()).hexdigest()[:12]
    folder = workspace.converted(f"{slug(source.name)}-{digest}")
    with lock(folder, wait=True):  # all processes of a training come here
        found = _whole(folder, config, progress)
        if found is not None and source.is_settled(found.inputs, workspace.offline):
            return _reopened(found, folder)
        inputs = source.inputs(workspace.offline)
        if found is not None and found.inputs == inputs:
            return _reopened(found, folder)

        places = source.places(inputs, workspace.offline)
        origin = {"name": source.name, "revision": source.revision(inputs)}
        plan = Manifest(stage=STAGE, config=config, inputs=inputs, extra={"origin": origin})
        with replace_folder(folder) as new:
            done, failures = _convert(source.name, wanted, places, new, plan, progress)
            write_manifest(new, done)
    return Opened(
        folder=folder, failures=failures, excluded=done.extra["excluded"], notes=_notes(done)
    )


def _whole(folder: Path, config: dict, progress: Progress) -> Manifest | None:
    """The manifest of what was converted before with this configuration, if it is all there."""
    found = read_manifest(folder, may_be_damaged=True)
    if found is None or found.config != config:
        return None
    damage = next(faults(folder, found), None)
    if damage is not None:
        progress.note(f"{folder} is damaged ({damage}) and is made again")
        return None
    return found


def _reopened(found: Manifest, folder: Path) -> Opened:
    notes = _notes(found)
    if found.extra["failed"]:
        notes += (f"{counted(found.extra['failed'], 'images')} could not be read",)
    return Opened(folder=folder, notes=notes)


def _notes(done: Manifest) -> tuple[str, ...]:
    origin = done.extra["origin"]
    columns = f"{origin['name']} at {origin['revision'][:12]}: {done.extra['columns']}"
    return (columns, *done.extra["notes"])


@dataclass(kw_only=True)
class _Tally:
    """What became of the rows so far."""

    name: str
    task: Task
    images: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, made: Pair | Failure | str) -> None:
        if isinstance(made, str):
            self.excluded[made] += 1
        else:
            self.images += 1
        if isinstance(made, Failure):
            self.failures.append(made)
            if self.images >= _A_FEW:
                self.check()
        failed = {"failed": len(self.failures)} if self.failures else {}
        self.task.advance(1, **failed)

    def check(self) -> None:
        """Refuses a dataset most of whose images cannot be read."""
        if 2 * len(self.failures) > self.images:
            first = self.failures[0]
            raise PaperclipError(
                f"{self.name}: {len(self.failures):,} of {counted(self.images, 'images')} cannot "
                f"be read, first {first.item}: {first.reason}",
                "images must be JPEG, PNG, TIFF or FITS, and lie inside the dataset",
            )


def _convert(
    name: str, wanted: Wanted, places: Places, new: Path, plan: Manifest, progress: Progress
) -> tuple[Manifest, tuple[Failure, ...]]:
    """Writes the splits into the folder `new`. Returns its manifest, and the images it lacks."""
    scratch = new / ".datasets"
    scratch.mkdir()
    with (
        quiet_decoders(),
        progress.task(f"convert {name}", unit="images") as task,
        loaded(name, places, scratch) as found,
    ):
        columns = choose(found.columns, wanted, slug(name.partition("@")[0]), name)
        tally = _Tally(name=name, task=task)
        counts = {
            f"{split} images": write_split(
                new, split, _pairs(split, rows(columns.used(found.columns)), columns, places, tally)
            )
            for split, rows in found.splits.items()
        }
        tally.check()
    shutil.rmtree(scratch)
    if not any(counts.values()):
        left = "; ".join(counted(number, reason) for reason, number in tally.excluded.items())
        raise PaperclipError(
            f"{name} has no pair of an image and a text ({left or 'it has no rows'})",
            "choose other columns with --image-column, --text-column and --group-column",
        )

    extra = {
        **plan.extra,
        "columns": columns.words(),
        "notes": _leaks(new, counts),
        "excluded": dict(tally.excluded),
        "failed": len(tally.failures),
    }
    names = [path.relative_to(new).as_posix() for path in sorted(new.rglob("*.parquet"))]
    counts = {what: number for what, number in counts.items() if number}
    done = replace(plan, counts=counts, extra=extra, files=stamps_of(new, names))
    return done, tuple(tally.failures)


def _pairs(
    split: str, rows: Iterator[dict], columns: Columns, places: Places, tally: _Tally
) -> Iterator[Pair]:
    """The pairs of a split in its order, with some rows in memory at a time."""
    workers = processors()
    numbered = zip(count(1), rows)

    def made(numbered_row: tuple[int, dict]) -> Pair | Failure | str:
        return _pair(split, *numbered_row, columns, places)

    with ThreadPoolExecutor(workers) as pool:
        while some := list(islice(numbered, _ROWS_AT_A_TIME * workers)):
            for result in pool.map(made, some):
                tally.add(result)
                if isinstance(result, Pair):
                    yield result


def _pair(
    split: str, number: int, row: dict, columns: Columns, places: Places
) -> Pair | Failure | str:
    """The pair of a row; or why its image cannot be read, or by which rule it is left out."""
    name = f"{split}-{number}"
    try:
        pair = columns.pair(row)
        data, path = parts(row.get(columns.image))
        name = name_of(path, places, name)
        return replace(pair, image=jpeg_of(data, path, places), path=name)
    except LeftOut as rule:
        return str(rule)
    except BadItem as error:
        return Failure(f"{split} row {number} ({name})", str(error))


def _leaks(folder: Path, counts: Mapping[str, int]) -> list[str]:
    """A note on groups that are in training and in another split, if there are any."""
    splits = [what.removesuffix(" images") for what, number in counts.items() if number]
    keys = {split: set(read_keys(folder, split)) for split in splits}
    training = keys.pop(TRAIN, set())
    held_out = set().union(*keys.values())
    both = len(training & held_out)
    return (
        [f"held-out groups that are in training, too: {both:,} of {len(held_out):,}"]
        if both
        else []
    )
