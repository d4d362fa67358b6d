"""The verdicts of language models, stored as they are made.

An evaluation that is run again asks for none of them twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.files import append_lines
from paperclip_cli.records import read_jsonl, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The relevance of an abstract (the SHA-256 of its text) to a query, according to a judge."""

    query: str
    abstract: str
    relevant: bool
    backend: str
    model: str
    version: str


def digest(abstract: str) -> str:
    """The SHA-256 by which an abstract is known."""
    return hashlib.sha256(abstract.encode()).hexdigest()


def read_verdicts(
    path: Path, backend: str, model: str, version: str
) -> dict[tuple[str, str], bool]:
    """(query, digest) -> verdict of one judge; empty where there is no file."""
    found = read_jsonl(path, Verdict) if path.is_file() else ()
    return {
        (one.query, one.abstract): one.relevant
        for one in found
        if (one.backend, one.model, one.version) == (backend, model, version)
    }


@contextmanager
def keeping(path: Path) -> Iterator[Callable[[Verdict], None]]:
    """Yield a function that appends a verdict to a file at once."""
    with append_lines(path) as append:
        yield lambda verdict: append(to_json(verdict))
