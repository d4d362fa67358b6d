"""An index in Milvus, or in a file of Milvus Lite.

Milvus has no transactions. So a row that is not yet, or no longer, part of the index is hidden by
the head, a record that is replaced in one step (`milvus_tables`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from paperclip_cli.engines.address import Address
from paperclip_cli.engines.base import VECTOR, Filter, Found
from paperclip_cli.engines.milvus_tables import Tables, check_installed, connect, file_of
from paperclip_cli.engines.milvus_writer import MilvusWriter
from paperclip_cli.errors import PaperclipError

if TYPE_CHECKING:
    from pymilvus import MilvusClient

# Candidates of the graph for each row that is asked for, at least so many in all. Under a condition
# fewer return fewer rows than there are, without a word.
_EACH, _LEAST = 20, 800
_MOST = 16_384  # rows of one search: what Milvus allows


class Milvus:
    """A client of an index in Milvus. Threads share it, and take turns.

    Raises:
        PaperclipError: the client is not installed, or the server cannot be reached.
    """

    few = 1_000

    def __init__(self, address: Address) -> None:
        check_installed(address)
        self.address, self._turn = address, threading.RLock()
        with self._told():
            self._client: MilvusClient = connect(address)
        self._tables = Tables(self._client, address.table, bool(file_of(address)))

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        with self._turn, self._told():
            self._tables.refresh()
            return self._tables.records(names)

    def search(
        self,
        vector: np.ndarray,
        filters: Sequence[Filter],
        k: int,
        is_exact: bool,
        with_vectors: bool,
    ) -> Found:
        with self._turn, self._told():
            has_graph = self._tables.head.has_graph
            if k <= _MOST and not (is_exact and has_graph):
                parameters = {"ef": max(_EACH * k, _LEAST)} if has_graph else {}
                found = self._tables.search(vector, filters, k, parameters, with_vectors)
                if len(found.ids) >= k or not has_graph:
                    return found
            return self._exactly(vector, filters, k)

    def _exactly(self, vector: np.ndarray, filters: Sequence[Filter], k: int) -> Found:
        """The best of all rows that meet the filters, which are read for it."""
        ids, paths, scores, vectors = [], [], [], []
        for id, path, values in self._tables.rows(("id", "path", VECTOR), filters):
            ids.append(id)
            paths.append(path)
            vectors.append(values)
            scores.append(float(values @ vector))
            if len(ids) >= 2 * max(k, _MOST):
                ids, paths, scores, vectors = _best(k, ids, paths, scores, vectors)
        ids, paths, scores, vectors = _best(k, ids, paths, scores, vectors)
        return Found(
            ids=np.array(ids, np.int64),
            paths=paths,
            scores=np.array(scores, np.float32),
            vectors=np.array(vectors, np.float32).reshape(len(ids), len(vector)),
            is_all=len(ids) < k,
        )

    def count(self, filters: Sequence[Filter], most: int | None = None) -> int:
        with self._turn, self._told():
            return self._tables.count(filters, most)

    def fetch(self, columns: Sequence[str], filters: Sequence[Filter]) -> list[tuple]:
        with self._turn, self._told():
            return list(self._tables.rows(columns, filters))

    def proposals(self, numbers: Sequence[int]) -> Iterator[tuple]:
        with self._turn, self._told():
            return iter(self._tables.proposals(list(map(int, numbers))))

    def size(self) -> tuple[int, bool]:
        with self._turn, self._told():
            return self._tables.bytes(self.address), self._tables.head.has_graph

    @contextmanager
    def writing(self) -> Iterator[MilvusWriter]:
        with self._turn, self._told():
            self._tables.refresh()
            writer = MilvusWriter(self._client, self._tables)
            try:
                yield writer
            finally:
                self._tables.refresh()

    def drop(self) -> None:
        with self._turn, self._told():
            self._tables.drop()

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the client as errors for the user, without a password."""
        import logging

        from pymilvus.exceptions import MilvusException

        log = logging.getLogger("pymilvus")
        level = log.level
        log.setLevel(logging.CRITICAL)  # it prints what it raises
        try:
            yield
        except MilvusException as error:
            what = self.address.hidden(" ".join(str(error.message).split())[:300])
            raise PaperclipError(f"{self.address}: {what}", _HINT) from None
        finally:
            log.setLevel(level)


_HINT = "check the address, and that the server answers; a file is open in one process at a time"


def _best(
    k: int, ids: list[int], paths: list[str], scores: list[float], vectors: list[np.ndarray]
) -> tuple[list[int], list[str], list[float], list[np.ndarray]]:
    order = sorted(range(len(ids)), key=lambda place: (-scores[place], paths[place], ids[place]))
    places = order[:k]
    return (
        [ids[one] for one in places],
        [paths[one] for one in places],
        [scores[one] for one in places],
        [vectors[one] for one in places],
    )
