"""References to hits: a proposal (`hst:15354`), an observation, or a file of `query --json`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paperclip_cli.errors import UsageError
from paperclip_cli.records import Key

_KEY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*):([0-9]{1,9})")
_OBS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]{3,99}")
_HINT = (
    "give hst:15354, an observation such as hst_15354_01_acs_wfc_total_jdi601, "
    "or the file of a `paperclip query ... --json`"
)


@dataclass(frozen=True)
class Reference:
    """A proposal, an observation, or a hit with its proposal, observation and science file."""

    key: Key | None = None
    obs_id: str | None = None
    product_uri: str | None = None

    def __str__(self) -> str:
        return self.obs_id or str(self.key)


def read_references(given: Sequence[Any]) -> list[Reference]:
    """The references in some arguments, each once, in order.

    An argument is a text, or a hit of a query. `-` is the output of a query on standard input.

    Raises:
        UsageError: an argument names no hit.
    """
    found = [reference for word in given for reference in _read(word)]
    return list(dict.fromkeys(found))


def _read(word: Any) -> Iterable[Reference]:
    if not isinstance(word, str):
        return [Reference(word.key, _text(word.obs_id), _text(word.product_uri))]
    if word == "-":
        return _hits(sys.stdin.read(), "standard input")
    if Path(word).is_file():
        return _hits(Path(word).read_text(encoding="utf-8", errors="replace"), word)

    key = _KEY.fullmatch(word)
    if key:
        return [Reference(Key(key[1], int(key[2])))]
    if not _OBS_ID.fullmatch(word) or word.endswith((".json", ".jsonl")):
        raise UsageError(f"{word!r} names no hit", _HINT)
    return [Reference(obs_id=word)]


def _hits(text: str, name: str) -> list[Reference]:
    """The hits in the JSON or the JSON Lines of a query."""
    try:
        if text.lstrip().startswith("["):
            hits = json.loads(text)
        else:
            hits = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [_reference(hit) for hit in hits]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UsageError(f"{name} is not the output of a query", _HINT) from error


def _reference(hit: dict) -> Reference:
    mission, number = hit["mission"], hit["proposal_id"]
    key = None if mission is None or number is None else Key(str(mission), int(number))
    return Reference(key, _text(hit.get("obs_id")), _text(hit.get("product_uri")))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
