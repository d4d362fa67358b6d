"""An index in PostgreSQL with pgvector: three tables, NAME, NAME_proposals and NAME_meta."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from paperclip_cli.engines.address import Address
from paperclip_cli.engines.base import VECTOR, Box, Filter, Found, Near
from paperclip_cli.engines.columns import COLUMNS, NAMES, PROPOSALS
from paperclip_cli.engines.postgres_tables import (
    GRAPH_FROM,
    Tables,
    check_installed,
    teach,
    vector_of,
)
from paperclip_cli.errors import PaperclipError

if TYPE_CHECKING:
    import psycopg

Answer = TypeVar("Answer")

# Candidates of the graph (`ef_search`): of a plain search; of one with filters, which it tests only
# afterwards, and then goes on (iterative scans); and the most that there can be, where it does not.
_CANDIDATES, _FILTERED, _MOST_CANDIDATES = 200, 400, 1_000
# Where the planner expects so many times as many rows as are counted at most, they are not counted.
_SURELY = 2
_BATCH = 4_096  # rows of one INSERT that are deleted before
_TYPES = {"int": "int8", "float": "float8", "text": "text", "bool": "bool", "texts": "text[]"}


class Postgres:
    """A connection to an index in PostgreSQL. Threads share it, and take turns.

    Raises:
        PaperclipError: the client is not installed, or the server cannot be reached.
    """

    few = GRAPH_FROM

    def __init__(self, address: Address) -> None:
        check_installed()
        self.address, self._turn = address, threading.RLock()
        self._tables = self._connect()

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        def read(tables: Tables) -> dict[str, bytes]:
            if not tables.exist():
                return {}
            found = tables.execute(
                "SELECT name, value FROM {meta} WHERE name = ANY(%s)", [list(names)]
            )
            return {name: bytes(value) for name, value in found}

        return self._ask(read)

    def search(
        self,
        vector: np.ndarray,
        filters: Sequence[Filter],
        k: int,
        is_exact: bool,
        with_vectors: bool,
    ) -> Found:
        return self._ask(lambda tables: _search(tables, vector, filters, k, is_exact, with_vectors))

    def count(self, filters: Sequence[Filter], most: int | None = None) -> int:
        clause, values = where(filters)
        limit = "" if most is None else f" LIMIT {int(most)}"
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {{rows}} WHERE {clause}{limit}) AS found"

        def count(tables: Tables) -> int:
            # Rows are long: to count some thousand takes as long as to search for ten.
            if most is not None and tables.estimate(clause, values) >= _SURELY * most:
                return most
            ((found,),) = tables.execute(sql, values)
            return int(found)

        return self._ask(count)

    def fetch(self, columns: Sequence[str], filters: Sequence[Filter]) -> list[tuple]:
        clause, values = where(filters)
        sql = f"SELECT {', '.join(columns)} FROM {{rows}} WHERE {clause}"
        place = columns.index(VECTOR) if VECTOR in columns else None
        found = self._ask(lambda tables: tables.execute(sql, values))
        if place is None:
            return found
        return [(*row[:place], row[place].to_numpy(), *row[place + 1 :]) for row in found]

    def proposals(self, numbers: Sequence[int]) -> Iterator[tuple]:
        columns = ", ".join(column.name for column in PROPOSALS)
        sql = f"SELECT {columns} FROM {{proposals}} WHERE number = ANY(%s)"
        for *values, words in self._ask(lambda tables: tables.execute(sql, [list(numbers)])):
            yield (*values, bytes(words))

    def size(self) -> tuple[int, bool]:
        return self._ask(lambda tables: (tables.bytes(), tables.count_about() > 0))

    @contextmanager
    def writing(self) -> Iterator[PostgresWriter]:
        with self._turn, self._told(), self._tables.connection.transaction():
            self._tables.lock(str(self.address))
            yield PostgresWriter(self._tables)

    def drop(self) -> None:
        with self.writing() as writer:
            writer.drop()

    def close(self) -> None:
        self._tables.connection.close()

    def __del__(self) -> None:
        if "_tables" in self.__dict__:
            self.close()

    def _ask(self, ask: Callable[[Tables], Answer]) -> Answer:
        """An answer of the server, of which nothing changes. A lost connection is made again."""
        import psycopg

        with self._turn, self._told():
            try:
                return ask(self._tables)
            except psycopg.OperationalError:
                if not self._tables.connection.closed:
                    raise
            self._tables = self._connect()
            return ask(self._tables)

    def _connect(self) -> Tables:
        import psycopg

        with self._told():
            connection = psycopg.connect(
                self.address.server, autocommit=True, application_name="paperclip"
            )
            teach(connection)
            return Tables(connection, self.address.table)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the client as errors for the user, without a password."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            what = self.address.hidden(" ".join(str(error).split()))
            raise PaperclipError(f"{self.address}: {what}", _hint(error)) from None


class PostgresWriter:
    """Changes within a transaction."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def create(self, dimension: int) -> None:
        self._tables.create(dimension)

    def upsert(self, rows: Sequence[tuple], vectors: np.ndarray) -> None:
        from pgvector import Vector

        self.delete([row[0] for row in rows])
        types = [*(_TYPES[column.type] for column in COLUMNS), "vector"]
        with self._tables.copy("rows", [*NAMES, VECTOR], types) as copy:
            for row, vector in zip(rows, vectors, strict=True):
                copy.write_row((*map(_plain, row), Vector(vector)))

    def delete(self, ids: Sequence[int]) -> None:
        for start in range(0, len(ids), _BATCH):
            self._tables.execute(
                "DELETE FROM {rows} WHERE id = ANY(%s)",
                [list(map(int, ids[start : start + _BATCH]))],
            )

    def put_proposals(self, proposals: Iterable[tuple]) -> None:
        given = list(proposals)
        self.delete_proposals([row[0] for row in given])
        columns = [column.name for column in PROPOSALS]
        types = [{**_TYPES, "bytes": "bytea"}[column.type] for column in PROPOSALS]
        with self._tables.copy("proposals", columns, types) as copy:
            for row in given:
                copy.write_row(tuple(map(_plain, row)))

    def delete_proposals(self, numbers: Sequence[int]) -> None:
        self._tables.execute("DELETE FROM {proposals} WHERE number = ANY(%s)", [list(numbers)])

    def write(self, records: Mapping[str, bytes]) -> None:
        self._tables.finish()
        for name, value in records.items():
            self._tables.execute(
                "INSERT INTO {meta} VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value ="
                " excluded.value",
                [name, value],
            )

    def drop(self) -> None:
        self._tables.drop()


