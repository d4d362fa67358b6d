"""How people name what they found: a proposal (`hst:15354`), an observation of the archive, or the file that `query --json` wrote."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.errors import UsageError
from paperclip_cli.records import Key

_OBS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]{3,99}")
_HINT = "give hst:15354, an observation such as hst_15354_01_acs_wfc_total_jdi601, or the file of a `paperclip query ... --json`"


@dataclass(frozen=True)
class Reference:
    """A proposal, an observation, or a hit that says which proposal and observation it is and where its science file lies."""

    key: Key | None = None
    obs_id: str | None = None
    product_uri: str | None = None

    def __str__(self) -> str:
        return self.obs_id or str(self.key)


def read_references(given: Sequence[str]) -> list[Reference]:
    """What the arguments name, each once, in their order; `-` is a query's answer on standard input. UsageError for anything else."""
    found = [reference for word in given for reference in _read(word)]
    return list(dict.fromkeys(found))


def _read(word: str) -> Iterable[Reference]:
    if word == "-":
        return _hits(sys.stdin.read(), "standard input")
    if Path(word).is_file():
        return _hits(Path(word).read_text(encoding="utf-8", errors="replace"), word)
    mission, colon, number = word.partition(":")
    if (
        colon
        and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", mission)
        and re.fullmatch("[0-9]{1,9}", number)
    ):
        return [Reference(Key(mission, int(number)))]
    if not _OBS_ID.fullmatch(word) or word.endswith((".json", ".jsonl")):
        raise UsageError(f"{word!r} names no hit", _HINT)
    return [Reference(obs_id=word)]


def _hits(text: str, name: str) -> list[Reference]:
    """The hits in the JSON or the JSON Lines of a query."""
    try:
        hits = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
        return [_reference(hit) for hit in hits]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UsageError(f"{name} is not the answer of a query", _HINT) from error


def _reference(hit: dict) -> Reference:
    mission, number = hit["mission"], hit["proposal_id"]
    key = None if mission is None or number is None else Key(str(mission), int(number))
    return Reference(
        key,
        *(None if hit.get(name) is None else str(hit[name]) for name in ("obs_id", "product_uri")),
    )
