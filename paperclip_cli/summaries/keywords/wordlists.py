"""Lists of English words, from `english.txt`."""

from __future__ import annotations

from functools import cache
from importlib import resources

from paperclip_cli.text.words import stem


@cache
def word_list(*names: str) -> frozenset[str]:
    """The words of one or several lists; verbs and general words also by their stem."""
    found = frozenset(word for name in names for word in _lists()[name])
    by_stem = frozenset(
        stem(word)
        for name in names
        if name.endswith("verbs") or name == "general"
        for word in _lists()[name]
    )
    return found | by_stem


@cache
def _lists() -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    name = ""
    for line in (
        resources.files("paperclip_cli.summaries.keywords")
        .joinpath("english.txt")
        .read_text(encoding="utf-8")
        .splitlines()
    ):
        if line.startswith("["):
            name = line.strip("[]")
        elif not line.startswith("#"):
            lists.setdefault(name, []).extend(line.split())
    return lists
