"""The writer of an index's observations. `database` describes the file."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from paperclip_cli.files import replacing
from paperclip_cli.indexes.database import FILE, OBSERVED, PROPOSAL, Entry
from paperclip_cli.records import Key, Observation, Proposal, Wcs, to_json
from paperclip_cli.sky.footprint import observed_footprint
from paperclip_cli.text.words import spaced

# Two full-text tables, because the words of a proposal are shared by its images and those of a
# target are not.
_SCHEMA = f"""
CREATE TABLE proposals (
    id INTEGER PRIMARY KEY, split TEXT, {", ".join(f"p_{name}" for name in PROPOSAL)}
);
CREATE TABLE images (
    id INTEGER PRIMARY KEY, proposal INTEGER REFERENCES proposals, sky_ra, sky_dec, sky_radius,
    {", ".join(FILE)}, {", ".join(OBSERVED)}
);
CREATE VIRTUAL TABLE proposal_words USING fts5(title, abstract, content='');
CREATE VIRTUAL TABLE image_words USING fts5(target, content='');
"""
_INDEXES = """
CREATE INDEX visits ON images (proposal, target);
CREATE INDEX keys ON proposals (p_mission, p_proposal_id);
"""


def write_observations(
    path: Path,
    entries: Iterable[Entry],
    proposals: Mapping[Key, Proposal],
    splits: Mapping[Key, str],
) -> None:
    """Writes the file, which appears at `path` only when it is whole.

    `entries` are in the order of their vectors. Proposals without images are left out.
    """
    with replacing(path) as temporary:
        _write(temporary, list(entries), proposals, splits)


def _write(
    path: Path,
    entries: Sequence[Entry],
    proposals: Mapping[Key, Proposal],
    splits: Mapping[Key, str],
) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        # Nobody reads the file before it is whole, so it needs no journal of its own.
        connection.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_SCHEMA}")
        connection.execute("BEGIN")
        keys = {entry.key for entry in entries if entry.key is not None}
        numbers = _write_proposals(connection, keys, proposals, splits)
        _write_images(connection, entries, numbers)
        connection.execute("COMMIT")
        connection.executescript(_INDEXES)
    finally:
        connection.close()


def _write_proposals(
    connection: sqlite3.Connection,
    keys: Iterable[Key],
    proposals: Mapping[Key, Proposal],
    splits: Mapping[Key, str],
) -> dict[Key, int]:
    """Writes the proposals of some `keys`, and returns their numbers in the file."""
    numbers = {key: number for number, key in enumerate(sorted(keys), 1)}
    records = {key: proposals.get(key) or Proposal(**key._asdict(), abstract="") for key in numbers}

    rows = (
        (number, splits.get(key, "none"), *(getattr(records[key], name) for name in PROPOSAL))
        for key, number in numbers.items()
    )
    _insert(connection, "proposals", 2 + len(PROPOSAL), rows)

    words = (
        (number, spaced(records[key].title), spaced(records[key].abstract))
        for key, number in numbers.items()
    )
    connection.executemany(
        "INSERT INTO proposal_words (rowid, title, abstract) VALUES (?, ?, ?)", words
    )
    return numbers


def _write_images(
    connection: sqlite3.Connection, entries: Iterable[Entry], numbers: Mapping[Key, int]
) -> None:
    def rows() -> Iterator[tuple]:
        first = 0
        for entry in entries:
            number = None if entry.key is None else numbers[entry.key]
            yield (
                first,
                number,
                *circle(entry.observation),
                *(_stored(getattr(entry, name)) for name in FILE),
                *(_stored(getattr(entry.observation, name)) for name in OBSERVED),
            )
            first += entry.tiles

    _insert(connection, "images", 5 + len(FILE) + len(OBSERVED), rows())

    words = connection.execute("SELECT id, target FROM images WHERE target IS NOT NULL").fetchall()
    connection.executemany(
        "INSERT INTO image_words (rowid, target) VALUES (?, ?)",
        ((id, spaced(target)) for id, target in words),
    )


def _insert(connection: sqlite3.Connection, table: str, width: int, rows: Iterable[tuple]) -> None:
    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", rows)


def circle(observation: Observation) -> tuple[float | None, float | None, float | None]:
    """Centre and radius, in degrees, of the circle around a footprint.

    A cone search tests the circle first.
    """
    footprint = observed_footprint(observation)
    if footprint is None:
        return None, None, None

    x, y, z = footprint.centre
    return (
        math.degrees(math.atan2(y, x)) % 360,
        math.degrees(math.atan2(z, math.hypot(x, y))),
        math.degrees(footprint.radius),
    )


def _stored(value: object) -> object:
    if isinstance(value, Wcs):
        return to_json(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else value
