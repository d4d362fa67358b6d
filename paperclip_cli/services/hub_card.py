"""Cards on the Hub: their header, the YAML between two lines `---` at the top of README.md.

And what is said beside them, in JSON: no paths of this machine.
"""

from __future__ import annotations

import json
import re

_HEADER = re.compile(r"---\n(.*?)\n---", re.DOTALL)
_LICENCE = re.compile(r"^license: *([\w.-]+) *$", re.MULTILINE)
_LICENCES = re.compile(r"^license:.*(?:\n[ \t-].*)*$", re.MULTILINE)  # a list of them, too
# Paths that name a folder of this machine: /home/x, ~/x, C:\\x, file:///x. A lone / is a word.
_PRIVATE = re.compile(r"(?:file://|~[\\/]|[A-Za-z]:[\\/]|[\\/]{1,2})[^\s\\/][^\n]*|file://.+")


def licence_of(card: str) -> str | None:
    """The licence that a card names, or None."""
    header = _HEADER.match(card)
    found = _LICENCE.search(header[1]) if header else None
    return found[1] if found else None


def with_licence(card: str, licence: str) -> str:
    """The card with this licence in its header, which is added where there is none."""
    line, header = f"license: {licence}", _HEADER.match(card)
    if header is None:
        return f"---\n{line}\n---\n\n{card}"
    changed, count = _LICENCES.subn(line, header[1])
    values = changed if count else f"{line}\n{changed}"
    return f"---\n{values}\n---{card[header.end() :]}"


def without_paths(data: bytes) -> tuple[bytes, dict[str, str]]:
    """JSON in which only the last part of an absolute path is left, and what was replaced by what.

    Where nothing is, these are the same bytes: a fingerprint of them stays.

    Raises:
        ValueError: it is no JSON.
    """
    found: dict[str, str] = {}
    cleaned = _cleaned(json.loads(data), found)
    return (json.dumps(cleaned, indent=2) + "\n").encode() if found else data, found


def _cleaned(value: object, found: dict[str, str]) -> object:
    if isinstance(value, dict):
        return {_cleaned(name, found): _cleaned(inner, found) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner, found) for inner in value]
    if isinstance(value, str) and _PRIVATE.fullmatch(value):
        found[value] = last_part(value)
        return found[value]
    return value


def last_part(path: str) -> str:
    """The last part of a path that is absolute; any other text as it is."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1] if _PRIVATE.fullmatch(path) else path
