"""The collections of an index in Milvus.

    NAME_meta              the head, and records in pieces
    NAME_rows_<n>          rows of generation n: the columns that conditions are tested on, and the
                           rest as JSON
    NAME_proposals_<n>     its proposals

The head names the generation and its records, the first number that no row has, and the rows that
are to be deleted. Rows beyond that number, and those to be deleted, are not part of the index.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paperclip_cli.engines.address import Address
from paperclip_cli.engines.base import VECTOR, Box, Filter, Found, Near
from paperclip_cli.engines.columns import COLUMNS
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.install import extra_line

if TYPE_CHECKING:
    from pymilvus import MilvusClient

EXTRA = "milvus"
GRAPH_FROM = 10_000  # rows from which there is a graph
LINKS, BUILD_CANDIDATES = 16, 100  # of the graph, as in `indexes.hnsw`
BLOCK = 1_024  # rows read or written at once
_IDS = 4_096  # of one condition
# The columns that Milvus can test. The others are kept as a list in JSON.
_TESTED = (
    *("id", "tile", "proposal", "mission", "proposal_id", "path", "target", "t_min"),
    *("target_key", "mission_key", "instrument_keys", "filter_keys", "cycle_key"),
    *("sky_x", "sky_y", "sky_z", "sky_reach"),
)
_REST = tuple(column.name for column in COLUMNS if column.name not in _TESTED)
REST, FLAT = "rest", "flat"  # the column of the others; that of a vector which is not one
# Lists of texts are kept as one text, `|ACS|WFC|`: Milvus Lite tests patterns fifty times as fast.
_LISTS = tuple(
    column.name for column in COLUMNS if column.type == "texts" and column.name in _TESTED
)
_SIGN = "|"
_SIGNS = "%_|=\\\"'"
_HEAD = "head"


@dataclass(frozen=True, kw_only=True)
class Head:
    """What is part of the index. `records` maps a name to (version, pieces)."""

    generation: int = 0
    next_row: int = 0
    dead: int = 0
    has_graph: bool = False
    records: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def check_installed(address: Address) -> None:
    """Raises a PaperclipError, with the command that installs it, where the extra is missing."""
    from importlib.util import find_spec

    wanted = ["pymilvus", "milvus_lite"] if file_of(address) else ["pymilvus"]
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        raise PaperclipError(f"{missing[0]} is not installed", extra_line(EXTRA))


def file_of(address: Address) -> str:
    """The file of Milvus Lite; empty for a server. `milvus:////a.db` is /a.db."""
    from urllib import parse

    parts = parse.urlsplit(address.server)
    return "" if parts.netloc else parse.unquote(parts.path[1:])


def connect(address: Address) -> MilvusClient:
    """A client of the address."""
    from urllib import parse

    from pymilvus import MilvusClient

    file = file_of(address)
    if file:
        if not file.endswith(".db"):
            raise UsageError("a file of Milvus Lite ends in .db", f"name it {file}.db")
        Path(file).absolute().parent.mkdir(parents=True, exist_ok=True)
        return MilvusClient(str(Path(file).absolute()))
    parts = parse.urlsplit(address.server)
    given = dict(parse.parse_qsl(parts.query))
    scheme = "https" if given.get("secure", "").lower() in ("1", "true", "yes") else "http"
    return MilvusClient(
        uri=f"{scheme}://{parts.hostname}:{parts.port or 19530}",
        user=parse.unquote(parts.username or ""),
        password=parse.unquote(parts.password or ""),
        token=given.get("token", ""),
        db_name=parts.path.strip("/"),
        timeout=30,
    )


class Tables:
    """The collections of an index. `hides` is off while they are written."""

    def __init__(self, client: MilvusClient, name: str, is_file: bool) -> None:
        self._client, self._name, self.hides = client, name, True
        self._is_file, self._has_more = is_file, True
        self.meta = f"{name}_meta"
        self.head, self.dead = Head(), np.empty(0, np.int64)

    def named(self, kind: str, generation: int | None = None) -> str:
        number = self.head.generation if generation is None else generation
        return f"{self._name}_{kind}_{number}"

    def refresh(self) -> None:
        """Reads the head."""
        self.hides = True
        self.head, self.dead = Head(), np.empty(0, np.int64)
        if not self._client.has_collection(self.meta):
            return
        self._client.load_collection(self.meta)  # a file that is opened has none in memory
        found = self._client.query(self.meta, ids=[_HEAD], output_fields=["value"])
        if not found:
            return
        said = json.loads(found[0]["value"])
        records = {name: (version, pieces) for name, (version, pieces) in said["records"].items()}
        self.head = Head(**{**said, "records": records})
        for kind in ("rows", "proposals"):
            self._client.load_collection(self.named(kind))
        # A file has one process: nobody adds rows while it is read.
        self._has_more = not self._is_file or bool(
            self._client.query(
                self.named("rows"),
                filter=f"id >= {self.head.next_row}",
                output_fields=["id"],
                limit=1,
            )
        )
        if self.head.dead:
            self.dead = np.array(json.loads(self.records(["dead"])["dead"]), np.int64)

    def records(self, names: Sequence[str]) -> dict[str, bytes]:
        found = {}
        for name in names:
            if name in self.head.records:
                version, pieces = self.head.records[name]
                keys = [f"{name}@{version}/{number}" for number in range(pieces)]
                rows = self._client.query(self.meta, ids=keys, output_fields=["key", "value"])
                values = {row["key"]: row["value"] for row in rows}
                found[name] = base64.b64decode("".join(values[key] for key in keys))
        return found

    def count(self, filters: Sequence[Filter], most: int | None = None) -> int:
        """The number of rows that meet the filters, counted no further than `most`."""
        name, total = self.named("rows"), 0
        for clause in self._clauses(filters):
            if most is None:
                found = self._client.query(name, filter=clause, output_fields=["count(*)"])
                total += int(found[0]["count(*)"])
            else:  # Milvus Lite counts all rows by reading them
                some = self._client.query(name, filter=clause, output_fields=["id"], limit=most)
                total += len(some)
        return total if most is None else min(total, most)

    def rows(self, columns: Sequence[str], filters: Sequence[Filter]) -> Iterator[tuple]:
        """Columns of the rows that meet the filters."""
        fields = [name for name in columns if name in _TESTED or name == VECTOR]
        fields += [REST] if len(fields) < len(columns) else []
        for clause in self._clauses(filters):
            is_short = clause.startswith("id in")
            for row in self._few(clause, fields) if is_short else self._pages(clause, fields):
                values = dict(zip(_REST, json.loads(row[REST]), strict=True)) if REST in row else {}
                yield tuple(_read(name, row, values) for name in columns)

    def _few(self, clause: str, fields: Sequence[str]) -> Sequence[Mapping]:
        """The rows of a list of ids, which is short."""
        return self._client.query(
            self.named("rows"), filter=clause, output_fields=list(fields), limit=2 * _IDS
        )

    def _pages(self, clause: str, fields: Sequence[str]) -> Iterator[Mapping]:
        pages = self._client.query_iterator(
            self.named("rows"), batch_size=BLOCK, filter=clause, output_fields=list(fields)
        )
        try:
            while page := pages.next():
                yield from page
        finally:
            pages.close()

    def search(
        self,
        vector: np.ndarray,
        filters: Sequence[Filter],
        k: int,
        parameters: Mapping[str, int],
        with_vectors: bool,
    ) -> Found:
        """The rows that Milvus finds nearest."""
        fields = ["path", VECTOR] if with_vectors else ["path"]
        hits: list[Any] = []
        for clause in self._clauses(filters):
            hits += self._client.search(
                self.named("rows"),
                data=[vector.tolist()],
                filter=clause,
                limit=k,
                output_fields=fields,
                search_params={"metric_type": "IP", "params": dict(parameters)},
            )[0]
        hits = sorted(hits, key=lambda hit: -hit["distance"])[:k]
        vectors = None
        if with_vectors:
            vectors = np.array([hit["entity"][VECTOR] for hit in hits], np.float32)
            vectors = vectors.reshape(len(hits), len(vector))
        return Found(
            ids=np.array([hit["id"] for hit in hits], np.int64),
            paths=[hit["entity"]["path"] for hit in hits],
            scores=np.array([hit["distance"] for hit in hits], np.float32),
            vectors=vectors,
            is_all=len(hits) < k,
        )

    def proposals(self, numbers: Sequence[int]) -> Iterator[tuple]:
        for start in range(0, len(numbers), BLOCK):
            block = list(numbers[start : start + BLOCK])
            found = self._client.query(
                self.named("proposals"), ids=block, output_fields=["number", REST]
            )
            for row in found:
                *values, words = json.loads(row[REST])
                yield (row["number"], *values, base64.b64decode(words))

    def bytes(self, address: Address) -> int:
        """The size of a file of Milvus Lite on disk; 0 for a server, which does not tell."""
        file = file_of(address)
        paths = Path(file).rglob("*") if file else ()
        return sum(path.stat().st_size for path in paths if path.is_file())

    def drop(self) -> None:
        for name in [self.meta, *self.others(None)]:
            if self._client.has_collection(name):
                self._client.drop_collection(name)

    def others(self, generation: int | None) -> list[str]:
        """The collections of every generation but one."""
        kept = () if generation is None else (self.named("rows"), self.named("proposals"))
        starts = (f"{self._name}_rows_", f"{self._name}_proposals_")
        found = [name for name in self._client.list_collections() if name.startswith(starts)]
        return [name for name in found if name.rpartition("_")[2].isdigit() and name not in kept]

    def _clauses(self, filters: Sequence[Filter]) -> Iterator[str]:
        """The filters as Milvus reads them; several where a list of ids is too long for one."""
        filters = list(filters)
        if self.hides and self._has_more:
            filters.append(Filter("id", "less", self.head.next_row))
        ids = next((one for one in filters if one.column == "id" and one.operator == "in"), None)
        rest = [_expression(one) for one in filters if one is not ids]
        if ids is None:
            if self.hides and len(self.dead):
                rest.append(f"id not in {self.dead.tolist()}")
            yield " and ".join(rest)
            return
        found = sorted({*map(int, ids.value)} - ({*self.dead.tolist()} if self.hides else set()))
        for start in range(0, len(found), _IDS):
            yield " and ".join([f"id in {found[start : start + _IDS]}", *rest])


def head_record(head: Head) -> dict[str, str]:
    return {"key": _HEAD, "value": json.dumps(asdict(head))}


def stored_row(values: Sequence, vector: np.ndarray) -> dict[str, Any]:
    """A row as Milvus keeps it."""
    row = dict(zip((column.name for column in COLUMNS), values, strict=True))
    rest = json.dumps([row[name] for name in _REST], ensure_ascii=False)
    tested = {name: row[name] for name in _TESTED}
    for name in _LISTS:
        tested[name] = _SIGN + "".join(f"{_plain(one)}{_SIGN}" for one in row[name] or ())
    return {**tested, REST: rest, VECTOR: vector.tolist()}


def stored_proposal(values: Sequence) -> dict[str, Any]:
    number, *rest, words = values
    text = json.dumps([*rest, base64.b64encode(words).decode()], ensure_ascii=False)
    return {"number": number, REST: text, FLAT: [1.0, 0.0]}


def in_pieces(data: bytes, size: int = 60_000) -> Iterator[str]:
    """Bytes as texts that fit into a field."""
    text = base64.b64encode(data).decode()
    for start in range(0, max(1, len(text)), size):
        yield text[start : start + size]


def in_groups(items: Iterator[dict], size: int = BLOCK) -> Iterator[list[dict]]:
    while group := list(islice(items, size)):
        yield group


def _read(name: str, row: Mapping, values: Mapping) -> Any:
    if name == VECTOR:
        return np.array(row[VECTOR], np.float32)
    if name not in _TESTED:
        return values[name]
    if name in _LISTS:
        return [unquote(one) for one in row[name].split(_SIGN) if one]
    return row[name]


def _plain(text: str) -> str:
    """A text without the signs that mean something in a pattern, or between the texts of a list."""
    return "".join(f"={ord(sign):x};" if sign in _SIGNS else sign for sign in text)


def unquote(text: str) -> str:
    """The text before `_plain`."""
    return re.sub(r"=([0-9a-f]+);", lambda found: chr(int(found[1], 16)), text)


def _expression(one: Filter) -> str:
    column, value = one.column, one.value
    match one.operator:
        case "in":
            return f"{column} in {_list(value)}" if len(value) else "id < 0"
        case "any":
            either = [
                f"{column} like {json.dumps(f'%{_SIGN}{_plain(one)}{_SIGN}%')}" for one in value
            ]
            return f"({' or '.join(either)})" if either else "id < 0"
        case "at least":
            return f"{column} >= {value!r}"
        case "less":
            return f"{column} < {value!r}"
        case "unknown":
            return f"{column} is null"
    return _near(value)


def _list(values: Sequence) -> str:
    return "[" + ", ".join(json.dumps(value, ensure_ascii=False) for value in values) + "]"


def _near(near: Near) -> str:
    either = [_box(box) for box in near.boxes]
    if near.wide is not None:
        either.append(f"sky_reach > {near.wide!r}")
    return f"({' or '.join(either)})"


def _box(box: Box) -> str:
    sides = [
        f"sky_{axis} >= {middle - box.half!r} and sky_{axis} <= {middle + box.half!r}"
        for axis, middle in zip("xyz", box.centre, strict=True)
    ]
    return f"({' and '.join(sides)})"
