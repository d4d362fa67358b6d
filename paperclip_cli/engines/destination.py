"""An index in an engine, as the stage that updates it sees the place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from paperclip_cli.engines.address import Address, remember
from paperclip_cli.engines.index import EngineIndex, find, open_engine
from paperclip_cli.engines.records import State, as_record
from paperclip_cli.engines.update import Known, Update
from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.destination import manifest_of
from paperclip_cli.indexes.journal import Journal
from paperclip_cli.indexes.maker import Maker, splits_of
from paperclip_cli.indexes.unrelated import Evidence, unrelated_texts
from paperclip_cli.indexes.update import Embeddings
from paperclip_cli.indexes.update import State as Images
from paperclip_cli.progress import Progress
from paperclip_cli.workspace import Manifest, Workspace


class EngineDestination:
    """An index in an engine. Its `folder` in the cache has a lock, a journal, and its address."""

    def __init__(self, address: Address, workspace: Workspace) -> None:
        self._address, self._workspace = address, workspace
        self.folder = address.folder(workspace)
        self._old: EngineIndex | None = None
        self._known = Known()

    @property
    def place(self) -> str:
        return str(self._address)

    @property
    def evidence(self) -> Evidence | None:
        return None if self._old is None else self._old.evidence

    def check(self, wants_graph: bool) -> None:
        if wants_graph:
            raise PaperclipError(
                "an engine builds a graph of its own", "leave out --hnsw where --index is a URL"
            )
        open_engine(self._address).close()

    def open(self, afresh: bool) -> EngineIndex | None:
        self._old = None if afresh else find(self._address, self._workspace)
        if self._old is not None:
            self._known = Known.of(self._old.rows.numbered())
        return self._old

    def recorded(self) -> Manifest | None:
        found = find(self._address, self._workspace)
        return None if found is None else found.manifest

    def before(self) -> Images:
        return self._known.state

    def embeddings(self, journal: Journal) -> Embeddings:
        return _EngineEmbeddings(self._old, self._known, journal)

    def publish(
        self, state: Images, embeddings: Embeddings, maker: Maker, origin: Mapping[str, object]
    ) -> None:
        if self._old is None:
            texts = maker.texts(maker.model).embed(unrelated_texts())
        else:
            texts = self._old.unrelated.texts
        extra = {"dimension": embeddings.dimension, **origin}
        manifest = manifest_of(maker, len(state.entries), 0, extra)
        engine = open_engine(self._address) if self._old is None else self._old.engine
        update = Update(engine, self._old, self._known)
        update.write(state, splits_of(maker.model), embeddings, manifest, texts)
        remember(self._address, self._workspace)

    def amend(self, origin: Mapping[str, object]) -> None:
        assert self._old is not None
        state: State = self._old.state
        extra = {**state.manifest.extra, **origin}
        with self._old.engine.writing() as writer:
            writer.write(as_record(replace(state, manifest=replace(state.manifest, extra=extra))))

    def finish(self, wants_graph: bool, progress: Progress) -> tuple[bool, str]:
        return False, ""


class _EngineEmbeddings(Embeddings):
    """Vectors by the content of the image, from an engine and from the journal of an update."""

    def __init__(self, index: EngineIndex | None, known: Known, journal: Journal) -> None:
        super().__init__(None, (), journal)
        self._index = index
        self.places: dict[str, tuple[int, int]] = {}
        for image in known.images:
            self.places.setdefault(image.entry.sha256, (image.id, image.entry.tiles))

    def _of(self, digest: str, appended: np.ndarray) -> np.ndarray:
        if digest not in self.places:
            return super()._of(digest, appended)
        assert self._index is not None
        first, tiles = self.places[digest]
        return self._index.vectors_of(np.arange(first, first + tiles))
