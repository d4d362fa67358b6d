"""The records of an index in an engine: its manifest, and what is known of all its rows."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields

import numpy as np
from numpy.lib import format as npy

from paperclip_cli.engines.base import Engine
from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.contents import Contents
from paperclip_cli.workspace import Manifest

FORMAT = 1
NEAREST = np.dtype([("row", "<i8"), ("score", "<f4")])  # a row of the index, and its cosine
_STATE, _TARGETS, _TEXTS, _NEAREST = "state", "targets", "texts", "nearest"


@dataclass(frozen=True, kw_only=True)
class State:
    """What is known of an index without a look at its rows.

    `version` grows with every change. `next_row` and `next_proposal` are numbers that were never
    used. No row reaches farther than `farthest` degrees. `proposals` are the count of proposals,
    and the first and the last of their numbers in their archives.
    """

    manifest: Manifest
    version: int = 1
    next_row: int = 0
    next_proposal: int = 1
    farthest: float = 0.0
    contents: Contents
    proposals: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Unrelated:
    """What unrelated texts find: their embeddings float32 [T, D], and the best rows of each.

    `nearest` [T, K] has rows and cosines, best first. A list that lost rows ends with rows -1.
    """

    texts: np.ndarray
    nearest: np.ndarray


@dataclass(frozen=True)
class Targets:
    """The names of the targets, and the images of each."""

    images: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[str | None]) -> Targets:
        return cls(Counter(name for name in names if name is not None))

    def by_frequency(self) -> list[str]:
        return sorted(self.images, key=lambda name: (-self.images[name], name))


def read_state(engine: Engine) -> State | None:
    """The state of an index; None if there is none.

    Raises:
        PaperclipError: a later version wrote it, or it is damaged.
    """
    data = engine.read([_STATE]).get(_STATE)
    if data is None:
        return None
    try:
        said = json.loads(data)
        if said["format"] > FORMAT:
            raise PaperclipError(
                f"index {engine.address} was written by a later version of paperclip",
                "update this one",
            )
        known = {one.name for one in fields(Manifest)}
        manifest = Manifest(**{k: v for k, v in said.pop("manifest").items() if k in known})
        held = said.pop("contents")
        contents = Contents(**{**held, "dates": held["dates"] and tuple(held["dates"])})
        own = {one.name for one in fields(State)}
        kept = {name: value for name, value in said.items() if name in own}
        kept["proposals"] = tuple(kept["proposals"])
        return State(manifest=manifest, contents=contents, **kept)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PaperclipError(
            f"the records of index {engine.address} are damaged ({error})",
            "rebuild it with paperclip index --force",
        ) from error


def read_targets(engine: Engine) -> Targets:
    return Targets(json.loads(engine.read([_TARGETS]).get(_TARGETS, b"{}")))


def read_unrelated(engine: Engine) -> Unrelated:
    """The embeddings of the unrelated texts, and the lists of what they find.

    Raises:
        PaperclipError: they are damaged.
    """
    found = engine.read([_TEXTS, _NEAREST])
    try:
        texts, nearest = (
            np.load(io.BytesIO(found[name]), allow_pickle=False) for name in (_TEXTS, _NEAREST)
        )
        if texts.dtype != np.float32 or nearest.dtype != NEAREST or len(texts) != len(nearest):
            raise ValueError("not the tables of unrelated texts")
    except (KeyError, ValueError, EOFError, OSError) as error:
        raise PaperclipError(
            f"the records of index {engine.address} are damaged ({error})",
            "rebuild it with paperclip index --force",
        ) from error
    return Unrelated(texts=texts, nearest=nearest)


def as_record(state: State) -> dict[str, bytes]:
    """The record of a state, as an engine keeps it."""
    said = {"format": FORMAT, **asdict(state)}
    return {_STATE: json.dumps(said, ensure_ascii=False, default=str).encode()}


def as_records(state: State, targets: Targets, unrelated: Unrelated) -> dict[str, bytes]:
    """All records."""
    return {
        _TARGETS: json.dumps(dict(targets.images), ensure_ascii=False).encode(),
        _TEXTS: _packed(unrelated.texts.astype("<f4")),
        _NEAREST: _packed(unrelated.nearest),
        **as_record(state),
    }


def _packed(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    npy.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()
