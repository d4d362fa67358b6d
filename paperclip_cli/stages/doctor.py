"""Checks everything that a command may stumble over, and advises on it. Changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from paperclip_cli.config import DoctorConfig
from paperclip_cli.dataset.pairs import available_splits, count_rows
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.indexes.described import THUMBNAILS
from paperclip_cli.indexes.folder import IndexFolder, folder_sha256, open_index
from paperclip_cli.indexes.hnsw import graph_state
from paperclip_cli.indexes.journal import is_unfinished
from paperclip_cli.indexes.model import model_of
from paperclip_cli.install import extra_line
from paperclip_cli.malloc import physical_memory
from paperclip_cli.previews.records import read_image, read_previews, read_proposals, stored_path
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import Preview
from paperclip_cli.report import Check, State
from paperclip_cli.services.environment import backends, network, settings, versions
from paperclip_cli.summaries.files import read_summaries
from paperclip_cli.threads import in_threads, processors
from paperclip_cli.towers import capability
from paperclip_cli.towers.folder import resolve
from paperclip_cli.wording import counted, in_bytes
from paperclip_cli.workspace import Workspace, faults, read_manifest, remedy, whole_manifest

STAGE = "doctor"
_LITTLE_SPACE = 5e9  # bytes
_KINDS = ("proposals", "previews", "summaries", "datasets", "models", "indexes", "training", "hub")
_MADE_AGAIN = {
    "datasets-converted": "datasets of others, which are converted again where they are missing",
    "decoded": "images for trainings, which make them again where they are missing",
}


def run(
    config: DoctorConfig, workspace: Workspace, progress: Progress | None = None
) -> Iterator[Check]:
    """Checks versions, devices, settings, cache, network, backends, and the health of the cache.

    Each check is yielded as soon as it is made.
    """
    yield from versions()
    yield from _devices()
    yield from settings()
    yield from _cache(workspace)
    yield from network(workspace.offline)
    yield from backends()
    yield from _health(config, workspace, progress or SilentProgress())


def _devices() -> Iterator[Check]:
    from paperclip_cli.towers.local_devices import local_devices

    yield Check(
        topic="devices",
        name="machine",
        found=f"{counted(processors(), 'cores')}, {physical_memory() / 1e9:.0f} GB of memory",
    )
    try:
        devices = local_devices()
    except PaperclipError as error:
        yield Check.of_error("devices", "jax", error)
        return
    found = f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"
    if devices[0].platform == "cpu" and Path("/proc/driver/nvidia/version").exists():
        yield Check(
            topic="devices",
            name="jax",
            found=f"{found}, although there is an NVIDIA driver",
            state=State.NOTE,
            advice=extra_line("cuda"),
        )
    elif old := capability.lacks(devices):
        yield Check(
            topic="devices",
            name="jax",
            found=f"{found}, training in {old}",
            state=State.NOTE,
            advice="trainings take longer and more memory than on a newer GPU",
        )
    else:
        yield Check(topic="devices", name="jax", found=found)


def _cache(workspace: Workspace) -> Iterator[Check]:
    root = workspace.root
    if not root.exists():
        yield Check(
            topic="cache",
            name="folder",
            found=f"{root} does not exist yet",
            state=State.NOTE,
            advice="paperclip demo, or paperclip fetch --help",
        )
        return
    can_write = os.access(root, os.W_OK)
    yield Check(
        topic="cache",
        name="folder",
        found=f"{root}{'' if can_write else ' is not writable'}",
        state=State.OK if can_write else State.NOTE,
        advice="" if can_write else "queries work; for anything else use another --cache-dir",
    )
    free = shutil.disk_usage(root).free
    is_little = free < _LITTLE_SPACE
    yield Check(
        topic="cache",
        name="free space",
        found=in_bytes(free),
        state=State.NOTE if is_little else State.OK,
        advice="all of Hubble needs 3 GB, a training 2 GB" if is_little else "",
    )
    for kind in _KINDS:
        if (root / kind).is_dir():
            names = ", ".join(workspace.names(kind)) or "nothing finished"
            yield Check(topic="cache", name=kind, found=f"{names} ({_size_of(root / kind)})")
    for kind, what in _MADE_AGAIN.items():
        if (root / kind).is_dir():
            yield Check(topic="cache", name=kind, found=f"{what} ({_size_of(root / kind)})")


def _health(config: DoctorConfig, workspace: Workspace, progress: Progress) -> Iterator[Check]:
    for name in workspace.names("previews"):
        yield from _looked_at(
            f"previews {name}", partial(_previews, name, config, workspace, progress)
        )
    for name in workspace.names("summaries"):
        yield from _looked_at(f"summaries {name}", partial(_summaries, name, config, workspace))
    for name in workspace.names("datasets"):
        yield from _looked_at(f"dataset {name}", partial(_dataset, name, config, workspace))
    for name in workspace.names("models"):
        yield from _looked_at(f"model {name}", partial(_model, name, config, workspace))

    finished = workspace.names("models")
    for folder in sorted((workspace.root / "training").glob("[!.]*")):
        if folder.name not in finished:
            yield _note(
                f"training {folder.name}",
                "not finished",
                "run the same `paperclip train` again to continue it",
            )

    for name in workspace.names("indexes"):
        yield from _looked_at(f"index {name}", partial(_index, name, config, workspace))


def _looked_at(name: str, look) -> Iterator[Check]:  # type: ignore[no-untyped-def]
    """The checks of one artefact.

    If its own reader cannot read it, that is a problem, with the reader's hint as advice.
    """
    try:
        yield from look()
    except PaperclipError as error:
        yield _problem(name, error.message, error.hint or "")
    except (OSError, ValueError) as error:
        yield _problem(name, str(error).partition("\n")[0], "create it again with --force")


def _previews(
    name: str, config: DoctorConfig, workspace: Workspace, progress: Progress
) -> Iterator[Check]:
    read_proposals(workspace, [name])
    previews = read_previews(workspace, [name])
    total = counted(len(previews), "images")
    if config.verify:
        yield from _faults(f"previews {name}", workspace.proposals(name))
        yield from _faults(f"previews {name}", workspace.previews(name))
    else:
        yield _sound(f"previews {name}", total)
        return

    def fault(preview: Preview) -> str | None:
        try:
            read_image(workspace, preview)
        except BadItem as error:
            return f"{preview.image}: {error}"
        return None

    with (
        progress.task(STAGE, len(previews), "images") as task,
        closing(in_threads(fault, previews, 4)) as results,
    ):
        faults = []
        for found in results:
            faults += [found] if found else []
            task.advance()
    if faults:
        yield _problem(
            f"previews {name}",
            f"{len(faults):,} of {total} damaged, for example {faults[0]}",
            f"paperclip fetch --mission {name} --verify",
        )
    else:
        yield _sound(f"previews {name}", f"{total}, all intact")


def _faults(name: str, folder: Path) -> Iterator[Check]:
    """The files that differ from their manifest. Every file is read completely."""
    manifest = read_manifest(folder)
    for fault in faults(folder, manifest, verify=True) if manifest else ():
        yield _problem(name, f"{folder.name}/{fault}", remedy(folder, manifest))


def _summaries(name: str, config: DoctorConfig, workspace: Workspace) -> Iterator[Check]:
    total = counted(len(read_summaries(workspace, name)), "summaries")
    yield _sound(f"summaries {name}", total)
    if config.verify:
        yield from _faults(f"summaries {name}", workspace.summaries(name))


def _dataset(name: str, config: DoctorConfig, workspace: Workspace) -> Iterator[Check]:
    folder = workspace.dataset(name)
    whole_manifest(folder, ("data/",))
    if config.verify:
        yield from _faults(f"dataset {name}", folder)
    splits = [f"{count_rows(folder, split):,} {split}" for split in available_splits(folder)]
    yield _sound(f"dataset {name}", ", ".join(splits))


def _model(name: str, config: DoctorConfig, workspace: Workspace) -> Iterator[Check]:
    model = resolve(name, workspace)
    if config.verify:
        yield from _faults(f"model {name}", model.path)
    size, view = in_bytes(model.weight_bytes), model.view.size
    found = f"{size}, {view} pixels, {counted(model.config.projection_dim, 'dimensions')}"
    yield _sound(f"model {name}", found)


def _index(name: str, config: DoctorConfig, workspace: Workspace) -> Iterator[Check]:
    index = open_index(workspace.index(name))
    images = counted(index.manifest.counts["images"], "images")
    found = f"{images}, model {index.manifest.config['model']}"
    yield _sound(f"index {name}", found)

    rebuild = f"paperclip index --index {name}"
    if is_unfinished(index.folder):
        yield _note(f"index {name}", "an update was interrupted", f"{rebuild} continues it")

    known = {image.entry.path for image in index.observations.images()}
    if any(path.startswith("previews/") for path in known):
        fetched = read_previews(workspace, workspace.names("previews"))
        new = sum(stored_path(preview) not in known for preview in fetched)
        if new:
            yield _note(f"index {name}", counted(new, "fetched images are not in it"), rebuild)

    model_of(index, workspace, afresh=config.verify)
    if config.verify:
        yield from _verified(index, rebuild)


def _verified(index: IndexFolder, rebuild: str) -> Iterator[Check]:
    """Checks that vectors have length 1, and that the database and every file are intact."""
    altered = list(faults(index.folder, index.manifest, verify=True))
    pictures = index.manifest.extra.get(THUMBNAILS)
    if pictures is not None and folder_sha256(index.folder / THUMBNAILS) != pictures:
        altered.append(f"{THUMBNAILS} are damaged")
    for fault in altered:
        yield _problem(f"index {index.name}", fault, f"{rebuild} --force")

    if graph_state(index.folder, index.generation, index.vectors, verify=True) == "stale":
        yield _problem(f"index {index.name}", "the graph is damaged", f"{rebuild} --hnsw")

    lengths = [
        np.linalg.norm(index.vectors[start : start + 65_536], axis=1)
        for start in range(0, len(index.vectors), 65_536)
    ]
    bad = sum(int(np.count_nonzero(~(np.abs(part - 1) < 1e-3))) for part in lengths)
    if bad:
        yield _problem(
            f"index {index.name}", counted(bad, "vectors are damaged"), f"{rebuild} --force"
        )

    damage = index.observations.damage(len(index.vectors))
    if damage:
        found = f"{index.observations.path} is damaged: {damage}"
        yield _problem(f"index {index.name}", found, f"{rebuild} --force")
    if not bad and not damage and not altered:
        yield _sound(f"index {index.name}", "vectors and observations are intact")


def _sound(name: str, found: str) -> Check:
    return Check(topic="health", name=name, found=found)


def _note(name: str, found: str, advice: str) -> Check:
    return Check(topic="health", name=name, found=found, state=State.NOTE, advice=advice)


def _problem(name: str, found: str, advice: str) -> Check:
    return Check(topic="health", name=name, found=found, state=State.PROBLEM, advice=advice)


def _size_of(folder: Path) -> str:
    return in_bytes(sum(path.lstat().st_size for path in folder.rglob("*")))
