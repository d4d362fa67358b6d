"""Uploads a model, a dataset or an index of the cache to the Hugging Face Hub, with its card."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from paperclip_cli import __version__
from paperclip_cli.config import PublishConfig
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import lock
from paperclip_cli.indexes import bundle
from paperclip_cli.indexes.bundle_export import export_index
from paperclip_cli.indexes.card import index_card
from paperclip_cli.indexes.folder import IndexFolder, open_index
from paperclip_cli.indexes.model import model_of
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Report
from paperclip_cli.services import hub_upload
from paperclip_cli.services.hub import README, Kind, address, is_licence, is_repository
from paperclip_cli.services.hub_card import last_part, licence_of, with_licence, without_paths
from paperclip_cli.services.hub_upload import Content, size_of
from paperclip_cli.towers.folder import (
    AS_WRITTEN,
    BESIDE,
    CARD,
    MODEL_FILES,
    PREPROCESSOR,
    PROCESSOR,
    TOKENIZER,
    VOCABULARY,
    ModelFolder,
    model_files,
)
from paperclip_cli.towers.weight_files import INDEX, SHARD
from paperclip_cli.wording import counted, in_bytes
from paperclip_cli.workspace import (
    MANIFEST,
    Manifest,
    Workspace,
    faults,
    pulled_from,
    read_manifest,
    remedy,
)

STAGE = "publish"
# Their strings are words, some of which look like paths.
_WORDS = (TOKENIZER, VOCABULARY)
_DATA = re.compile(r"data/[^/]+\.parquet")


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What is uploaded: files by their names in the repository, the card aside.

    `owned` matches the names of files that an earlier upload may have left and this one replaces.
    """

    kind: Kind
    files: dict[str, Content]
    card: str
    owned: re.Pattern[str]
    notes: tuple[str, ...] = ()


