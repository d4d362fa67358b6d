"""Fetches a model, an index or a dataset from the Hugging Face Hub into the cache, by name."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.config import PullConfig
from paperclip_cli.config.choices import Artefact, values_of
from paperclip_cli.dataset.pairs import check_columns
from paperclip_cli.dataset.split import SPLITS
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import lock, make_folder, replace_folder
from paperclip_cli.indexes import bundle
from paperclip_cli.indexes.bundle_import import Terms, import_bundle
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Report
from paperclip_cli.services.hub import (
    README,
    Kind,
    Snapshot,
    endpoint,
    find,
    is_commit,
    is_name,
    refuse_large,
    split_name,
    texts_among,
    told,
)
from paperclip_cli.services.hub_files import download, remaining
from paperclip_cli.towers.folder import ModelFolder, fingerprint
from paperclip_cli.towers.hub_model import model_names
from paperclip_cli.towers.numpy_text_tower import checked_embeddings
from paperclip_cli.wording import in_bytes
from paperclip_cli.workspace import (
    PULLED,
    Manifest,
    Workspace,
    checked_name,
    faults,
    pulled_from,
    read_manifest,
    stamps_of,
    write_manifest,
)

STAGE = "pull"
_KINDS: dict[str | None, tuple[Kind, ...]] = {
    None: ("model", "dataset"),
    "model": ("model",),
    "dataset": ("dataset",),
    "index": ("dataset",),
}
_DATA = re.compile(rf"data/(?:{'|'.join(SPLITS)})-[A-Za-z0-9._-]+\.parquet")


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What would be downloaded: `size` bytes in all, of which `left` are not here yet."""

    repository: str
    commit: str
    kind: str
    licence: str
    size: int
    left: int

    def __str__(self) -> str:
        here = f", {in_bytes(self.left)} left to download" if self.left < self.size else ""
        return (
            f"{self.repository}: {self.kind}, licence {self.licence}, {in_bytes(self.size)}{here}, "
            f"commit {self.commit}"
        )


def run(
    config: PullConfig,
    workspace: Workspace,
    progress: Progress | None = None,
    agree: Callable[[Offer], bool] = lambda _: True,
) -> Report:
    """Fetches an artefact at one commit, or reports that it is there.

    A download that broke off continues. Nothing of the artefact appears before all of it is here
    and has been checked. `agree` is asked before the download.

    Raises:
        UsageError: no such name of a repository.
        PaperclipError: there is nothing to use, the name is taken, or the Hub refuses.
    """
    progress = progress or SilentProgress()
    repository, revision = _asked(config.repository)
    name = config.name or repository.rpartition("/")[2]
    checked_name(name, "model, dataset or index")
    report = _held(config, repository, revision, name, workspace) if is_commit(revision) else None
    if report and not config.force:
        return report
    if workspace.offline:
        raise PaperclipError(
            f"{config.repository} must be fetched from {endpoint()}, and --offline is set",
            "leave out --offline, or copy it from another machine: a model's folder serves as "
            "--model FOLDER, an index's file with `paperclip index --import FILE`",
        )

    snapshot = find(repository, revision, _KINDS[config.kind])
    kind, names = _recognised(snapshot, config.kind)
    folder = _folder(kind, name, workspace)
    _refuse_taken(folder, repository, config)
    partial = workspace.root / "hub" / f".{repository.replace('/', '--')}@{snapshot.commit}.part"
    report = _unchanged(folder, kind, repository, snapshot.commit)
    if report and not config.force:
        _drop(partial)
        return report

    offer = _offer(snapshot, kind, names, partial)
    progress.note(str(offer))
    counts = {"files": len(names), "bytes": offer.size}
    if config.dry_run:
        return Report(stage=STAGE, counts=counts, notes=("nothing was downloaded",))
    _check_room(offer, workspace)
    if not agree(offer):
        raise PaperclipError(f"{repository} was not downloaded", "--yes downloads without asking")

    origin = {"repository": repository, "revision": revision, "commit": snapshot.commit}
    with lock(folder), _kept(partial):
        _fetch(snapshot, names, partial, offer, progress)
        _TAKE_IN[kind](partial, folder, names, {**origin, "licence": snapshot.licence})
        shutil.rmtree(partial)
    if kind != "dataset":  # remembered now, so that the first query is as fast as any other
        model = folder if kind == "model" else folder / "model"
        fingerprint(ModelFolder.open(model), workspace)
    return Report(stage=STAGE, counts=counts, notes=(_use(kind, name),), output=folder)


