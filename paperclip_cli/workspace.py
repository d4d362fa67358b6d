"""The cache: the places of all artefacts, and their manifests.

    <cache>/proposals/<mission>/proposals.jsonl      the catalogue of a mission
    <cache>/previews/<mission>/previews.jsonl        previews, beside proposal_<ID>/<name>.jpg
    <cache>/summaries/<set>/summaries.jsonl
    <cache>/datasets/<name>/data/<split>-00000.parquet
    <cache>/datasets-converted/<name>-<digest>/      the same, from datasets of others
    <cache>/models/<name>/                           Hugging Face layout
    <cache>/training/<name>/                         checkpoints, only needed to resume a training
    <cache>/decoded/<digest>/                        decoded images of a dataset, for trainings
    <cache>/indexes/<name>/
    <cache>/engines/<digest>/                        a lock and a journal for an index in an engine
    <cache>/hub/<org>--<name>@<revision>/            Hub models used by name; unfinished downloads

Each of these folders but `training`, `engines` and `decoded` holds a `manifest.json`, written last,
with size and SHA-256 of the files that the stage wrote. Opening an artefact compares the sizes,
`doctor --verify` the hashes as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from paperclip_cli import __version__
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import expanded, hidden_names, recover, replace_file, sweep_folder

MANIFEST = "manifest.json"
PREVIEWS = "previews.jsonl"
PULLED = "pulled"  # in `extra`: the repository and the commit that an artefact came from
FORMAT = 1  # of a manifest; older ones, without a format, count as 0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
REFETCH = "run the same `paperclip fetch` again: it restores the records from the files on disk"
# Hints for damaged artefacts, by kind.
_REMEDIES = {
    "proposals": REFETCH,
    "previews": REFETCH,
    "summaries": "run the same `paperclip summarize` again: it makes what is missing",
    "datasets": "make it again with `paperclip build-dataset --force`",
    "datasets-converted": "delete it: it is made again where it is needed",
    "models": "train it again with `paperclip train --force`",
    "indexes": "rebuild it with `paperclip index --force`",
}

Stamp = Mapping[str, int | str | bool]
"""Size and SHA-256 of a file. With `grows`, lines are appended to it after those of the stamp."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The record of a stage: resolved configuration, input fingerprints, counts and versions.

    `files` holds the stamps of the files it wrote, by their paths in the folder. While a writer
    replaces some of them one by one, each file matches its stamp in `files` or in `underway`.
    """

    stage: str
    config: dict
    inputs: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    extra: dict = field(default_factory=dict)
    version: str = __version__
    created: str = ""
    files: dict[str, Stamp] = field(default_factory=dict)
    underway: dict[str, Stamp] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True)
class Workspace:
    """One cache directory, shared by every command."""

    root: Path
    offline: bool = False

    @classmethod
    def locate(cls, cache_dir: str | os.PathLike[str] | None, offline: bool = False) -> Workspace:
        """`--cache-dir`, else `PAPERCLIP_CACHE_DIR`, else a folder in the platform's user cache."""
        if cache_dir is None and os.environ.get("PAPERCLIP_CACHE_DIR"):
            cache_dir = os.environ["PAPERCLIP_CACHE_DIR"]
        if cache_dir is None:
            import platformdirs

            cache_dir = platformdirs.user_cache_dir("paperclip", appauthor=False)

        root = expanded(cache_dir).absolute()
        if root.exists() and not root.is_dir():
            raise UsageError(f"the cache {root} is not a directory", "give --cache-dir a folder")
        return cls(root, offline)

    def proposals(self, mission: str) -> Path:
        return self.root / "proposals" / checked_name(mission, "mission")

    def previews(self, mission: str) -> Path:
        return self.root / "previews" / checked_name(mission, "mission")

    def preview_records(self, mission: str) -> Path:
        """The file of a mission's records of previews, a line each. Mostly appended to."""
        return self.previews(mission) / PREVIEWS

    def is_preview(self, path: Path) -> bool:
        """Whether a file lies among the cached previews."""
        return path.resolve().is_relative_to((self.root / "previews").resolve())

    def summaries(self, name: str) -> Path:
        return self.root / "summaries" / checked_name(name, "summary set")

    def dataset(self, name: str) -> Path:
        return recover(self.root / "datasets" / checked_name(name, "dataset"))

    def converted(self, name: str) -> Path:
        """The place of a dataset of others in our layout. Users do not name it."""
        return recover(self.root / "datasets-converted" / checked_name(name, "dataset"))

    def model(self, name: str) -> Path:
        return recover(self.root / "models" / checked_name(name, "model"))

    def training(self, name: str) -> Path:
        return self.root / "training" / checked_name(name, "model")

    def decoded(self) -> Path:
        return self.root / "decoded"

    def index(self, name: str) -> Path:
        return recover(self.root / "indexes" / checked_name(name, "index"))

    def demo(self) -> Path:
        """The cache of `paperclip demo`, apart from all else."""
        return self.root / "demo"

    def names(self, kind: str) -> list[str]:
        """The artefacts of a kind (`previews`, `models`, `indexes`, ...) that have a manifest."""
        found = {path.parent.name for path in (self.root / kind).glob(f"*/{MANIFEST}")}
        hidden = {
            name
            for name in hidden_names(self.root / kind) - found
            if (recover(self.root / kind / name) / MANIFEST).exists()
        }
        return sorted(name for name in found | hidden if _NAME.fullmatch(name))


