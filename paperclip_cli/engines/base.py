"""The engine of an index: what holds its vectors and answers for them, as this program sees it.

An engine holds three things: rows, each a vector with the columns of `columns.COLUMNS`; proposals;
and a few records by name, among them the manifest. Filters are data, which each engine translates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from paperclip_cli.engines.address import Address

VECTOR = "embedding"  # the column of the vector

# How a column is compared: `in` a list of values; `any` of a list of values is in it, which is a
# list itself; at least, or less than, a number; unknown; `near` a place on the sky.
Operator = Literal["in", "any", "at least", "less", "unknown", "near"]


class Filter(NamedTuple):
    """A condition on the rows. `value` is a list, a number, or a `Near`."""

    column: str
    operator: Operator
    value: Any = None


class Box(NamedTuple):
    """A box around a unit vector. `half` is half its side."""

    centre: tuple[float, float, float]
    half: float


class Near(NamedTuple):
    """Boxes in which lies all that an area of the sky can meet, and little else.

    Rows that reach farther than `wide` degrees (None: there are none) may be met from anywhere.
    """

    boxes: tuple[Box, ...]
    wide: float | None


class Found(NamedTuple):
    """Rows that a search found, in no particular order: their ids int64 [n] and paths, and more.

    `scores` float32 [n] are their cosines as the engine computes them, `vectors` float32 [n, D] are
    there where they were asked for. `is_all` means that no other row meets the filters.
    """

    ids: np.ndarray
    paths: list[str]
    scores: np.ndarray
    vectors: np.ndarray | None
    is_all: bool


class Writer(Protocol):
    """Changes of an index, of which readers see all or none."""

    def create(self, dimension: int) -> None:
        """Makes the index anew, without rows."""

    def upsert(self, rows: Sequence[tuple], vectors: np.ndarray) -> None:
        """Adds rows, each the values of `columns.COLUMNS`, or replaces those of the same id."""

    def delete(self, ids: Sequence[int]) -> None: ...

    def put_proposals(self, proposals: Iterable[tuple]) -> None:
        """Adds or replaces proposals, each the values of `columns.PROPOSALS`."""

    def delete_proposals(self, numbers: Sequence[int]) -> None: ...

    def write(self, records: Mapping[str, bytes]) -> None:
        """Writes records, which ends the changes."""


class Engine(Protocol):
    """An index in an engine, open for reading. Threads may share it.

    `few` rows can be searched exactly as quickly as by a graph.
    """

    address: Address
    few: int

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Those of some records that are there; none if there is no index."""

    def search(
        self,
        vector: np.ndarray,
        filters: Sequence[Filter],
        k: int,
        is_exact: bool,
        with_vectors: bool,
    ) -> Found:
        """At least the `k` rows nearest to a normalised vector, or all that meet the filters.

        If not `is_exact`, a graph may miss some of them, but fewer than `k` are found only where
        fewer meet the filters.
        """

    def count(self, filters: Sequence[Filter], most: int | None = None) -> int:
        """The number of rows that meet the filters, counted no further than `most`."""

    def fetch(self, columns: Sequence[str], filters: Sequence[Filter]) -> list[tuple]:
        """Columns of the rows that meet the filters, in no particular order."""

    def proposals(self, numbers: Sequence[int]) -> Iterator[tuple]:
        """The values of `columns.PROPOSALS` of some proposals."""

    def size(self) -> tuple[int, bool]:
        """The bytes of the index on disk, and whether it has a graph."""

    def writing(self) -> AbstractContextManager[Writer]:
        """Changes that are made when the block ends, and dropped where it raises."""

    def drop(self) -> None:
        """Removes the index."""

    def close(self) -> None: ...
