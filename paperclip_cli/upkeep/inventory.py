"""What is in the cache: the folders of every kind, their sizes, and what uses them.

A folder counts as soon as it is there, finished or not. Nothing is changed, and no large file is
read.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.config.choices import CacheKind, values_of
from paperclip_cli.dataset.decoded import datasets_of
from paperclip_cli.dataset.pairs import fingerprint
from paperclip_cli.engines.address import address_in
from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.database import Observations
from paperclip_cli.indexes.folder import generation_paths
from paperclip_cli.upkeep.places import FOLDERS, folders
from paperclip_cli.workspace import Manifest, Workspace, read_manifest

PLAN = "plan.json"  # of a training: its configuration and inputs
UNFINISHED, FINISHED, PARTIAL = "not finished", "finished", "partly downloaded"
# Kinds whose folders hold a manifest as soon as they are finished.
_WITH_MANIFEST = set(values_of(CacheKind)) - {"training", "hub", "decoded", "engine"}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A folder of the cache. `size` is in bytes, `made` a time (UTC), `state` empty if all is well.

    `used_by` names what needs it: `index default`.
    """

    kind: CacheKind
    name: str
    path: Path
    size: int
    made: str
    used_by: tuple[str, ...] = ()
    state: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def inventory(workspace: Workspace) -> Iterator[Kept]:
    """Everything in the cache, by kind and name."""
    users = _users(workspace)
    for kind, path in folders(workspace):
        yield _kept(kind, path, users)


def find(kind: CacheKind, name: str, workspace: Workspace) -> Kept:
    """One thing in the cache.

    The name is compared with those that are there, and never made into a path.

    Raises:
        PaperclipError: there is none of this name.
    """
    wanted = name.replace("/", "--") if kind == "hub" else name
    for found, path in folders(workspace, kind):
        if path.name == wanted:
            return _kept(found, path, _users(workspace))
    there = ", ".join(path.name for _, path in folders(workspace, kind))
    raise PaperclipError(
        f"there is no {kind} {name!r} in {workspace.root}",
        f"there are {there}" if there else "`paperclip cache ls` shows what there is",
    )


def size_of(path: Path) -> int:
    """The bytes in a file or a folder. Links inside it are not followed."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum(
        Path(place, name).lstat().st_size for place, _, names in os.walk(path) for name in names
    )


def is_finished_training(training: Path, model: Manifest | None) -> bool:
    """Whether `training` is what made the model: it has the same settings and inputs.

    A training of the same name that was begun later, or continues for more steps, is not.
    """
    plan = plan_of(training)
    return model is not None and plan is not None and plan == (model.config, model.inputs)


def plan_of(training: Path) -> tuple[dict, dict] | None:
    """Configuration and inputs of a training, or None where they cannot be read."""
    try:
        said = json.loads((training / PLAN).read_text(encoding="utf-8"))
        return dict(said["config"]), dict(said["inputs"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def manifest_of(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None for what this version cannot read."""
    try:
        return read_manifest(folder, may_be_damaged=True)
    except (PaperclipError, OSError):
        return None


def _kept(kind: CacheKind, path: Path, users: Mapping[tuple[str, str], list[str]]) -> Kept:
    manifest = manifest_of(path)
    made = manifest.created if manifest and manifest.created else _changed(path)
    return Kept(
        kind=kind,
        name=path.name,
        path=path,
        size=size_of(path),
        made=made,
        used_by=tuple(dict.fromkeys(users.get((kind, path.name), ()))),
        state=_state(kind, path, manifest),
    )


def _changed(path: Path) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(path.stat().st_mtime))


def _state(kind: CacheKind, path: Path, manifest: Manifest | None) -> str:
    if kind == "training":
        model = manifest_of(path.parents[1] / FOLDERS["model"] / path.name)
        return FINISHED if is_finished_training(path, model) else UNFINISHED
    if kind == "hub" and path.name.startswith("."):
        return PARTIAL
    return UNFINISHED if kind in _WITH_MANIFEST and manifest is None else ""


# What uses what


def _users(workspace: Workspace) -> Mapping[tuple[str, str], list[str]]:
    """(kind, name) of what is used -> what uses it."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for used, user in _uses(workspace):
        found[used].append(user)
    return found


def _uses(workspace: Workspace) -> Iterator[tuple[tuple[str, str], str]]:
    for _, path in folders(workspace, "dataset"):
        manifest = manifest_of(path)
        for source in manifest.inputs if manifest else ():
            yield from ((used, f"dataset {path.name}") for used in _sources(source))

    prints = dict(_fingerprints(workspace))
    for _, path in folders(workspace, "model"):
        manifest = manifest_of(path)
        if manifest is not None:
            plan = manifest.config, manifest.inputs
            yield from _of_plan(plan, f"model {path.name}", prints, workspace)
    for _, path in folders(workspace, "training"):
        plan_ = plan_of(path)
        if plan_ is not None and _state("training", path, None) == UNFINISHED:
            yield from _of_plan(plan_, f"training {path.name}", prints, workspace)

    for _, path in folders(workspace, "decoded"):
        for name in datasets_of(path):
            yield ("decoded", path.name), f"trainings with {Path(name).name}"
    for _, path in folders(workspace, "engine"):
        yield ("engine", path.name), f"index {address_in(path)}"
    for _, path in folders(workspace, "index"):
        yield from ((used, f"index {path.name}") for used in _of_index(path, workspace))


def _sources(source: str) -> Iterator[tuple[str, str]]:
    """What an input of a dataset is of: `hst/previews.jsonl`, `summaries/keywords`."""
    first, _, last = source.partition("/")
    if first == "summaries":
        yield "summaries", last
    else:
        yield last.removesuffix(".jsonl"), first


def _fingerprints(workspace: Workspace) -> Iterator[tuple[str, tuple[str, str]]]:
    for kind in ("dataset", "converted"):
        for _, path in folders(workspace, kind):  # type: ignore[arg-type]
            if manifest_of(path) is not None:
                try:
                    yield fingerprint(path, workspace), (kind, path.name)
                except (PaperclipError, OSError):
                    continue  # a damaged dataset: `doctor` tells


def _of_plan(
    plan: tuple[dict, dict], user: str, prints: Mapping[str, tuple[str, str]], workspace: Workspace
) -> Iterator[tuple[tuple[str, str], str]]:
    """The dataset and the model that a training began with."""
    config, inputs = plan
    if (dataset := prints.get(str(inputs.get("dataset")))) is not None:
        yield dataset, user
    base = str(config.get("init", ""))
    if base and "base" in inputs:
        yield ("hub", base.replace("/", "--")), user
        if user != f"model {base}":
            yield ("model", base), user


def _of_index(folder: Path, workspace: Workspace) -> Iterator[tuple[str, str]]:
    """The model and the previews of an index."""
    manifest = manifest_of(folder)
    if manifest is None:
        return
    model = Path(str(manifest.config.get("model_folder", "")))
    for kind in ("model", "hub"):
        if model.parent == workspace.root / FOLDERS[kind]:  # type: ignore[index]
            yield kind, model.name
    try:
        number = int(manifest.extra["generation"])
        observations = Observations(generation_paths(folder, number)[1])
    except (KeyError, TypeError, ValueError, OSError):
        return  # a damaged index: `doctor` tells
    try:
        for mission in observations.missions_of_previews():
            yield "previews", mission
            yield "proposals", mission
    except PaperclipError:
        return
    finally:
        observations.close()
