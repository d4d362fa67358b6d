"""An index: a folder that can be copied, and whose state is replaced in one step.

    manifest.json                 the model's name, folder and fingerprint, the view, the
                                  background, the evidence of unrelated texts, and the number
                                  of the current generation
    vectors-<number>.npy          float32 [N, D], rows in the order of the images
    observations-<number>.sqlite  the observations of the images
    unrelated-<number>.npy, ...   what unrelated texts find (`indexes.unrelated`)
    graph-<number>.*              a graph of the vectors (`indexes.hnsw`), if one was built
    thumbnails/, model/           the thumbnails and the text tower of an imported index
                                  (`indexes.bundle`)

A generation is written once and never changed. The manifest names the current one and is replaced
last. A query therefore sees the old state or the new one, even if the writer dies.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paperclip_cli.errors import MissingStage, PaperclipError
from paperclip_cli.indexes.background import Background
from paperclip_cli.indexes.database import Observations
from paperclip_cli.indexes.described import Described
from paperclip_cli.indexes.unrelated import Evidence, Unrelated
from paperclip_cli.indexes.vectors import open_vectors
from paperclip_cli.workspace import Manifest, Workspace, faults, file_sha256, read_manifest, remedy

if TYPE_CHECKING:
    from paperclip_cli.indexes.hnsw import Graph

STAGE = "index"


@dataclass(frozen=True, kw_only=True)
class IndexFolder(Described):
    """An open index: its `vectors` float32 [N, D], mapped read-only, and its observations.

    `evidence` is what unrelated texts find in it, and `unrelated` has the tables behind it. Both
    are None in an index of an earlier version.
    """

    folder: Path
    manifest: Manifest
    vectors: np.ndarray
    observations: Observations
    background: Background
    evidence: Evidence | None = None
    unrelated: Unrelated | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def dimension(self) -> int:
        """The length of its vectors."""
        return int(self.vectors.shape[1])

    @property
    def generation(self) -> int:
        """The number of its current generation."""
        return int(self.manifest.extra["generation"])

    @cached_property
    def graph(self) -> tuple[Graph | None, str]:
        """Its graph, opened once, or None and the reason (`indexes.hnsw.usable_graph`)."""
        from paperclip_cli.indexes.hnsw import usable_graph  # most queries need none

        return usable_graph(self.folder, self.generation, self.vectors)


def choose_index(name: str | None, workspace: Workspace) -> str:
    """The index that a user means: the one named, else `default`, else the only one.

    Raises:
        MissingStage: there is no such index.
    """
    names = workspace.names("indexes")
    if name is None:
        name = "default" if "default" in names or len(names) != 1 else names[0]

    if name not in names:
        others = f" (there are {', '.join(names)})" if names else ""
        make = update_command(name)
        raise MissingStage(
            f"there is no index {name!r}{others}",
            make if workspace.names("previews") else f"paperclip fetch` and `{make}",
            _of_the_demo(workspace) if not names else "",
        )
    return name


def check_free(folder: Path, force: bool) -> None:
    """Raises a PaperclipError if there is an index in a folder that is not to be replaced."""
    if not force and read_manifest(folder) is not None:
        raise PaperclipError(
            f"index {folder.name!r} already exists",
            "give another name with --index NAME, or replace it with --force",
        )


def update_command(name: str) -> str:
    """The command that makes or updates an index."""
    return "paperclip index" + ("" if name == "default" else f" --index {name}")


def _of_the_demo(workspace: Workspace) -> str:
    """How to use the index of the demo, which has a cache of its own; empty if there is none."""
    import shlex  # only errors need it

    demo = workspace.demo()
    if not Workspace(demo).names("indexes"):
        return ""
    return f"or use the demo's: export PAPERCLIP_CACHE_DIR={shlex.quote(str(demo))}"


def open_index(folder: Path) -> IndexFolder:
    """Opens the generation that the manifest names.

    Raises:
        MissingStage: there is no index in `folder`.
        PaperclipError: its files are missing or damaged.
    """
    manifest = read_manifest(folder)
    while manifest is not None:
        try:
            return _open(folder, manifest)
        except (FileNotFoundError, PaperclipError, sqlite3.OperationalError) as error:
            # A writer may have finished in between, and removed the generation that the manifest
            # named before: its files are then missing, or go while they are opened.
            newer = read_manifest(folder)
            if newer == manifest:
                raise _missing(folder, error) from error
            manifest = newer
    raise MissingStage(f"there is no index in {folder}", "paperclip index")


def _missing(folder: Path, error: Exception) -> PaperclipError:
    """The reason why an index whose manifest stays the same cannot be opened."""
    if isinstance(error, PaperclipError):
        return error
    fault = f"its observations cannot be opened ({error})"
    if isinstance(error, FileNotFoundError):
        fault = f"{Path(str(error.filename or error)).name} is missing"
    return PaperclipError(f"index {folder}: {fault}", "rebuild it with paperclip index --force")


def _open(folder: Path, manifest: Manifest) -> IndexFolder:
    try:
        number, dimension = int(manifest.extra["generation"]), int(manifest.extra["dimension"])
        background = Background(tuple(manifest.extra["background"]["scores"]))
        evidence = evidence_of(manifest.extra.get("evidence"))
        shape = int(manifest.counts["vectors"]), dimension
    except (KeyError, TypeError, ValueError) as error:
        raise PaperclipError(
            f"index {folder}: its manifest lacks {error}", "rebuild it with paperclip index --force"
        ) from error

    vectors_path, observations_path = generation_paths(folder, number)
    for path in (vectors_path, observations_path):
        path.stat()  # FileNotFoundError: another generation may be the current one by now
    for fault in faults(folder, manifest):
        raise PaperclipError(f"index {folder}: {fault}", remedy(folder, manifest))

    return IndexFolder(
        folder=folder,
        manifest=manifest,
        vectors=open_vectors(vectors_path, shape),
        observations=Observations(observations_path),
        background=background,
        evidence=evidence,
        unrelated=None if evidence is None else Unrelated.open(folder, number, shape[0]),
    )


def evidence_of(stored: Mapping[str, Sequence[float]] | None) -> Evidence | None:
    """The evidence in a manifest; None in that of an earlier version."""
    if stored is None:
        return None
    pictures, words = (np.array(stored[name], float) for name in ("pictures", "words"))
    return Evidence(pictures, words)


def folder_sha256(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files, in hex."""
    sums = [f"{path.name} {file_sha256(path)}" for path in sorted(folder.iterdir())]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def generation_paths(folder: Path, number: int) -> tuple[Path, Path]:
    """The files of the vectors and the observations of a generation."""
    return folder / f"vectors-{number:06d}.npy", folder / f"observations-{number:06d}.sqlite"
