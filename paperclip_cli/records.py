"""The records of the project as frozen dataclasses, and their form as JSON Lines.

Everything is keyed by (mission, proposal), because Hubble and JWST use the same proposal numbers:
`hst:15354`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from paperclip_cli.errors import PaperclipError

Record = TypeVar("Record")
MOST_TOKENS = 512  # of a language model's answer, unless it is told: three times 80 words in JSON


class Key(NamedTuple):
    """A proposal of a mission, printed `hst:15354`."""

    mission: str
    proposal_id: int

    def __str__(self) -> str:
        return f"{self.mission}:{self.proposal_id}"

    @classmethod
    def parse(cls, text: str) -> Key:
        """`hst:15354` -> Key("hst", 15354). ValueError for any other form."""
        mission, _, number = text.partition(":")
        if not mission or not number.isdigit():
            raise ValueError(f"not a proposal key: {text!r}")
        return cls(mission, int(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A record of a proposal catalogue. Text fields are single lines, empty where unknown."""

    mission: str
    proposal_id: int
    abstract: str
    title: str = ""
    category: str = ""
    cycle: str = ""
    pi: str = ""
    proposal_type: str = ""

    @property
    def key(self) -> Key:
        return Key(self.mission, self.proposal_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The observation behind an image. Fields are None (or empty) where unknown.

    Names are ObsCore's where it has one: `s_ra`, `s_dec` in degrees (ICRS), `s_region` an STC-S
    footprint, `t_min` a Modified Julian Date, `t_exptime` in seconds.
    """

    target: str | None = None
    moving: bool | None = None
    s_ra: float | None = None
    s_dec: float | None = None
    s_region: str | None = None
    instrument: str | None = None
    detector: str | None = None
    filters: tuple[str, ...] = ()
    cycle: str | None = None
    obs_id: str | None = None
    t_min: float | None = None
    t_exptime: float | None = None
    access_url: str | None = None
    preview_uri: str | None = None
    product_uri: str | None = None
    parallel: bool | None = None


@dataclass(frozen=True, slots=True)
class Wcs:
    """A gnomonic (TAN) projection, in the terms of FITS.

    `crval` is in degrees (ICRS), `crpix` in pixels, `cd` (CD1_1, CD1_2, CD2_1, CD2_2) in degrees
    per pixel. As in FITS, pixels are counted from 1 and from the bottom row up: row r from the top
    of a picture of H rows is y = H - r.
    """

    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A fetched preview: a padded square JPEG in the cache.

    `image` is its path relative to the folder of its `previews.jsonl`, `sha256` the hash of the
    file's bytes, and `side` its side in pixels. `original` is its name in the archive. `wcs` places
    its pixels on the sky, where the archive gives it.
    """

    mission: str
    proposal_id: int
    image: str
    sha256: str
    side: int
    original: str
    observation: Observation = field(default_factory=Observation)
    wcs: Wcs | None = None

    @property
    def key(self) -> Key:
        return Key(self.mission, self.proposal_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """The attempts of a language model at one summary.

    `seed`, `temperature` and `max_tokens` (the limit of an answer) are what its last request said,
    answered or not; None was not sent. `varied` tells what a server's refusals changed in it.
    `tries` counts the answers. `prompt_tokens`, `tokens` (generated) and `seconds` are sums over
    all of them, and `items` is the sum over those of valid form.
    `dropped` holds the items among them that broke a rule, each after the rule's name (`generic:
    faint objects`). `refused` holds the reason for each retry; the list that was valid is kept.
    `cut` counts the sentences of the abstract for which the model had no room.
    """

    seed: int | None
    temperature: float | None = 0.0
    max_tokens: int | None = MOST_TOKENS
    varied: tuple[str, ...] = ()
    tries: int = 1
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0
    items: int = 0
    dropped: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A structured summary of an abstract: 1-5 objects and phenomena, 1-5 science use cases.

    `evidence` has one entry per item, objects first: the words of the abstract that support the
    item. `made` is None where no language model was used.
    """

    mission: str
    proposal_id: int
    objects_and_phenomena: tuple[str, ...]
    science_use_cases: tuple[str, ...]
    backend: str
    model: str = ""
    version: str = ""
    evidence: tuple[str, ...] = ()
    derived: bool = False
    made: Making | None = None

    @property
    def key(self) -> Key:
        return Key(self.mission, self.proposal_id)

    @property
    def text(self) -> str:
        """`objects; science use cases`, each a comma-separated list (the paper's caption)."""
        return "; ".join(
            ", ".join(items)
            for items in (self.objects_and_phenomena, self.science_use_cases)
            if items
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """A proposal with its summaries by set, its images by path, and its page in the archive."""

    proposal: Proposal
    summaries: Mapping[str, Summary]
    images: Mapping[str, Observation]
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedSummary:
    """A proposal that could not be summarized: the reason, and the text of the last answer.

    `may_pass` means that another attempt, on another day, may succeed.
    """

    mission: str
    proposal_id: int
    reason: str
    backend: str
    model: str = ""
    version: str = ""
    text: str = ""
    may_pass: bool = False
    made: Making | None = None

    @property
    def key(self) -> Key:
        return Key(self.mission, self.proposal_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An image that answers a query.

    Its fields have the names of `query --json`, and the order of its tables (`output.hits`). Those
    of the observation are as in `Observation`.

    `score` is a cosine, and `percentile` (0 to 100) its rank among the scores of unrelated texts
    against the same index. Both are None for the hits of a plain cone search. `p_chance` (0 to 1)
    is the estimated probability that a text which has nothing to do with the images would find a
    hit as good under the same conditions; None where the query has no text. `image` is an absolute
    path. `separation`, in arcmin, is measured from the centre of the observation to the
    centre of the cone. `more` counts the other images of the same proposal and target that this hit
    represents. `split` is its side of the model's data: train, validation, test or none. `s_fov`,
    in degrees, is the width of the square that just holds the image, if the file itself says where
    it lies. In an index of tiles, `tile_region` is the STC-S polygon of the tile that scored.
    `provenance` names the software, the index and the model that gave the hit.
    """

    rank: int
    query: str
    score: float | None
    percentile: float | None
    p_chance: float | None = None
    mission: str | None
    proposal_id: int | None
    image: str
    title: str
    split: str
    target: str | None = None
    s_ra: float | None = None
    s_dec: float | None = None
    separation: float | None = None
    instrument: str | None = None
    detector: str | None = None
    filters: tuple[str, ...] = ()
    cycle: str | None = None
    category: str = ""
    obs_id: str | None = None
    t_min: float | None = None
    t_exptime: float | None = None
    s_region: str | None = None
    s_fov: float | None = None
    tile_region: str | None = None
    access_url: str | None = None
    preview_uri: str | None = None
    product_uri: str | None = None
    more: int = 0
    provenance: str = ""
    abstract: str = ""

    @property
    def key(self) -> Key | None:
        if self.mission is None or self.proposal_id is None:
            return None
        return Key(self.mission, self.proposal_id)


@dataclass(frozen=True)
class Provenance:
    """The software, the index and the model behind an answer, and the model's fingerprint."""

    software: str
    index: str
    model: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.software}, index {self.index}, model {self.model} {self.fingerprint[:12]}"


def to_json(record: object) -> str:
    """One line of JSON, without the fields that have their default value."""
    return json.dumps(_plain(record), ensure_ascii=False, separators=(",", ":"))


def from_dict(kind: type[Record], values: dict) -> Record:
    """Builds a `kind` from decoded JSON.

    Unknown names are ignored, so that an older program reads a newer file.
    """
    names, tuples, nested = _shape(kind)  # type: ignore[arg-type]
    known = {name: value for name, value in values.items() if name in names}
    for name in tuples & known.keys():
        known[name] = tuple(known[name])
    for name, inner in nested.items():
        if known.get(name) is not None:
            known[name] = from_dict(inner, known[name])
    return kind(**known)


def checked(record: Record) -> Record:
    """The record itself, if its values have the types that its class declares.

    JSON from elsewhere may hold anything.

    Raises:
        TypeError: a value has another type.
    """
    hints = typing.get_type_hints(type(record))
    for name, hint in hints.items():
        value = getattr(record, name)
        if not any(_fits(value, option) for option in _options(hint)):
            raise TypeError(f"{name} of a {type(record).__name__} is {str(value)[:40]!r}")
    return record


def _fits(value: object, hint: object) -> bool:
    if typing.get_origin(hint) is tuple:
        items = typing.get_args(hint)
        is_tuple = isinstance(value, tuple) and (items[-1] is Ellipsis or len(value) == len(items))
        return is_tuple and all(_fits(item, items[0]) for item in value)  # type: ignore[attr-defined]
    if dataclasses.is_dataclass(hint):
        return type(value) is hint and checked(value) is value
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    return type(value) is hint


def write_jsonl(records: Iterable[object]) -> str:
    """The text of a JSON Lines file."""
    return "".join(to_json(record) + "\n" for record in records)


def read_jsonl(path: Path, kind: type[Record], skip_damaged: bool = False) -> Iterator[Record]:
    """Reads records.

    A torn last line, from a process that died while appending, is ignored. Any other bad line is a
    PaperclipError, or is skipped with `skip_damaged`.
    """
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            yield from_dict(kind, json.loads(line))
        except (ValueError, TypeError, AttributeError) as error:
            if skip_damaged or number == len(lines):
                continue
            raise PaperclipError(
                f"{path}, line {number}: not a {kind.__name__} record ({error})",
                "redo the stage that wrote it with --force",
            ) from error


def _plain(record: object) -> object:
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        pairs = ((f, getattr(record, f.name)) for f in dataclasses.fields(record))
        return {f.name: _plain(value) for f, value in pairs if not _is_default(f, value)}
    if isinstance(record, tuple):
        return [_plain(item) for item in record]
    return record


def _is_default(f: dataclasses.Field, value: object) -> bool:
    if f.default_factory is not dataclasses.MISSING:
        return value == f.default_factory()
    return f.default is not dataclasses.MISSING and value == f.default


@cache
def _shape(kind: type) -> tuple[frozenset[str], frozenset[str], dict[str, type]]:
    """The field names of a record class, those of tuples, and those of records with their class."""
    hints = typing.get_type_hints(kind)
    names = {f.name for f in dataclasses.fields(kind)}
    tuples = {n for n in names if any(typing.get_origin(o) is tuple for o in _options(hints[n]))}
    nested = {
        n: option
        for n in names
        for option in _options(hints[n])
        if dataclasses.is_dataclass(option) and isinstance(option, type)
    }
    return frozenset(names), frozenset(tuples), nested


def _options(hint: object) -> tuple[object, ...]:
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)