def _plain(value: Any) -> Any:
    """A value as PostgreSQL can hold it: its texts have no NUL."""
    return value.replace("\0", "") if isinstance(value, str) else value


def _search(
    tables: Tables,
    vector: np.ndarray,
    filters: Sequence[Filter],
    k: int,
    is_exact: bool,
    with_vectors: bool,
) -> Found:
    """By the graph, if there is one and it may be used, and else exactly."""
    if not is_exact and tables.count_about() >= GRAPH_FROM:
        found = _by_graph(tables, vector, filters, k, with_vectors)
        if len(found.ids) >= k:
            return found
    return _exactly(tables, vector, filters, k, with_vectors)


def _by_graph(
    tables: Tables, vector: np.ndarray, filters: Sequence[Filter], k: int, with_vectors: bool
) -> Found:
    """The rows that the graph finds. They may be fewer than `k` although more meet the filters."""
    filtered = _FILTERED if tables.vectors.has_iterative_scans else _MOST_CANDIDATES
    candidates = max(2 * k, filtered if filters else _CANDIDATES)
    settings = {
        "hnsw.ef_search": min(candidates, _MOST_CANDIDATES),
        "enable_sort": "off",  # not by way of another index
    }
    if tables.vectors.has_iterative_scans:
        settings["hnsw.iterative_scan"] = "relaxed_order"
    order = tables.vectors.order
    return _found(tables, vector, filters, k, with_vectors, order, settings)


def _exactly(
    tables: Tables, vector: np.ndarray, filters: Sequence[Filter], k: int, with_vectors: bool
) -> Found:
    # The graph's order is another one for the planner.
    order = f"({VECTOR} <#> %(vector)s) + 0.0"
    return _found(tables, vector, filters, k, with_vectors, order, {})


def _found(
    tables: Tables,
    vector: np.ndarray,
    filters: Sequence[Filter],
    k: int,
    with_vectors: bool,
    order: str,
    settings: Mapping[str, object],
) -> Found:
    clause, values = where(filters, named=True)
    more = f", {VECTOR}" if with_vectors else ""
    sql = (
        f"SELECT id, path, -({VECTOR} <#> %(vector)s){more} FROM {{rows}} WHERE {clause}"
        f" ORDER BY {order} LIMIT {int(k)}"
    )
    rows = tables.execute(sql, {**values, "vector": vector_of(vector)}, settings)
    vectors = None
    if with_vectors:
        vectors = np.empty((len(rows), len(vector)), np.float32)
        for place, row in enumerate(rows):
            vectors[place] = row[3].to_numpy()
    return Found(
        ids=np.array([row[0] for row in rows], np.int64),
        paths=[row[1] for row in rows],
        scores=np.array([row[2] for row in rows], np.float32),
        vectors=vectors,
        is_all=len(rows) < k,
    )


def where(filters: Sequence[Filter], named: bool = False) -> tuple[str, Any]:
    """The filters as SQL, and its parameters: a list, or named ones."""
    values: list[Any] = []

    def mark(value: Any) -> str:
        values.append(value)
        return f"%(p{len(values) - 1})s" if named else "%s"

    clauses = [_sql(one, mark) for one in filters]
    given: Any = {f"p{place}": value for place, value in enumerate(values)} if named else values
    return " AND ".join(clauses) or "TRUE", given


def _sql(one: Filter, mark: Callable[[Any], str]) -> str:
    column, value = one.column, one.value
    match one.operator:
        case "in":
            return f"{column} = ANY({mark(_listed(value))})"
        case "any":
            return f"{column} && {mark(list(value))}::text[]"
        case "at least":
            return f"{column} >= {mark(value)}"
        case "less":
            return f"{column} < {mark(value)}"
        case "unknown":
            return f"{column} IS NULL"
    return _near(value, mark)


def _listed(values: Sequence) -> list:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _near(near: Near, mark: Callable[[Any], str]) -> str:
    either = [_box(box, mark) for box in near.boxes]
    if near.wide is not None:
        either.append(f"sky_reach > {mark(near.wide)}")
    return f"({' OR '.join(either)})"


def _box(box: Box, mark: Callable[[Any], str]) -> str:
    sides = [
        f"sky_{axis} BETWEEN {mark(middle - box.half)} AND {mark(middle + box.half)}"
        for axis, middle in zip("zxy", (box.centre[2], *box.centre[:2]), strict=True)
    ]
    return f"({' AND '.join(sides)})"


def _hint(error: psycopg.Error) -> str:
    import psycopg

    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "ask the owner of the database for the right to do this"
    if isinstance(error, psycopg.OperationalError):
        return "check the address, and that the server answers: psql with the same address"
    return "see the server's log"
