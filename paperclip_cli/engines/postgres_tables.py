"""The tables of an index in PostgreSQL, and their indexes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from paperclip_cli.engines.base import VECTOR
from paperclip_cli.engines.columns import COLUMNS, PROPOSALS, Column
from paperclip_cli.errors import PaperclipError
from paperclip_cli.install import extra_line

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

EXTRA = "postgres"
_TABLES = ("rows", "proposals", "meta")
GRAPH_FROM = 10_000  # rows from which a graph is built: below, exact search is as quick
LINKS, BUILD_CANDIDATES = 16, 100  # of the graph, as in `indexes.hnsw`
_INLINE = 1_024  # dimensions of vectors that are kept within the row
_MOST = {"vector": 2_000, "halfvec": 4_000}  # dimensions that a graph takes
_TYPES = {
    "int": "bigint",
    "float": "double precision",
    "text": 'text COLLATE "C"',
    "bool": "boolean",
    "texts": "text[]",
    "bytes": "bytea",
}
# A graph in memory is built many times as fast. The server's own setting is rarely enough.
_BUILD_MEMORY = "1GB"
_INDEXES = (
    "({rows} USING btree (proposal_id, target))",
    "({rows} USING btree (mission_key))",
    "({rows} USING btree (target))",
    "({rows} USING btree (target_key))",
    "({rows} USING btree (cycle_key))",
    "({rows} USING btree (t_min))",
    "({rows} USING gin (instrument_keys))",
    "({rows} USING gin (filter_keys))",
    "({rows} USING btree (sky_z, sky_x, sky_y))",
    "({rows} USING btree (sky_reach) WHERE sky_reach > 0.5)",
)


def check_installed() -> None:
    """Raises a PaperclipError, with the command that installs it, where the extra is missing."""
    from importlib.util import find_spec

    missing = [name for name in ("psycopg", "pgvector") if find_spec(name) is None]
    if missing:
        raise PaperclipError(f"{missing[0]} is not installed", extra_line(EXTRA))


def vector_of(vector: np.ndarray) -> Any:
    from pgvector import Vector

    return Vector(vector)


@dataclass(frozen=True)
class Vectors:
    """What an installed pgvector has, and how a column of vectors of `dimension` is ordered."""

    version: tuple[int, ...]
    dimension: int

    @property
    def type(self) -> str:
        """What the graph holds: halves take half the memory, and are ranked anew as floats."""
        return "halfvec" if self.version >= (0, 7) else "vector"

    @property
    def has_iterative_scans(self) -> bool:
        return self.version >= (0, 8)

    @property
    def may_have_graph(self) -> bool:
        return self.dimension <= _MOST[self.type]

    @property
    def indexed(self) -> str:
        """What the graph is of, as SQL."""
        if self.type == "vector":
            return VECTOR
        return f"({VECTOR}::halfvec({self.dimension}))"

    @property
    def order(self) -> str:
        """The order of the graph, as SQL with the parameter `vector`."""
        of = "" if self.type == "vector" else f"::halfvec({self.dimension})"
        return f"{self.indexed} <#> %(vector)s{of}"


class Tables:
    """The tables NAME, NAME_proposals and NAME_meta, on a connection."""

    def __init__(self, connection: psycopg.Connection, table: str) -> None:
        self.connection, self._table = connection, table

    @cached_property
    def names(self) -> dict[str, sql.Composable]:
        from psycopg import sql

        *schema, name = self._table.split(".")
        made = {"rows": name, "proposals": f"{name}_proposals", "meta": f"{name}_meta"}
        made |= {"obscore": f"{name}_obscore", "graph": f"{name}_graph"}
        return {key: sql.Identifier(*schema, one) for key, one in made.items()}

    def execute(
        self, text: str, values: Any = (), settings: Mapping[str, object] | None = None
    ) -> list[tuple]:
        """The rows of a statement, which names the tables in braces: `{rows}`.

        The `settings` hold for it alone.
        """
        from psycopg import sql

        command = sql.SQL(text).format(**self.names)  # type: ignore[arg-type]
        with self.connection.cursor(binary=True) as cursor:
            if not settings:
                return _all(cursor.execute(command, values))
            with self.connection.transaction():
                given = ", ".join(["set_config(%s, %s, true)"] * len(settings))
                pairs = [str(one) for pair in settings.items() for one in pair]
                cursor.execute(f"SELECT {given}", pairs)
                return _all(cursor.execute(command, values))

    @contextmanager
    def copy(self, table: str, columns: Sequence[str], types: Sequence[str]) -> Iterator[Any]:
        """Writes rows as a stream, in binary."""
        from psycopg import sql

        command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            self.names[table], sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self.connection.cursor() as cursor, cursor.copy(command) as copy:
            copy.set_types(types)
            yield copy

    def exist(self) -> bool:
        """Whether there is an index."""
        from psycopg import sql

        name = self.names["meta"].as_string(self.connection)
        found = self.connection.execute(
            sql.SQL("SELECT to_regclass(%s) IS NOT NULL"), [name]
        ).fetchone()
        return bool(found and found[0])

    def count_about(self) -> int:
        """The number of rows when they were last written, or 0 if there is no graph."""
        name = self.names["graph"].as_string(self.connection)
        found = self.connection.execute(
            "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)", [name]
        ).fetchone()
        return int(found[0]) if found else 0

    def estimate(self, clause: str, values: Any) -> int:
        """The number of rows that the planner expects to meet a condition."""
        ((plan,),) = self.execute(
            f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {{rows}} WHERE {clause}", values
        )
        found = json.loads(plan) if isinstance(plan, str) else plan
        return int(found[0]["Plan"]["Plan Rows"])

    def bytes(self) -> int:
        """The size of the tables and their indexes on disk."""
        names = [self.names[one].as_string(self.connection) for one in _TABLES]
        found = self.connection.execute(
            "SELECT sum(pg_total_relation_size(one::regclass)) FROM unnest(%s::text[]) AS one",
            [names],
        ).fetchone()
        return int(found[0]) if found else 0

    @cached_property
    def vectors(self) -> Vectors:
        name = self.names["rows"].as_string(self.connection)
        found = self.connection.execute(
            "SELECT extversion, (SELECT atttypmod FROM pg_attribute WHERE attrelid ="
            " to_regclass(%s) AND attname = %s) FROM pg_extension WHERE extname = 'vector'",
            [name, VECTOR],
        ).fetchone()
        assert found is not None
        return Vectors(tuple(map(int, found[0].split("."))), int(found[1] or 0))

    def lock(self, name: str) -> None:
        """Refuses a second writer, until the end of the transaction."""
        found = self.connection.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [self._table]
        ).fetchone()
        if not found or not found[0]:
            raise PaperclipError(f"{name} is being written by another process", "try again later")

    def create(self, dimension: int) -> None:
        """Makes the tables anew, and the extension where it is missing.

        Raises:
            PaperclipError: the extension is missing, and must be created by another user.
        """
        self._extend()
        self.drop()
        rows = [f"{column.name} {_type(column)}" for column in COLUMNS]
        proposals = [f"{column.name} {_type(column)}" for column in PROPOSALS]
        # A row with its vector is longer than what PostgreSQL likes to keep in one piece: it would
        # move the vector or the texts elsewhere, which makes a scan several times as slow.
        storage = "PLAIN" if dimension <= _INLINE else "EXTERNAL"
        for statement in (
            f"CREATE TABLE {{rows}} ({', '.join(rows)}, {VECTOR} vector({int(dimension)}) NOT NULL,"
            " PRIMARY KEY (id)) WITH (toast_tuple_target = 8160)",
            f"ALTER TABLE {{rows}} ALTER COLUMN {VECTOR} SET STORAGE {storage}",
            f"CREATE TABLE {{proposals}} ({', '.join(proposals)}, PRIMARY KEY (number))",
            "CREATE TABLE {meta} (name text PRIMARY KEY, value bytea NOT NULL)",
            _OBSCORE,
        ):
            self.execute(statement)
        self.__dict__.pop("vectors", None)

    def finish(self) -> None:
        """Makes the indexes that are missing, now that the rows are there."""
        ((indexes,),) = self.execute(
            "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass",
            [self.names["rows"].as_string(self.connection)],
        )
        if indexes == 1:  # only that of the key
            for index in _INDEXES:
                self.execute(f"CREATE INDEX ON {index[1:-1]}")
        self.execute("ANALYZE {rows}")
        ((rows,),) = self.execute("SELECT count(*) FROM {rows}")
        if rows >= GRAPH_FROM and self.vectors.may_have_graph and not self.count_about():
            self._build_graph()

    def _build_graph(self) -> None:
        *_, name = self._table.split(".")
        vectors = self.vectors
        self.execute(
            f'CREATE INDEX "{name}_graph" ON {{rows}} USING hnsw ({vectors.indexed}'
            f" {vectors.type}_ip_ops) WITH (m = {LINKS}, ef_construction = {BUILD_CANDIDATES})",
            settings={"maintenance_work_mem": _BUILD_MEMORY},
        )

    def drop(self) -> None:
        self.execute("DROP VIEW IF EXISTS {obscore}")
        for table in _TABLES:
            self.execute(f"DROP TABLE IF EXISTS {{{table}}}")

    def _extend(self) -> None:
        import psycopg

        if has_extension(self.connection):
            return
        try:
            with self.connection.transaction():
                self.connection.execute("CREATE EXTENSION vector")
        except psycopg.Error as error:
            raise PaperclipError(
                f"the database lacks pgvector ({' '.join(str(error).split())})",
                "ask its administrator to install pgvector, and to run: CREATE EXTENSION vector;",
            ) from None
        teach(self.connection)


def teach(connection: psycopg.Connection) -> None:
    """Teaches a connection the type of vectors, if the database has it."""
    from pgvector.psycopg import register_vector

    if has_extension(connection):
        register_vector(connection)


def has_extension(connection: psycopg.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone()
    return found is not None


def _all(cursor: psycopg.Cursor) -> list[tuple]:
    return cursor.fetchall() if cursor.description is not None else []


def _type(column: Column) -> str:
    return _TYPES[column.type]


# The columns of ObsCore 1.1 (IVOA), as far as an index knows them.
_OBSCORE = """
CREATE VIEW {obscore} AS SELECT
    'image'::text AS dataproduct_type, 2 AS calib_level, upper(mission) AS obs_collection,
    obs_id, 'ivo://' || coalesce(mission, 'local') || '/' || coalesce(obs_id, path)
        AS obs_publisher_did,
    access_url, NULL::text AS access_format, NULL::bigint AS access_estsize,
    target AS target_name, s_ra, s_dec, 2 * sky_radius AS s_fov, s_region,
    NULL::double precision AS s_resolution, t_min, t_min + t_exptime / 86400 AS t_max, t_exptime,
    NULL::double precision AS t_resolution, NULL::double precision AS em_min,
    NULL::double precision AS em_max, NULL::double precision AS em_res_power,
    NULL::text AS o_ucd, NULL::text AS pol_states, upper(mission) AS facility_name,
    instrument AS instrument_name, mission || ':' || proposal_id AS proposal_id, path AS image
FROM {rows} WHERE tile = 0
"""
