"""Fetches proposals and previews into the cache: list an archive, draw, read, pad, shrink, write.

A mission collects what all runs have fetched into it. The unit is the proposal. One that is fetched
again, from whichever source, is replaced as a whole. One that its source no longer has is dropped.
All others stay. An image is not read again if its file, settings and source have not changed.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from paperclip_cli.archives.base import Archive, RemoteArchive, read_image
from paperclip_cli.archives.placing import place_preview
from paperclip_cli.archives.sampling import Choice, choose
from paperclip_cli.config import FetchConfig
from paperclip_cli.errors import BadItem, PaperclipError, Unreachable, UsageError
from paperclip_cli.files import flush_folders, lock, replace_file
from paperclip_cli.images.pictures import encode_jpeg, make_canvas, quiet_decoders
from paperclip_cli.previews.collection import (
    ORIGINALS,
    Holdings,
    is_untidy,
    read_holdings,
    tidy,
    write_holdings,
)
from paperclip_cli.previews.fetch_log import Entry, appending, read_ledger, rewrite_ledger
from paperclip_cli.previews.plan import Job, Plan
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import Key, Preview
from paperclip_cli.report import Failure, Report
from paperclip_cli.sky.wcs import frame_region, on_canvas
from paperclip_cli.threads import in_threads, processors
from paperclip_cli.wording import counted, noun
from paperclip_cli.workspace import Manifest, Workspace, settings

STAGE = "fetch"

# For estimates: bytes of a preview of total, and of the copy that is kept; bytes per second of
# four connections.
USUAL_BYTES, KEPT_BYTES, USUAL_SPEED = 3_100_000, 80_000, 8_000_000

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


def run(config: FetchConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Fetches what `config` selects.

    Raises:
        PaperclipError: the source cannot be used, or has nothing that is selected.
    """
    progress = progress or SilentProgress()
    archive = _open(config, workspace, progress)
    choice = choose(archive, config)
    if config.shard is None:
        _refuse_nothing(archive, choice)
    plan = Plan(archive, choice, config, workspace.previews(archive.mission))
    if config.dry_run:
        held = _held(plan, workspace)
        return _report(plan, held, read=0, to_read=plan.todo(held))

    with _writing(plan), quiet_decoders():
        held = _held(plan, workspace)
        todo = plan.todo(held)
        if todo:
            held = _make(plan, todo, held, progress)
        return _finish(plan, todo, held, workspace)


def _finish(plan: Plan, todo: Sequence[Job], held: Holdings, workspace: Workspace) -> Report:
    """Writes the records. Shards do so in turn, each including what others have fetched so far."""
    mission = plan.archive.mission
    with lock(plan.folder / "records", wait=True):
        if plan.config.shard is not None:
            held = _held(plan, workspace)
        after = _after(plan, held)
        changed = write_holdings(workspace, mission, after, _manifest(plan))
        if plan.config.shard is None and (todo or changed or is_untidy(plan.folder)):
            tidy(workspace, mission, after)
    return replace(_report(plan, after, read=len(todo)), unchanged=not todo and not changed)


@contextmanager
def _writing(plan: Plan) -> Iterator[None]:
    """Locks the mission, or shares it with the other shards, which fetch other proposals."""
    if plan.config.shard is None:
        with lock(plan.folder):
            yield
        return
    with lock(plan.folder, shared=True), lock(plan.folder / plan.ledger):
        yield


def _open(config: FetchConfig, workspace: Workspace, progress: Progress) -> Archive:
    if config.source is not None:
        from paperclip_cli.archives.folder import open_folder

        catalog = Path(config.catalog) if config.catalog else None
        return open_folder(config.source, config.resolved_mission, catalog)

    if config.simulate is not None:
        from paperclip_cli.simulation.archive import simulated_sky

        archive = simulated_sky(config.simulate, config.seed)
        if config.resolved_mission != archive.mission:
            raise UsageError(
                f"a simulated sky always has mission {archive.mission!r}", "leave out --mission"
            )
        return archive

    from paperclip_cli.archives.mast.open import open_mast

    return open_mast(config, workspace, progress)


def _refuse_nothing(archive: Archive, choice: Choice) -> None:
    if not choice.wanted and choice.failed:
        key, reason = next(iter(choice.failed.items()))
        raise PaperclipError(
            f"{archive.identity} could not list {key}: {reason}", "run the same command again later"
        )
    if not choice.considered:
        raise PaperclipError(
            f"nothing in {archive.identity} is selected",
            "an image must meet all conditions (--proposal, --cycle, --instrument, ...); "
            "--dry-run counts what is selected",
        )
    if not choice.wanted:
        skipped = ", ".join(counted(count, reason) for reason, count in choice.excluded.items())
        raise PaperclipError(
            f"nothing selected in {archive.identity} has both an abstract and an image",
            f"skipped {skipped}",
        )


