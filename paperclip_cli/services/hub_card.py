"""The header of a card on the Hub: the YAML between two lines `---` at the top of README.md."""

from __future__ import annotations

import re

_HEADER = re.compile(r"---\n(.*?)\n---", re.DOTALL)
_LICENCE = re.compile(r"^license: *([\w.-]+) *$", re.MULTILINE)


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
    changed, count = re.subn(r"^license:.*$", line, header[1], flags=re.MULTILINE)
    values = changed if count else f"{line}\n{changed}"
    return f"---\n{values}\n---{card[header.end() :]}"