def _asked(given: str) -> tuple[str, str | None]:
    if not is_name(given):
        raise UsageError(
            f"{given!r} is not the name of a repository on the Hub",
            "give org/name, or org/name@revision",
        )
    return split_name(given)


def _folder(kind: str, name: str, workspace: Workspace) -> Path:
    places = {"model": workspace.model, "dataset": workspace.dataset, "index": workspace.index}
    return places[kind](name)


def _use(kind: str, name: str) -> str:
    return {
        "model": f"use it: `paperclip index --model {name}`",
        "dataset": f"use it: `paperclip train --dataset {name}`",
        "index": f'use it: `paperclip query "galaxy mergers" --index {name}`',
    }[kind]


# What is there


def _origin(folder: Path) -> dict:
    return pulled_from(read_manifest(folder, may_be_damaged=True))


def _held(
    config: PullConfig, repository: str, commit: str | None, name: str, workspace: Workspace
) -> Report | None:
    """The report on an artefact that is here at the commit that is asked for, if it is."""
    kinds = values_of(Artefact) if config.kind is None else (config.kind,)
    found = (_unchanged(_folder(kind, name, workspace), kind, repository, commit) for kind in kinds)
    return next(filter(None, found), None)


def _unchanged(folder: Path, kind: str, repository: str, commit: str | None) -> Report | None:
    origin = _origin(folder)
    if (origin.get("repository"), origin.get("commit")) != (repository, commit):
        return None
    manifest = read_manifest(folder)
    if manifest is None or any(faults(folder, manifest)):
        return None  # it is fetched again
    return Report(
        stage=STAGE,
        counts=manifest.counts,
        notes=(f"{repository} is here at commit {commit}", _use(kind, folder.name)),
        output=folder,
        unchanged=True,
    )


def _refuse_taken(folder: Path, repository: str, config: PullConfig) -> None:
    """Refuses to replace what somebody made, or what came from another repository."""
    if config.force or not folder.exists() or not any(folder.iterdir()):
        return
    origin = _origin(folder).get("repository")
    if origin != repository:
        whose = f"it is from {origin}" if origin else "it was made here"
        raise PaperclipError(
            f"{folder.parent.name} has {folder.name!r} already: {whose}",
            "give another name with --name NAME, or replace it with --force",
        )


# What is offered


def _recognised(snapshot: Snapshot, wanted: str | None) -> tuple[str, list[str]]:
    """Whether a repository is a model, an index or a dataset, and the files that are fetched.

    Names are compared with those that are known: a name that the Hub lists is no path.
    """
    if snapshot.kind == "model":
        return "model", model_names(snapshot)
    if wanted != "dataset" and bundle.FILE in snapshot.files:
        refuse_large(snapshot, bundle.FILE, bundle.MAX_BYTES)
        return "index", [bundle.FILE]
    data = sorted(name for name in snapshot.files if _DATA.fullmatch(name))
    if wanted != "index" and data:
        return "dataset", data + texts_among(snapshot, (README,))
    what = "no index" if wanted == "index" else "neither an index nor a dataset"
    raise PaperclipError(
        f"{snapshot.repository} on the Hub holds {what} of paperclip",
        f"`paperclip train --dataset {snapshot.repository}` reads datasets that others made; "
        "models are in model repositories",
    )


def _offer(snapshot: Snapshot, kind: str, names: Sequence[str], partial: Path) -> Offer:
    return Offer(
        repository=snapshot.repository,
        commit=snapshot.commit,
        kind=kind,
        licence=snapshot.licence,
        size=sum(snapshot.files[name].size for name in names),
        left=remaining(snapshot, names, partial),
    )


