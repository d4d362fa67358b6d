"""Where every artefact lies, what a finished stage leaves behind, and how a file is replaced without ever being half there.

    <cache>/proposals/<mission>/proposals.jsonl      the catalogue of a mission
    <cache>/previews/<mission>/previews.jsonl        what was fetched; beside it proposal_<ID>/<name>.jpg
    <cache>/summaries/<set>/summaries.jsonl
    <cache>/datasets/<name>/data/<split>-00000.parquet
    <cache>/models/<name>/                           Hugging Face layout
    <cache>/training/<name>/                         checkpoints, only needed to go on with a training
    <cache>/indexes/<name>/

Each of these folders holds a `manifest.json`.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from paperclip_cli import __version__
from paperclip_cli.errors import PaperclipError, UsageError

MANIFEST = "manifest.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a stage did: its resolved configuration, fingerprints of its inputs, counts, and versions."""

    stage: str
    config: dict
    inputs: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    extra: dict = field(default_factory=dict)
    version: str = __version__
    created: str = ""


@dataclass(frozen=True)
class Workspace:
    """One cache directory, shared by every command."""

    root: Path
    offline: bool = False

    @classmethod
    def locate(cls, cache_dir: Path | None, offline: bool = False) -> Workspace:
        """`--cache-dir`, else `PAPERCLIP_CACHE_DIR`, else the platform's user cache directory, in a folder `paperclip`."""
        if cache_dir is None and os.environ.get("PAPERCLIP_CACHE_DIR"):
            cache_dir = Path(os.environ["PAPERCLIP_CACHE_DIR"])
        if cache_dir is None:
            import platformdirs

            cache_dir = Path(platformdirs.user_cache_dir("paperclip", appauthor=False))
        root = cache_dir.expanduser().absolute()
        if root.exists() and not root.is_dir():
            raise UsageError(f"the cache {root} is not a directory", "give --cache-dir a folder")
        return cls(root, offline)

    def proposals(self, mission: str) -> Path:
        return self.root / "proposals" / checked_name(mission, "mission")

    def previews(self, mission: str) -> Path:
        return self.root / "previews" / checked_name(mission, "mission")

    def summaries(self, name: str) -> Path:
        return self.root / "summaries" / checked_name(name, "summary set")

    def dataset(self, name: str) -> Path:
        return self.root / "datasets" / checked_name(name, "dataset")

    def model(self, name: str) -> Path:
        return self.root / "models" / checked_name(name, "model")

    def training(self, name: str) -> Path:
        return self.root / "training" / checked_name(name, "model")

    def index(self, name: str) -> Path:
        return self.root / "indexes" / checked_name(name, "index")

    def names(self, kind: str) -> list[str]:
        """The artefacts of a kind (`previews`, `datasets`, `models`, `indexes`, ...) that have a manifest."""
        return sorted(path.parent.name for path in (self.root / kind).glob(f"*/{MANIFEST}"))


def checked_name(name: str, what: str) -> str:
    """The name itself if it can be a folder's, so that no name leads out of the cache."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a {what}", "use letters, digits, '.', '_' and '-'"
        )
    return name


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished artefact, or None where there is none (or one that cannot be read)."""
    try:
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        names = {f.name for f in dataclasses.fields(Manifest)}
        return Manifest(**{name: value for name, value in values.items() if name in names})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Written last: its presence says that the artefact is complete."""
    stamped = dataclasses.replace(
        manifest, created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    )
    replace_file(
        folder / MANIFEST, json.dumps(dataclasses.asdict(stamped), indent=2, default=str) + "\n"
    )


def is_finished(folder: Path, stage: str, config: dict, inputs: dict[str, str]) -> bool:
    """Whether `folder` holds what this stage would make now: same stage, configuration and inputs."""
    found = read_manifest(folder)
    wanted = json.loads(json.dumps([stage, config, inputs], default=str))
    return found is not None and [found.stage, found.config, found.inputs] == wanted


def settings(config: object, *leave_out: str) -> dict:
    """A configuration as plain JSON values, without the names that do not change the result."""
    values = dataclasses.asdict(config)  # type: ignore[call-overload]
    return json.loads(
        json.dumps({k: v for k, v in values.items() if k not in leave_out}, default=str)
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, content: str | bytes) -> None:
    """Writes a file under a temporary name, flushes it to disk and renames it into place."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def cut_torn_line(path: Path) -> None:
    """Cuts off a last line without its end, as a killed process leaves it: call it before reading what is to be appended to."""
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


@contextmanager
def append_lines(path: Path) -> Iterator[Callable[[str], None]]:
    """Gives a function that adds a line to a file and hands it to the system at once, so that only a power cut can lose it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:

        def append(line: str) -> None:
            file.write(line.encode("utf-8") + b"\n")
            file.flush()

        yield append


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder beside `folder` that takes its place when the block ends well, and vanishes when it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new.", dir=folder.parent))
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~umask())
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
            os.replace(folder, old / "previous")
            os.replace(temporary, folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def lock(folder: Path, shared: bool = False, wait: bool = False) -> Iterator[None]:
    """Holds an artefact for one writer; a second one is told so at once, or waits. The lock goes when the process does.

    Several may hold it `shared`, for work that does not meet, while nobody holds it alone.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f".{folder.name}.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(
                file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
            )
        except OSError as error:
            raise PaperclipError(
                f"another paperclip process is writing {folder}", "wait for it, or stop it"
            ) from error
        yield


def umask() -> int:
    """The process's file mode creation mask, for files that a library makes with a mode of its own."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