def run(config: PublishConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Uploads an artefact in one commit, or reports that the repository holds it already.

    Raises:
        UsageError: no such artefact, or no such name of a repository.
        PaperclipError: the artefact is damaged, nobody is logged in, or the Hub refuses.
    """
    _check(config, workspace)
    with _scratch(config, workspace) as scratch:
        pack = _PARCELS[config.kind]
        parcel = pack(config, workspace, scratch, progress or SilentProgress())
        card = with_licence(parcel.card, config.licence) if config.licence else parcel.card
        files = {**parcel.files, README: card.encode()}
        notes = (*parcel.notes, *_about_licence(card))
        counts = {"files": len(files), "bytes": sum(map(size_of, files.values()))}
        if config.dry_run:
            lines = (f"{name} ({in_bytes(size_of(data))})" for name, data in files.items())
            aim = f"nothing was uploaded; it would go to {address(config.repository, parcel.kind)}"
            return Report(stage=STAGE, counts=counts, notes=(*lines, *notes, aim))
        done = hub_upload.publish(
            config.repository,
            parcel.kind,
            files,
            parcel.owned,
            config.message or f"{config.kind} {config.name} (paperclip-cli {__version__})",
            config.private,
        )
    where = f"{address(config.repository, parcel.kind)}, commit {done.commit}"
    return Report(
        stage=STAGE,
        counts=counts,
        notes=(
            *notes,
            *done.warnings,
            where,
            f"others get it: `paperclip pull {config.repository}{_kind_option(config.kind)}`",
        ),
        unchanged=not done.changed,
    )


@contextmanager
def _scratch(config: PublishConfig, workspace: Workspace) -> Iterator[Path]:
    """A folder for a bundle, on the disk of the cache: it may have gigabytes.

    While it is there nobody else may change the index. Models and datasets are sent as they are.
    """
    if config.kind != "index":
        yield Path()
        return
    _known("indexes", config.name, workspace)
    folder = workspace.index(config.name)
    with (
        lock(folder, shared=True),
        tempfile.TemporaryDirectory(prefix=f".{folder.name}.new.", dir=folder.parent) as made,
    ):
        yield Path(made)


def _check(config: PublishConfig, workspace: Workspace) -> None:
    """Refuses what cannot succeed, before anything is packed."""
    if not is_repository(config.repository):
        raise UsageError(
            f"{config.repository!r} is not the name of a repository on the Hub",
            "give a user or an organisation and a name, like org/name",
        )
    if config.licence is not None and not is_licence(config.licence):
        raise UsageError(
            f"--licence {config.licence!r} is not the name of a licence",
            "give the Hub's name of one, for example mit or cc-by-4.0",
        )
    if config.dry_run:
        return
    if workspace.offline:
        raise PaperclipError(
            f"{config.repository} is on the Hub, and --offline is set", "leave out --offline"
        )
    hub_upload.check_token()


def _kind_option(kind: str) -> str:
    """What makes `pull` take a dataset or an index, even beside a model of the same name."""
    return "" if kind == "model" else f" --kind {kind}"


def _about_licence(card: str) -> tuple[str, ...]:
    licence = licence_of(card)
    if licence in (None, "other"):
        return (f"licence: {licence or 'none'}; --licence names one",)
    return (f"licence: {licence}",)


def _model(
    config: PublishConfig, workspace: Workspace, scratch: Path, progress: Progress
) -> Parcel:
    folder = _whole("models", workspace.model(config.name), AS_WRITTEN, workspace)
    ModelFolder.open(folder)  # what transformers and paperclip need is there
    files: dict[str, Content] = {name: folder / name for name in model_files(folder)}
    files |= {
        name: folder / name for name in BESIDE if (folder / name).is_file() and name != README
    }
    found: dict[str, str] = {}
    for name in files.keys() & set(MODEL_FILES) - {INDEX}:
        if name.endswith(".json") and name not in _WORDS:
            files[name], more = _cleaned(folder / name)
            found |= more
    notes = (
        f"only the last part of {counted(len(found), 'paths')} of this machine is published: the "
        "fingerprint changes, and an index of the published model must be made anew",
    )
    owned = re.compile("|".join([SHARD.pattern, *map(re.escape, (*MODEL_FILES, *BESIDE))]))
    return Parcel(
        kind="model",
        files=files,
        card=_without(_card(folder), found),
        owned=owned,
        notes=notes if found else (),
    )


def _dataset(
    config: PublishConfig, workspace: Workspace, scratch: Path, progress: Progress
) -> Parcel:
    folder = _whole("datasets", workspace.dataset(config.name), ("data/",), workspace)
    data = sorted((folder / "data").glob("*.parquet"))
    if not data:
        raise PaperclipError(f"{folder} holds no data", remedy(folder))
    manifest, found = _cleaned(folder / MANIFEST)
    files: dict[str, Content] = {f"data/{path.name}": path for path in data}
    return Parcel(
        kind="dataset",
        files=files | {MANIFEST: manifest},
        card=_without(_card(folder), found),
        owned=_DATA,
    )


def _index(
    config: PublishConfig, workspace: Workspace, scratch: Path, progress: Progress
) -> Parcel:
    index = open_index(workspace.index(config.name))
    _refuse_damaged(index.folder, index.manifest, ("",))
    model = replace(model_of(index, workspace), name=_model_name(index, workspace))
    lengths = export_index(index, model, scratch / bundle.FILE, workspace, progress, _clean_folder)
    card = index_card(
        config.name,
        config.repository,
        list(index.observations.images()),
        model=model.name,
        fingerprint=index.manifest.inputs["model"],
        model_licence=str(model.card.get("base", {}).get("license", "other")),
    )
    return Parcel(
        kind="dataset",
        files={bundle.FILE: scratch / bundle.FILE},
        card=card,
        owned=re.compile(re.escape(bundle.FILE)),
        notes=bundle.pictureless(lengths),
    )


_PARCELS: dict[str, Callable[[PublishConfig, Workspace, Path, Progress], Parcel]] = {
    "model": _model,
    "dataset": _dataset,
    "index": _index,
}


def _model_name(index: IndexFolder, workspace: Workspace) -> str:
    """The name under which others find the model of an index: on the Hub, if it came from there."""
    name = str(index.manifest.config["model"])
    manifest = read_manifest(workspace.model(name)) if name in workspace.names("models") else None
    origin = pulled_from(manifest)
    if origin:
        return f"{origin['repository']}@{origin['commit']}"
    return last_part(name)


def _known(kind: str, name: str, workspace: Workspace) -> None:
    names = workspace.names(kind)
    if name not in names:
        raise UsageError(
            f"no {name!r} among the {kind} of the cache (it has: {', '.join(names) or 'none'})",
            "give the name of one that is finished",
        )


def _whole(kind: str, folder: Path, parts: tuple[str, ...], workspace: Workspace) -> Path:
    """The folder of an artefact, every file of which is read and compared with its checksum."""
    _known(kind, folder.name, workspace)
    manifest = read_manifest(folder)
    assert manifest is not None  # else it has no name
    _refuse_damaged(folder, manifest, parts)
    return folder


def _refuse_damaged(folder: Path, manifest: Manifest, parts: tuple[str, ...]) -> None:
    for fault in faults(folder, manifest, parts, verify=True):
        raise PaperclipError(f"{folder} is damaged: {fault}", remedy(folder, manifest))


def _card(folder: Path) -> str:
    try:
        return (folder / README).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise PaperclipError(
            f"{folder / README}, the card, cannot be read ({error})", "write one, in UTF-8"
        ) from error


def _cleaned(path: Path) -> tuple[bytes, dict[str, str]]:
    try:
        return without_paths(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise PaperclipError(f"{path} is not valid JSON ({error})", remedy(path.parent)) from error


def _clean_folder(folder: Path) -> None:
    """Takes the paths of this machine out of the files that go into a bundle."""
    for name in (CARD, PREPROCESSOR, PROCESSOR, "config.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            (folder / name).write_bytes(_cleaned(folder / name)[0])


def _without(card: str, found: dict[str, str]) -> str:
    """The card without the paths that the JSON files beside it named."""
    for path in sorted(found, key=len, reverse=True):
        card = card.replace(path, found[path])
    return card
