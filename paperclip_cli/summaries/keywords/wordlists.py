"""Lists of English words, from `english.txt`."""

from __future__ import annotations

from functools import cache
from importlib import resources

from paperclip_cli.text.words import stem


@cache
def word_list(*names: str) -> frozenset[str]:
    """The words of one or several lists, and the stems of verbs and general words."""
    found: set[str] = set()
    for name in names:
        found.update(_lists()[name])
        if name.endswith("verbs") or name == "general":
            found.update(map(stem, _lists()[name]))
    return frozenset(found)


@cache
def _lists() -> dict[str, list[str]]:
    path = resources.files("paperclip_cli.summaries.keywords").joinpath("english.txt")
    lists: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif not line.startswith("#"):
            lists.setdefault(name, []).extend(line.split())
    return lists
