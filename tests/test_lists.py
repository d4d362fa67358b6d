"""Every list of names is written only once, because two copies drift apart."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "paperclip_cli"
_LEAST = 3  # names; two shorter lists may be alike by chance


def lists(path: Path) -> Iterator[tuple[frozenset, str]]:
    """Tuples, lists and sets of constants in a module, unordered, and their places."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Tuple | ast.List | ast.Set):
            continue
        values = [
            item.value
            for item in node.elts
            if isinstance(item, ast.Constant) and isinstance(item.value, str | int)
        ]
        if len(values) == len(node.elts) and len({*values}) >= _LEAST:
            yield frozenset(values), f"{path.relative_to(PACKAGE)}:{node.lineno}"


def test_no_list_is_written_twice() -> None:
    """Nor written twice with small changes: two lists share at most half of their names."""
    found: dict[frozenset, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for names, place in lists(path):
            found[names].append(place)
    assert len(found) > 50, "the search finds too few lists"
    assert not [places for places in found.values() if len(places) > 1]
    assert not [
        (found[one], found[other])
        for one, other in combinations(found, 2)
        if len(one & other) > len(one | other) / 2
    ]