def _held(plan: Plan, workspace: Workspace) -> Holdings:
    """The holdings of earlier runs. With --force, damaged ones are skipped."""
    return read_holdings(workspace, plan.archive.mission, skip_damaged=plan.config.force)


def _make(plan: Plan, todo: Sequence[Job], held: Holdings, progress: Progress) -> Holdings:
    """Makes the previews of `todo`, and logs each in the ledger as soon as it is written."""
    so_far = held.ledger if plan.config.shard is None else read_ledger(plan.folder, plan.ledger)
    rewrite_ledger(plan.folder, so_far.values(), plan.ledger)
    ledger, tally = dict(held.ledger), _Tally(todo)
    if isinstance(plan.archive, RemoteArchive):
        workers, on_stop = plan.config.workers, plan.archive.stop
    else:  # no waiting for a network: more threads than processors would only slow each other down
        workers, on_stop = min(plan.config.workers, processors()), _nothing

    with (
        progress.task(STAGE, len(todo), unit="images") as task,
        appending(plan.folder, plan.ledger) as append,
        closing(in_threads(lambda job: _make_one(plan, job), todo, workers, on_stop)) as results,
    ):
        for entry, transferred in results:
            append(entry)
            ledger[entry.place] = entry
            task.advance(1, **tally.count(entry, transferred))

    _flush_names(plan.folder, [ledger[job.place] for job in todo])
    return replace(held, ledger=ledger)


def _flush_names(folder: Path, entries: Iterable[Entry]) -> None:
    """Flushes the names of new files to disk before the records refer to them.

    All are flushed together, because flushing each alone would double the time.
    """
    files = [folder / path for entry in entries for path in entry.files]
    flush_folders([*(path.parent for path in files), *(path.parent.parent for path in files)])


def _nothing() -> None:
    return None


class _Tally:
    """Numbers that are shown beside the count of images."""

    def __init__(self, todo: Sequence[Job]) -> None:
        self._left = Counter(job.candidate.key for job in todo)
        self._of, self._bytes, self._failed = len(self._left), 0, 0

    def count(self, entry: Entry, transferred: int) -> dict[str, object]:
        self._left[entry.key] -= 1
        self._bytes += transferred
        self._failed += bool(entry.failure)
        done = self._of - len(+self._left)  # `+` drops proposals with nothing left to do
        shown: dict[str, object] = {"proposals": f"{done}/{self._of}"}
        if self._bytes:
            shown["MB"] = f"{self._bytes / 1e6:.1f}"
        return shown | ({"failed": self._failed} if self._failed else {})


def _make_one(plan: Plan, job: Job) -> tuple[Entry, int]:
    """Makes one preview. Returns its entry and the number of bytes transferred.

    Runs in a worker thread, and touches only the files of this job.
    """
    entry = Entry(
        mission=job.candidate.key.mission,
        proposal_id=job.candidate.key.proposal_id,
        name=job.candidate.name,
        source=plan.archive.identity,
        stamp=job.stamp,
    )
    try:
        reading = read_image(plan.archive, job.candidate, plan.config.keep_originals)
    except BadItem as error:
        return replace(entry, failure=str(error), may_pass=isinstance(error, Unreachable)), 0

    height, width = reading.pixels.shape[:2]
    canvas = make_canvas(reading.pixels, plan.config.size)
    data = encode_jpeg(canvas)
    replace_file(plan.folder / job.image, data, flush_parent=False)
    kept = _keep(plan, job, reading.original) if plan.config.keep_originals else None
    entry = replace(
        entry,
        image=job.image,
        sha256=hashlib.sha256(data).hexdigest(),
        side=canvas.shape[0],
        kept=kept,
    )

    if reading.wcs is not None:
        placed = on_canvas(reading.wcs, width, height, canvas.shape[0], plan.config.size)
        entry = replace(entry, wcs=placed, region=frame_region(reading.wcs, width, height))
    return entry, reading.transferred


def _keep(plan: Plan, job: Job, original: bytes | None) -> str:
    """Writes the copy of an original and returns its path, or "" if there is no original."""
    if original is None:
        return ""
    suffix = PurePosixPath(job.candidate.name).suffix.lower()
    suffix = suffix if _SUFFIX.fullmatch(suffix) else ".bin"
    path = PurePosixPath(ORIGINALS, job.image).with_suffix(suffix)
    replace_file(plan.folder / path, original, flush_parent=False)
    return str(path)