def is_name(name: str) -> bool:
    """Whether a folder of the cache may have this name."""
    return _NAME.fullmatch(name) is not None


def checked_name(name: str, what: str) -> str:
    """The name itself, if a folder may have it: no name leads out of the cache.

    Raises:
        UsageError: it may not.
    """
    if not is_name(name):
        raise UsageError(
            f"{name!r} cannot be the name of a {what}", "use letters, digits, '.', '_' and '-'"
        )
    return name


def read_manifest(folder: Path, may_be_damaged: bool = False) -> Manifest | None:
    """The manifest of a finished artefact, or None where there is none.

    With `may_be_damaged`, for a writer that replaces it anyway, an unreadable one counts as none.

    Raises:
        PaperclipError: a later version wrote it, or it cannot be read.
    """
    path = folder / MANIFEST
    try:
        found = _manifest(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, AttributeError) as error:
        if may_be_damaged:
            return None
        raise PaperclipError(f"{path} is damaged ({error})", remedy(folder)) from error

    if found.format > FORMAT:
        raise PaperclipError(
            f"{path} was written by a later version of paperclip ({found.version})",
            "update this one",
        )
    return found


def _manifest(data: bytes) -> Manifest:
    values = {"format": 0, **json.loads(data)}
    fields = {f.name: f for f in dataclasses.fields(Manifest)}
    found = Manifest(**{name: value for name, value in values.items() if name in fields})
    dicts = (found.config, found.inputs, found.counts, found.extra, found.files, found.underway)
    if not all(isinstance(value, dict) for value in dicts) or type(found.format) is not int:
        raise TypeError("its values have the wrong types")
    for name, said in (*found.files.items(), *found.underway.items()):
        _check_stamp(name, said)
    return found


def _check_stamp(name: str, said: object) -> None:
    """ValueError for a stamp that is none, or of a file outside the folder: folders are copied."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name!r} lies outside the folder")
    if not (
        isinstance(said, dict)
        and isinstance(said.get("size"), int)
        and isinstance(said.get("sha256"), str)
    ):
        raise ValueError(f"no size and SHA-256 of {name!r}")


def pulled_from(manifest: Manifest | None) -> dict:
    """The repository and the commit that an artefact was pulled from; empty for any other."""
    found = manifest.extra.get(PULLED) if manifest is not None else None
    return found if isinstance(found, dict) else {}


def remedy(folder: Path, manifest: Manifest | None = None) -> str:
    """The hint on how to repair a damaged artefact, which its manifest makes more precise."""
    origin = pulled_from(manifest)
    if origin:
        again = f"{origin.get('repository')}@{origin.get('commit')}"
        return f"get it again with `paperclip pull {again} --name {folder.name} --force`"
    return _REMEDIES.get(folder.parent.name, "redo the stage that wrote it with --force")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes a manifest. This comes last: its presence means that the artefact is complete."""
    _put(folder, dataclasses.replace(manifest, created=now(), format=FORMAT))


