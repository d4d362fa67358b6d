"""The columns of an engine's rows and proposals, and how images become them and come back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

from paperclip_cli.indexes.database import FILE, OBSERVED, PROPOSAL, Entry, Image
from paperclip_cli.indexes.database_writer import circle
from paperclip_cli.records import Key, Observation, Proposal, Wcs, from_dict, to_json
from paperclip_cli.sky.vectors import unit_vector
from paperclip_cli.text.object_names import Parts, parts_of


class Column(NamedTuple):
    """A column: its type is `int`, `float`, `text`, `bool`, `texts` or `bytes`."""

    name: str
    type: str


def _typed(record: type, names: Sequence[str]) -> Iterator[Column]:
    """Columns for some fields of a record, by the types that it gives them."""
    types = {field.name: str(field.type).partition(" | ")[0] for field in fields(record)}
    kinds = {"int": "int", "float": "float", "bool": "bool", "tuple[str, ...]": "texts"}
    return (Column(name, kinds.get(types[name], "text")) for name in names)


# `id` is the number of the row, which a row keeps as long as it lives. The rows of an image follow
# each other, and `tile` counts them. `proposal` is the number of its proposal, 0 for none. The
# columns after the observation's are what conditions are tested on (`conditions`), and what
# unrelated texts find in the vector (`indexes.unrelated`).
COLUMNS = (
    Column("id", "int"),
    Column("tile", "int"),
    Column("proposal", "int"),
    Column("mission", "text"),
    Column("proposal_id", "int"),
    *_typed(Entry, FILE),
    *_typed(Observation, OBSERVED),
    Column("target_key", "text"),
    Column("mission_key", "text"),
    Column("instrument_keys", "texts"),
    Column("filter_keys", "texts"),
    Column("cycle_key", "text"),
    *(Column(f"sky_{name}", "float") for name in "ra dec radius x y z reach".split()),
    Column("mean", "float"),
    Column("deviation", "float"),
)
NAMES = tuple(column.name for column in COLUMNS)
PROPOSALS = (
    Column("number", "int"),
    Column("split", "text"),
    *_typed(Proposal, PROPOSAL),
    Column("words", "bytes"),
)
# The columns that make an image again, beside those of its proposal.
IMAGE = ("id", "tile", "proposal", *FILE, *OBSERVED)


class Spread(NamedTuple):
    """The mean and the deviation of a vector's cosines with unrelated texts."""

    mean: float
    deviation: float


def target_key(parts: Parts) -> str:
    """One text for all ways to write a name, by its parts: `ngc 224`."""
    return " ".join(parts)


def ascii_upper(text: str) -> str:
    """A text in upper case, of which only ASCII letters change, as in SQLite."""
    return text.translate(_UPPER)


_UPPER = {number: number - 32 for number in range(ord("a"), ord("z") + 1)}


def rows_of(
    first: int, entry: Entry, number: int, proposal: Proposal | None, spreads: Sequence[Spread]
) -> list[tuple]:
    """The rows of an image, one for each of its `spreads`. `first` is the id of the first."""
    observation = entry.observation
    mission, proposal_id = entry.key or (None, None)
    cycle = observation.cycle or (proposal.cycle if proposal is not None else None)
    stored = (
        number,
        mission,
        proposal_id,
        *(_stored(getattr(entry, name)) for name in FILE),
        *(_stored(getattr(observation, name)) for name in OBSERVED),
        None if observation.target is None else target_key(parts_of(observation.target)),
        None if mission is None else ascii_upper(mission),
        _places(observation),
        [ascii_upper(name) for name in observation.filters],
        None if cycle is None else ascii_upper(cycle),
        *_sky(observation),
    )
    return [(first + tile, tile, *stored, *spread) for tile, spread in enumerate(spreads)]


def proposal_row(number: int, proposal: Proposal, split: str, words: bytes) -> tuple:
    return (number, split, *(getattr(proposal, name) for name in PROPOSAL), words)


def image_of(values: Sequence, proposals: Mapping[int, tuple]) -> Image:
    """The image of a row, from its columns `IMAGE`, and the rows of proposals by number."""
    id, tile, number = values[:3]
    file = dict(zip(FILE, values[3:], strict=False))
    observed = dict(zip(OBSERVED, values[3 + len(FILE) :], strict=True))
    if file["wcs"] is not None:
        file["wcs"] = from_dict(Wcs, json.loads(file["wcs"]))
    observed["filters"] = tuple(observed["filters"] or ())

    proposal, split = None, "none"
    if number:
        _, split, *known = proposals[number][: 2 + len(PROPOSAL)]
        proposal = Proposal(**dict(zip(PROPOSAL, known, strict=True)))
    key = None if proposal is None else Key(*proposal.key)
    entry = Entry(**file, key=key, observation=Observation(**observed))
    return Image(id=id - tile, tile=tile, entry=entry, proposal=proposal, split=split or "none")


def _stored(value: object) -> object:
    if isinstance(value, Wcs):
        return to_json(value)
    return list(value) if isinstance(value, tuple) else value


def _places(observation: Observation) -> list[str]:
    """What `--instrument` may be for an observation: of `ACS/WFC` all of it, or a part."""
    if observation.instrument is None:
        return []
    parts = f"{ascii_upper(observation.instrument)}/{ascii_upper(observation.detector or '')}"
    pieces = parts.split("/")
    runs = {
        "/".join(pieces[start:end])
        for start in range(len(pieces))
        for end in range(start + 1, len(pieces) + 1)
    }
    return sorted(runs - {""})


def _sky(observation: Observation) -> tuple[float | None, ...]:
    """The circle around a footprint in degrees, its centre as a unit vector, and its reach.

    Within the reach, in degrees, lie the footprint and the given position.
    """
    ra, dec, radius = circle(observation)
    if ra is None or dec is None or radius is None:
        return (None,) * 7
    centre, reach = unit_vector(ra, dec), radius
    if observation.s_ra is not None and observation.s_dec is not None:
        chord = math.dist(unit_vector(observation.s_ra, observation.s_dec), centre)
        reach = max(radius, math.degrees(2 * math.asin(min(1.0, chord / 2))))
    return ra, dec, radius, *centre, reach
