"""The places of the cache by kind, without a look into them: shell completion uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from paperclip_cli.config.choices import CacheKind, values_of
from paperclip_cli.files import hidden_names, recover
from paperclip_cli.workspace import Workspace

# Kind -> the folder of the cache in which artefacts of that kind lie.
FOLDERS: Mapping[CacheKind, str] = {
    "proposals": "proposals",
    "previews": "previews",
    "summaries": "summaries",
    "dataset": "datasets",
    "converted": "datasets-converted",
    "model": "models",
    "training": "training",
    "index": "indexes",
    "engine": "engines",
    "hub": "hub",
    "decoded": "decoded",
}
_HUB_PART = re.compile(r"\..+@[0-9a-f]{40}\.part")


def folders(
    workspace: Workspace, kind: CacheKind | None = None
) -> Iterator[tuple[CacheKind, Path]]:
    """The folders of one kind, or of all, by name."""
    for each in values_of(CacheKind) if kind is None else (kind,):
        parent = workspace.root / FOLDERS[each]  # type: ignore[index]
        for name in sorted(_names(parent, is_hub=each == "hub")):
            yield each, recover(parent / name)  # type: ignore[misc]


def _names(parent: Path, is_hub: bool) -> set[str]:
    try:
        found = [path for path in parent.iterdir() if path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return hidden_names(parent) | {
        path.name
        for path in found
        if not path.name.startswith(".") or (is_hub and _HUB_PART.fullmatch(path.name))
    }