def _check_room(offer: Offer, workspace: Workspace) -> None:
    make_folder(workspace.root)
    free = shutil.disk_usage(workspace.root).free
    needed = offer.left + (offer.size if offer.kind == "index" else 0)  # a bundle is unpacked
    if needed > free:
        raise PaperclipError(
            f"{offer.repository} needs {in_bytes(needed)}, and the disk of {workspace.root} "
            f"has {in_bytes(free)}",
            "make room, or give another --cache-dir",
        )


# Download and use


@contextmanager
def _kept(partial: Path) -> Iterator[None]:
    """Locks the place where a download is kept until it is complete, and drops older ones."""
    start = partial.name.partition("@")[0]
    with lock(partial.with_name(start.removeprefix("."))):
        for other in partial.parent.glob(f"{start}@*.part"):
            if other != partial:
                shutil.rmtree(other)
        make_folder(partial)
        yield


def _drop(partial: Path) -> None:
    """Removes what a kill between the last two steps has left of a download."""
    if partial.exists():
        with _kept(partial):
            shutil.rmtree(partial)


def _fetch(
    snapshot: Snapshot, names: Sequence[str], partial: Path, offer: Offer, progress: Progress
) -> None:
    missing = f"the {snapshot.kind} is gone from the Hub"
    with (
        progress.task(STAGE, offer.left, unit="bytes") as task,
        told(snapshot.repository, snapshot.commit, missing),
    ):
        download(snapshot, names, partial, task.advance)


def _take_in_model(partial: Path, folder: Path, names: Sequence[str], origin: dict) -> None:
    try:
        checked_embeddings(ModelFolder.open(partial, origin["repository"]), ["galaxy"])
    except (PaperclipError, ValueError, KeyError, TypeError, IndexError) as error:
        shutil.rmtree(partial)
        raise PaperclipError(
            f"{origin['repository']} on the Hub is no CLIP model that works here "
            f"({str(error)[:200]})",
            "tell the owner of the repository, or choose another model",
        ) from error
    _take_in(partial, folder, names, origin)


def _take_in_dataset(partial: Path, folder: Path, names: Sequence[str], origin: dict) -> None:
    try:
        for name in names:
            if name.endswith(".parquet"):
                check_columns(partial / name)
    except PaperclipError:
        shutil.rmtree(partial)
        raise
    _take_in(partial, folder, names, origin)


def _take_in(partial: Path, folder: Path, names: Sequence[str], origin: dict) -> None:
    with replace_folder(folder) as new:
        for name in names:
            (new / name).parent.mkdir(exist_ok=True)
            _link(partial / name, new / name)
        manifest = Manifest(
            stage=STAGE,
            config={"repository": origin["repository"], "revision": origin["revision"]},
            inputs={"commit": origin["commit"]},
            counts={"files": len(names), "bytes": sum((new / one).stat().st_size for one in names)},
            extra={PULLED: origin},
            files=stamps_of(new, names),
        )
        write_manifest(new, manifest)


def _link(source: Path, target: Path) -> None:
    """Puts a file at a second place: without a copy where the disk allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _take_in_index(partial: Path, folder: Path, names: Sequence[str], origin: dict) -> None:
    make_folder(folder.parent)
    prefix = f".{folder.name}.import."
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as scratch:
        try:
            import_bundle(
                partial / bundle.FILE,
                f"{bundle.FILE} of {origin['repository']}",
                Path(scratch),
                folder,
                Terms(SPLITS, extra={PULLED: origin}),
            )
        except PaperclipError:
            shutil.rmtree(partial)  # its checksum is the Hub's: another download is the same
            raise


_TAKE_IN: dict[str, Callable[[Path, Path, Sequence[str], dict], None]] = {
    "model": _take_in_model,
    "dataset": _take_in_dataset,
    "index": _take_in_index,
}