def now() -> str:
    """The time (UTC), as manifests tell it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def amend_manifest(folder: Path, extra: Mapping[str, object]) -> None:
    """Adds to the `extra` of a manifest, and leaves the rest as it is."""
    found = read_manifest(folder)
    if found is not None:
        _put(folder, dataclasses.replace(found, extra={**found.extra, **extra}))


def _put(folder: Path, manifest: Manifest) -> None:
    text = json.dumps(dataclasses.asdict(manifest), indent=2, default=str) + "\n"
    replace_file(folder / MANIFEST, text)


def announce(folder: Path, coming: Mapping[str, Stamp]) -> None:
    """Records in the manifest of a finished artefact which files are about to replace its own.

    Until the new manifest is written, and after a kill as well, the artefact then counts as whole.
    """
    found = read_manifest(folder, may_be_damaged=True)
    if found is not None:
        _put(folder, dataclasses.replace(found, underway=dict(coming), format=FORMAT))


def stamp_of(content: str | bytes, grows: bool = False) -> Stamp:
    """The stamp of a file with this content."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    said: Stamp = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return {**said, "grows": True} if grows else said


def stamps_of(folder: Path, names: Iterable[str]) -> dict[str, Stamp]:
    """The stamps of those `names` that exist as files in a folder."""
    paths = ((name, folder / name) for name in names)
    return {
        name: {"size": path.stat().st_size, "sha256": file_sha256(path)}
        for name, path in paths
        if path.is_file()
    }


def faults(
    folder: Path, manifest: Manifest, parts: tuple[str, ...] = ("",), verify: bool = False
) -> Iterator[str]:
    """The differences between an artefact's files and its manifest.

    Only files whose path begins with one of the `parts` are checked. Their sizes are compared, and
    with `verify` their content as well.
    """
    for name, said in manifest.files.items():
        if name.startswith(parts):
            allowed = [said, *([manifest.underway[name]] if name in manifest.underway else [])]
            found = [_fault(folder / name, one, verify) for one in allowed]
            if all(found):
                yield f"{name} {found[0]}"


def _fault(path: Path, said: Stamp, verify: bool) -> str:
    """The difference between a file and its stamp, or an empty text."""
    if not path.is_file():
        return "is missing"
    size, wanted = path.stat().st_size, int(said["size"])
    if size < wanted or (size > wanted and not said.get("grows")):
        return f"has {size:,} bytes, and {wanted:,} were written"
    if verify and file_sha256(path, wanted) != said["sha256"]:
        return "is not what was written"
    return ""


def whole_manifest(folder: Path, parts: tuple[str, ...] = ("",)) -> Manifest | None:
    """The manifest of an artefact whose files have the sizes that it lists.

    Raises:
        PaperclipError: they do not, so the artefact is incomplete and must not be used.
    """
    manifest = read_manifest(folder)
    while manifest is not None and (found := next(faults(folder, manifest, parts), None)):
        newer = read_manifest(folder)
        if newer == manifest:
            raise PaperclipError(f"{folder} is damaged: {found}", remedy(folder, manifest))
        manifest = newer  # a writer finished in between
    return manifest


def is_finished(folder: Path, stage: str, config: dict, inputs: dict[str, str]) -> bool:
    """Whether `folder` is up to date: made by the same stage, configuration and inputs."""
    found = read_manifest(folder)
    wanted = json.loads(json.dumps([stage, config, inputs], default=str))
    return found is not None and [found.stage, found.config, found.inputs] == wanted


def settings(config: object, *leave_out: str) -> dict:
    """A configuration as plain JSON values. Leave out the names that do not change the result."""
    values = dataclasses.asdict(config)  # type: ignore[call-overload]
    kept = {name: value for name, value in values.items() if name not in leave_out}
    return json.loads(json.dumps(kept, default=str))


def remembered(
    workspace: Workspace,
    folder: Path,
    files: Sequence[Path],
    make: Callable[[], str],
    afresh: bool = False,
) -> str:
    """The fingerprint that `make` finds by reading `files`, remembered in the cache.

    It holds as long as their sizes and modification times do. With `afresh` the files are read.
    """
    stamp = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]
    memo = workspace.root / "fingerprints" / f"{place}.json"
    found = None if afresh else _recall(memo, stamp)
    if found is not None:
        return found

    value = make()
    memory = {"folder": str(folder), "fingerprint": value, "stamp": stamp}
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not the answer
        replace_file(memo, json.dumps(memory, indent=2) + "\n")
        sweep_folder(memo.parent)
    return value


def _recall(memo: Path, stamp: list) -> str | None:
    try:
        values = json.loads(memo.read_text(encoding="utf-8"))
        return values["fingerprint"] if values["stamp"] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no memo, or a damaged one: the files are read again


def file_sha256(path: Path, size: int | None = None) -> str:
    """SHA-256, in hex, of all bytes of a file or of its first `size`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if size is None:
            return hashlib.file_digest(file, "sha256").hexdigest()

        while size > 0 and (block := file.read(min(size, 2**20))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()
