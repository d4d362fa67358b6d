"""The writer of an index in Milvus: rows come first, then the head, and then rows go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from paperclip_cli.engines.base import VECTOR
from paperclip_cli.engines.columns import COLUMNS
from paperclip_cli.engines.milvus_tables import (
    BLOCK,
    BUILD_CANDIDATES,
    FLAT,
    GRAPH_FROM,
    LINKS,
    REST,
    Head,
    Tables,
    head_record,
    in_groups,
    in_pieces,
    stored_proposal,
    stored_row,
)

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_TEXT = 65_535  # bytes
_LONG = 24 * 3_600  # seconds that a graph may take
_KEYS = 16_384  # pieces of records that are looked through


class MilvusWriter:
    """Changes of an index, which readers see when the head is replaced.

    Whatever a killed writer has left is removed first: rows that no head knows, and rows that were
    to be deleted.
    """

    def __init__(self, client: MilvusClient, tables: Tables) -> None:
        self._client, self._tables = client, tables
        self._dead: list[int] = []
        self._proposals: list[dict[str, Any]] = []
        self._without: list[int] = []
        self._next = tables.head.next_row
        if tables.head.generation:
            self._clear()
        tables.hides = False

    def create(self, dimension: int) -> None:
        head = self._tables.head
        self._tables.head = Head(generation=head.generation + 1, records=head.records)
        self._next = 0
        if not self._client.has_collection(self._tables.meta):
            self._make_meta()
        for name in (self._tables.named("rows"), self._tables.named("proposals")):
            if self._client.has_collection(name):  # of a killed writer
                self._client.drop_collection(name)
        self._make_rows(dimension)
        self._make_proposals()

    def upsert(self, rows: Sequence[tuple], vectors: np.ndarray) -> None:
        stored = (stored_row(row, vector) for row, vector in zip(rows, vectors, strict=True))
        for group in in_groups(stored):
            self._client.upsert(self._tables.named("rows"), group)
        self._next = max(self._next, 1 + max((row[0] for row in rows), default=-1))

    def delete(self, ids: Sequence[int]) -> None:
        self._dead += map(int, ids)

    def put_proposals(self, proposals: Iterable[tuple]) -> None:
        """Those that are there already are replaced at the end, with what their rows say."""
        name = self._tables.named("proposals")
        for group in in_groups(map(stored_proposal, proposals)):
            numbers = [one["number"] for one in group]
            found = self._client.query(name, ids=numbers, output_fields=["number"])
            known = {row["number"] for row in found}
            self._proposals += [one for one in group if one["number"] in known]
            if new := [one for one in group if one["number"] not in known]:
                self._client.upsert(name, new)

    def delete_proposals(self, numbers: Sequence[int]) -> None:
        self._without += map(int, numbers)

    def write(self, records: Mapping[str, bytes]) -> None:
        head = self._tables.head
        has_graph = self._build_graph() or head.has_graph
        given = {**records, "dead": json.dumps(self._dead).encode()}
        version = 1 + max((number for number, _ in head.records.values()), default=0)
        placed = {name: (version, self._put(name, version, data)) for name, data in given.items()}
        new = replace(
            head,
            next_row=self._next,
            dead=len(self._dead),
            has_graph=has_graph,
            records={**head.records, **placed},
        )
        self._set_head(new)
        self._tables.refresh()
        self._clear()

    def _set_head(self, head: Head) -> None:
        self._client.upsert(self._tables.meta, [{**head_record(head), FLAT: [1.0, 0.0]}])

    def _put(self, name: str, version: int, data: bytes) -> int:
        pieces = [
            {"key": f"{name}@{version}/{number}", "value": text, FLAT: [1.0, 0.0]}
            for number, text in enumerate(in_pieces(data))
        ]
        for start in range(0, len(pieces), 16):
            self._client.upsert(self._tables.meta, pieces[start : start + 16])
        return len(pieces)

    def _clear(self) -> None:
        """Removes what is not part of the index, and changes proposals."""
        tables, client = self._tables, self._client
        dead = tables.dead.tolist()
        rows = tables.named("rows")
        for start in range(0, len(dead), BLOCK):
            client.delete(rows, ids=dead[start : start + BLOCK])
        client.delete(rows, filter=f"id >= {tables.head.next_row}")
        if self._proposals:
            client.upsert(tables.named("proposals"), self._proposals)
        if self._without:
            client.delete(tables.named("proposals"), ids=self._without)
        if tables.head.dead:
            self._set_head(replace(tables.head, dead=0))
        kept = {f"{name}@{version}/" for name, (version, _) in tables.head.records.items()}
        keys = client.query(tables.meta, filter='key != "head"', output_fields=["key"], limit=_KEYS)
        names = [row["key"] for row in keys]
        if old := [key for key in names if key.rpartition("/")[0] + "/" not in kept]:
            client.delete(tables.meta, ids=old)
        for name in tables.others(tables.head.generation):
            client.drop_collection(name)

    def _build_graph(self) -> bool:
        """Replaces exact search by a graph, as soon as there are many rows."""
        name = self._tables.named("rows")
        if self._tables.head.has_graph or self._tables.count([]) < GRAPH_FROM:
            return False
        self._client.flush(name, timeout=_LONG)
        self._client.release_collection(name)
        self._client.drop_index(name, VECTOR, timeout=_LONG)
        parameters = self._client.prepare_index_params()
        parameters.add_index(
            VECTOR,
            index_type="HNSW",
            metric_type="IP",
            params={"M": LINKS, "efConstruction": BUILD_CANDIDATES},
        )
        self._create_index(name, parameters)
        self._client.load_collection(name, timeout=_LONG)
        return True

    def _create_index(self, name: str, parameters: Any) -> None:
        from pymilvus.exceptions import MilvusException

        try:
            self._client.create_index(name, parameters, timeout=_LONG)
        except MilvusException as error:
            # A request that takes long is sent again by the client, and finds its own work.
            if "already exists" not in str(error.message):
                raise

    def _make_rows(self, dimension: int) -> None:
        from pymilvus import DataType

        schema = self._schema()
        types = {"int": DataType.INT64, "float": DataType.DOUBLE}
        stored = stored_row([None] * len(COLUMNS), np.zeros(1))
        for column in COLUMNS:
            if column.name not in stored:
                continue
            if column.name == "id":
                schema.add_field("id", DataType.INT64, is_primary=True)
            elif column.type in types:
                schema.add_field(column.name, types[column.type], nullable=True)
            else:
                schema.add_field(column.name, DataType.VARCHAR, max_length=_TEXT, nullable=True)
        schema.add_field(REST, DataType.VARCHAR, max_length=_TEXT)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dimension)
        self._make(self._tables.named("rows"), schema, VECTOR)

    def _make_proposals(self) -> None:
        from pymilvus import DataType

        schema = self._schema()
        schema.add_field("number", DataType.INT64, is_primary=True)
        schema.add_field(REST, DataType.VARCHAR, max_length=_TEXT)
        schema.add_field(FLAT, DataType.FLOAT_VECTOR, dim=2)
        self._make(self._tables.named("proposals"), schema, FLAT)

    def _make_meta(self) -> None:
        from pymilvus import DataType

        schema = self._schema()
        schema.add_field("key", DataType.VARCHAR, max_length=256, is_primary=True)
        schema.add_field("value", DataType.VARCHAR, max_length=_TEXT)
        schema.add_field(FLAT, DataType.FLOAT_VECTOR, dim=2)
        self._make(self._tables.meta, schema, FLAT)

    def _schema(self) -> Any:
        return self._client.create_schema(auto_id=False, enable_dynamic_field=False)

    def _make(self, name: str, schema: Any, vector: str) -> None:
        parameters = self._client.prepare_index_params()
        parameters.add_index(vector, index_type="FLAT", metric_type="IP")
        self._client.create_collection(
            name, schema=schema, index_params=parameters, consistency_level="Strong"
        )
