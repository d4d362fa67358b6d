"""What is asked of an open index, wherever its vectors are: in a folder or in an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from paperclip_cli.config import QueryConfig
from paperclip_cli.images.reading import Reading
from paperclip_cli.images.view import View
from paperclip_cli.indexes.background import Background
from paperclip_cli.indexes.database import Entry, Image
from paperclip_cli.indexes.filters import Selection
from paperclip_cli.indexes.unrelated import Evidence, Found
from paperclip_cli.records import Provenance
from paperclip_cli.workspace import Manifest, Workspace


class Ranker(Protocol):
    """A search over the rows that may be ranked; see `search.Search`."""

    @property
    def note(self) -> str: ...

    @property
    def allowed(self) -> np.ndarray: ...

    def ranked(
        self, query: np.ndarray, words: str = "", rank_by: str = "semantic"
    ) -> tuple[list[tuple[int, float]], Iterator[tuple[int, float]]]: ...

    def weighed(self, words: str) -> tuple[np.ndarray, np.ndarray]: ...

    def scores(self, query: np.ndarray) -> np.ndarray: ...


class Judged(Protocol):
    """What unrelated texts find among the rows that may be ranked; see `chance.Allowed`."""

    @property
    def texts(self) -> np.ndarray: ...

    @property
    def evidence(self) -> Evidence | None: ...

    def listed(self) -> Found: ...

    def computed(self, texts: np.ndarray, places: np.ndarray) -> Found: ...

    def shown(
        self, text: str, rows: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...


class QueryPart(Protocol):
    """An open index, and the conditions of a query on it; see `part.Part`."""

    @property
    def index(self) -> Any: ...

    @property
    def selection(self) -> Selection: ...

    @property
    def search(self) -> Ranker: ...

    @property
    def judged(self) -> Judged: ...

    @property
    def news(self) -> str: ...

    def images_of(self, rows: Sequence[int]) -> list[Image]: ...

    def group(self, image: Image) -> tuple[set[int], int]: ...

    def group_elsewhere(self, image: Image) -> tuple[set[int], int]: ...

    def fields_of(self, image: Image, cosine: float | None) -> dict[str, Any]: ...

    def unmet(self) -> Iterator[str]: ...

    def named(self, words: str, best: str | None) -> str: ...


class Words(Protocol):
    """The observations of an index, as those ask for them who look for words and names."""

    def execute(self, sql: str, parameters: Iterable = ()) -> list[tuple]:
        """All rows of an SQL query; see `database.Observations`."""

    def images(self) -> Iterator[Image]:
        """Every image, in the order of their paths."""


class OpenIndex(Protocol):
    """An open index that is not in a folder: what is said about it, and its part in a query."""

    @property
    def name(self) -> str: ...
    @property
    def manifest(self) -> Manifest: ...
    @property
    def dimension(self) -> int: ...
    @property
    def background(self) -> Background: ...
    @property
    def evidence(self) -> Evidence | None: ...
    @property
    def unrelated(self) -> Any: ...
    @property
    def view(self) -> View: ...
    @property
    def reading(self) -> Reading: ...
    @property
    def provenance(self) -> Provenance: ...
    @property
    def folder(self) -> Path: ...
    @property
    def observations(self) -> Words: ...

    def all_vectors(self) -> np.ndarray: ...

    def file_of(self, entry: Entry, workspace: Workspace) -> Path: ...

    def part(self, config: QueryConfig, workspace: Workspace) -> QueryPart: ...