def _after(plan: Plan, held: Holdings) -> Holdings:
    """The holdings of the cache when all jobs are done."""
    wanted = {wanted.proposal.key: wanted.proposal for wanted in plan.choice.wanted}
    entries = [(job.candidate, held.ledger[job.place]) for job in plan.jobs()]
    previews = [
        Preview(
            mission=image.key.mission,
            proposal_id=image.key.proposal_id,
            image=entry.image,
            sha256=entry.sha256,
            side=entry.side,
            original=image.name,
            observation=placed.observation,
            wcs=placed.wcs,
        )
        for image, entry in entries
        if not entry.failure
        for placed in [place_preview(image.observation, entry.wcs, entry.region)]
    ]
    gone = _gone(plan, held) - wanted.keys()
    return held.after(wanted, previews, [entry for _, entry in entries], gone)


def _gone(plan: Plan, held: Holdings) -> set[Key]:
    """Proposals fetched from this archive that it no longer has, or that no longer qualify."""
    ours = {entry.key for entry in held.ledger.values() if entry.source == plan.archive.identity}
    listed = {proposal.key for proposal in plan.archive.proposals()}
    return (ours - listed) | (ours & plan.choice.considered)


def _manifest(plan: Plan) -> Manifest:
    # Settings that say nothing about the previews are not recorded.
    ignored = "workers force retry_failed verify dry_run rate timeout shard refresh".split()
    config = settings(plan.config, *ignored)
    return Manifest(stage=STAGE, config=config, extra={"excluded": _excluded(plan)})


def _excluded(plan: Plan) -> dict[str, int]:
    return dict(Counter(plan.archive.excluded) + Counter(plan.choice.excluded))


def _report(plan: Plan, held: Holdings, read: int, to_read: Sequence[Job] | None = None) -> Report:
    """Counts what was selected, with the failures of all selected images, of earlier runs too."""
    jobs, failures = plan.jobs(), _failures(plan, held)
    counts = {"proposals": len(plan.choice.wanted), "images": len(jobs)}
    notes = [*plan.archive.notes, *_astray(jobs, held)]
    if failures and not read:
        notes.append("these failures are from an earlier run; --retry-failed tries them again")
    if to_read is not None:
        counts["to read"] = len(to_read)
        notes += _forecast(plan, to_read)
    elif read:
        counts["read now"] = read
    return Report(
        stage=STAGE,
        counts=counts,
        excluded=_excluded(plan),
        failures=tuple(failures),
        notes=tuple(notes),
        output=plan.folder,
    )


def _astray(jobs: Sequence[Job], held: Holdings) -> Iterator[str]:
    """A note on the previews that lie elsewhere than the archive's table says, if there are any."""
    found = [
        job.candidate
        for job in jobs
        if (entry := held.ledger.get(job.place))
        and place_preview(job.candidate.observation, entry.wcs, entry.region).is_astray
    ]
    if found:
        yield (
            f"the coordinates inside {counted(len(found), 'previews')} disagree with the archive's "
            f"table, which counts (first: {found[0].key} {found[0].name})"
        )


def _failures(plan: Plan, held: Holdings) -> list[Failure]:
    unlisted = [Failure(str(key), reason) for key, reason in plan.choice.failed.items()]
    unread = [
        Failure(f"{entry.key} {entry.name}", entry.failure)
        for job in plan.jobs()
        if (entry := held.ledger.get(job.place)) and entry.stamp == job.stamp and entry.failure
    ]
    lost = [Failure(str(key), "its records are lost; fetch it again") for key in sorted(held.lost)]
    return [*unlisted, *unread, *lost]


def _forecast(plan: Plan, todo: Sequence[Job]) -> list[str]:
    """The notes of a dry run: bytes, time and the first products that would be downloaded."""
    if not isinstance(plan.archive, RemoteArchive):
        return ["this was a dry run: nothing was written"]

    config, size = plan.config, sum(job.candidate.size or USUAL_BYTES for job in todo)
    seconds = max(size / USUAL_SPEED, len(todo) / config.rate if config.rate else 0)
    speed = f"at {USUAL_SPEED / 1e6:.0f} MB/s"
    if config.rate:
        speed += f" and {config.rate:g} {noun(config.rate, 'requests')} per second"
    minutes = max(1, round(seconds / 60))
    estimate = (
        f"about {size / 1e6:,.0f} MB to download, {minutes:,} min {speed}; "
        f"about {len(todo) * KEPT_BYTES / 1e6:,.0f} MB to keep"
    )
    return [
        estimate,
        *(f"{job.candidate.key} {job.candidate.name}" for job in todo[:10]),
        "this was a dry run: no image was downloaded",
    ]
