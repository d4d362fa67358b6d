"""Where an index is kept, as the stage that updates it sees the place: here, a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from paperclip_cli.indexes.folder import STAGE, IndexFolder, open_index
from paperclip_cli.indexes.hnsw import build_graph, check_installed, graph_state
from paperclip_cli.indexes.journal import Journal
from paperclip_cli.indexes.maker import Maker, splits_of
from paperclip_cli.indexes.open_index import OpenIndex
from paperclip_cli.indexes.unrelated import Evidence, unrelated_texts
from paperclip_cli.indexes.update import (
    Embeddings,
    State,
    publish,
    sweep,
    write_generation,
    write_unrelated,
)
from paperclip_cli.progress import Progress
from paperclip_cli.workspace import Manifest, amend_manifest, read_manifest


class Destination(Protocol):
    """The place of an index, as reports call it. `folder` is for a lock and a journal."""

    @property
    def folder(self) -> Path: ...

    @property
    def place(self) -> Path | str: ...

    @property
    def evidence(self) -> Evidence | None:
        """What unrelated texts find in the index that was opened; None if it does not say."""

    def check(self, wants_graph: bool) -> None:
        """Raises a PaperclipError where something is missing that the update will need."""

    def open(self, afresh: bool) -> IndexFolder | OpenIndex | None:
        """The index that is there; None if there is none, or if it is to be made `afresh`."""

    def recorded(self) -> Manifest | None:
        """The manifest of what is there, if it can be read."""

    def before(self) -> State:
        """The state of the index that was opened."""

    def embeddings(self, journal: Journal) -> Embeddings:
        """The vectors of the index that was opened, and of a journal."""

    def publish(
        self, state: State, embeddings: Embeddings, maker: Maker, origin: Mapping[str, object]
    ) -> None:
        """Makes a state the current one, at once."""

    def amend(self, origin: Mapping[str, object]) -> None:
        """Adds to the manifest, and changes nothing else."""

    def finish(self, wants_graph: bool, progress: Progress) -> tuple[bool, str]:
        """Clears up. Returns whether a graph was built, and a note for the user or nothing."""


class FolderDestination:
    """An index in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._old: IndexFolder | None = None
        self._before = State()
        self._is_changed = False

    @property
    def place(self) -> Path:
        return self.folder

    @property
    def evidence(self) -> Evidence | None:
        return None if self._old is None else self._old.evidence

    def check(self, wants_graph: bool) -> None:
        if wants_graph:
            check_installed()

    def open(self, afresh: bool) -> IndexFolder | None:
        is_there = not afresh and read_manifest(self.folder) is not None
        self._old = open_index(self.folder) if is_there else None
        self._before = State.of(self._old) if self._old else State()
        return self._old

    def recorded(self) -> Manifest | None:
        return read_manifest(self.folder, may_be_damaged=True)

    def before(self) -> State:
        return self._before

    def embeddings(self, journal: Journal) -> Embeddings:
        return Embeddings(self._old, self._before.entries, journal)

    def publish(
        self, state: State, embeddings: Embeddings, maker: Maker, origin: Mapping[str, object]
    ) -> None:
        splits = splits_of(maker.model)
        number, vectors = write_generation(self.folder, state, splits, embeddings)
        texts = maker.texts(maker.model).embed(unrelated_texts())
        unrelated = write_unrelated(self.folder, number, vectors, texts)
        extra = {"dimension": embeddings.dimension, **unrelated, **origin}
        publish(self.folder, manifest_of(maker, len(state.entries), len(vectors), extra), number)
        self._is_changed = True

    def amend(self, origin: Mapping[str, object]) -> None:
        amend_manifest(self.folder, origin)

    def finish(self, wants_graph: bool, progress: Progress) -> tuple[bool, str]:
        old, note = self._old, ""
        if old is not None and self._is_changed and not wants_graph:
            has_lost_graph = graph_state(self.folder, old.generation, old.vectors) != "none"
            note = _LOST if has_lost_graph else ""
        sweep(self.folder)
        return wants_graph and self._build_graph(progress), note

    def _build_graph(self, progress: Progress) -> bool:
        """Builds the graph of the current state. False if it exists or there are no vectors."""
        index = open_index(self.folder)
        state = graph_state(self.folder, index.generation, index.vectors)
        if state == "ready" or not len(index.vectors):
            return False
        with progress.task("graph", total=len(index.vectors), unit="vectors") as task:
            build_graph(self.folder, index.generation, index.vectors, task.advance)
        return True


_LOST = "the graph of the old vectors was removed; rebuild it with --hnsw"


def manifest_of(maker: Maker, images: int, vectors: int, extra: dict) -> Manifest:
    """The manifest of an index that a maker made."""
    config = {
        "model": maker.model.name,
        "model_folder": str(maker.model.path),
        "view": asdict(maker.view),
        "reading": asdict(maker.reading),
    }
    return Manifest(
        stage=STAGE,
        config=config,
        inputs={"model": maker.fingerprint},
        counts={"images": images, "vectors": vectors},
        extra=extra,
    )
