"""The next generation of an index: its state, its vectors, and its publication."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from paperclip_cli.indexes.background import measure
from paperclip_cli.indexes.database import Entry, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.folder import IndexFolder, generation_paths
from paperclip_cli.indexes.journal import Journal
from paperclip_cli.indexes.open_index import OpenIndex
from paperclip_cli.indexes.unrelated import TABLES, table_paths, write_tables
from paperclip_cli.indexes.vectors import open_vectors, write_vectors
from paperclip_cli.records import Key, Proposal
from paperclip_cli.workspace import Manifest, read_manifest, stamps_of, write_manifest

_BLOCK = 8_192  # images whose vectors are in memory at once while a generation is written
_GENERATION = re.compile(
    rf"(vectors|observations|graph|{'|'.join(TABLES)})-(\d{{6,}})\.(npy|sqlite|hnsw|json)"
)


@dataclass(frozen=True)
class State:
    """The state of an index: its images, and their proposals.

    The images are in the order of their paths, which is that of their vectors. The state does not
    depend on the order in which images came, went and were renamed.
    """

    entries: tuple[Entry, ...] = ()
    proposals: Mapping[Key, Proposal] = field(default_factory=dict)

    @classmethod
    def of(cls, index: IndexFolder | OpenIndex) -> State:
        images = tuple(index.observations.images())
        return cls(
            tuple(image.entry for image in images),
            {image.proposal.key: image.proposal for image in images if image.proposal},
        )


class Vectors(Protocol):
    """Where the vectors of entries come from."""

    @property
    def dimension(self) -> int: ...

    def blocks(self, entries: Sequence[Entry]) -> Iterator[np.ndarray]:
        """The vectors of some entries, in their order, as blocks float32 [n, D]."""


class Embeddings:
    """Vectors by the content of the image, from an index and from the journal of an update."""

    def __init__(
        self, index: IndexFolder | None, entries: Iterable[Entry], journal: Journal
    ) -> None:
        """`entries` are those of `index`, in the order of its vectors."""
        self.dimension, self.journal = journal.dimension, journal
        self.vectors = index.vectors if index else np.empty((0, journal.dimension), np.float32)

        self.places: dict[str, tuple[int, int]] = {}
        first = 0
        for entry in entries:
            self.places.setdefault(entry.sha256, (first, entry.tiles))
            first += entry.tiles

    def __contains__(self, digest: object) -> bool:
        return digest in self.places or digest in self.journal.places

    def blocks(self, entries: Sequence[Entry]) -> Iterator[np.ndarray]:
        """The vectors of some entries, in their order, as blocks float32 [n, D]."""
        appended = self.journal.vectors()
        for start in range(0, len(entries), _BLOCK):
            block = entries[start : start + _BLOCK]
            yield np.concatenate([self._of(entry.sha256, appended) for entry in block])

    def _of(self, digest: str, appended: np.ndarray) -> np.ndarray:
        source = self.vectors if digest in self.places else appended
        first, tiles = self.places.get(digest) or self.journal.places[digest]
        return source[first : first + tiles]


def write_generation(
    folder: Path, state: State, splits: Mapping[Key, str], embeddings: Vectors
) -> tuple[int, np.ndarray]:
    """Writes the files of a new generation, which no manifest names yet.

    Returns its number and its vectors.
    """
    matches = (_GENERATION.fullmatch(path.name) for path in folder.iterdir())
    number = 1 + max((int(match[2]) for match in matches if match), default=0)

    vectors_path, observations_path = generation_paths(folder, number)
    shape = sum(entry.tiles for entry in state.entries), embeddings.dimension
    write_vectors(vectors_path, shape, embeddings.blocks(state.entries))
    write_observations(observations_path, state.entries, state.proposals, splits)
    return number, open_vectors(vectors_path, shape)


def write_unrelated(folder: Path, number: int, vectors: np.ndarray, texts: np.ndarray) -> dict:
    """Writes what unrelated texts find in a generation; returns what the manifest says of it.

    `texts` float32 [T, D] are their embeddings.
    """
    observations = Observations(generation_paths(folder, number)[1])
    try:
        evidence = write_tables(folder, number, vectors, observations, texts)
    finally:
        observations.close()
    return {
        "background": asdict(measure(vectors, texts)),
        "evidence": {name: found.tolist() for name, found in asdict(evidence).items()},
    }


def publish(folder: Path, manifest: Manifest, number: int) -> None:
    """Makes a generation the current one."""
    paths = [*generation_paths(folder, number), *table_paths(folder, number)]
    files = stamps_of(folder, [path.name for path in paths if path.exists()])
    extra = {"generation": number, **manifest.extra}
    write_manifest(folder, replace(manifest, extra=extra, files=files))


def sweep(folder: Path) -> None:
    """Removes every generation but the current one: older ones, and those of killed updates."""
    for path in other_generations(folder):
        path.unlink()


def other_generations(folder: Path) -> list[Path]:
    """The files of every generation but the current one."""
    manifest = read_manifest(folder)
    number = manifest.extra["generation"] if manifest else None
    found = ((path, _GENERATION.fullmatch(path.name)) for path in folder.iterdir())
    return sorted(path for path, match in found if match and int(match[2]) != number)
