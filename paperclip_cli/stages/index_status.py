"""Reports what an index holds, and what has changed since: `index --status`."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from paperclip_cli.config import IndexConfig
from paperclip_cli.config.quantities import day_of
from paperclip_cli.engines.opening import open_index
from paperclip_cli.files import expanded
from paperclip_cli.images.find import find_images
from paperclip_cli.images.reading import view_name
from paperclip_cli.indexes.contents import contents
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.hnsw import graph_state
from paperclip_cli.indexes.journal import is_unfinished
from paperclip_cli.indexes.reader import Candidate
from paperclip_cli.indexes.sources import cached_missions, roots_of
from paperclip_cli.previews.records import read_previews, stored_path
from paperclip_cli.workspace import Workspace

if TYPE_CHECKING:
    from paperclip_cli.engines.index import EngineIndex


def run(config: IndexConfig, workspace: Workspace) -> dict:
    """What an index holds, and how many images are new, changed or gone since.

    New images are searched for in the paths given, or else in what the index is of. `unfinished` is
    whether an update was interrupted.
    """
    index = open_index(config.name, workspace)
    known = {image.entry.path: image.entry for image in index.observations.images()}
    manifest = index.manifest
    present = [
        Candidate(path=index.file_of(entry, workspace), stored=path)
        for path, entry in known.items()
    ]
    touched = [
        candidate for candidate in present if candidate.entry_as(known[candidate.stored]) is None
    ]
    gone = [candidate for candidate in touched if not candidate.path.exists()]
    new = _new_files(config.paths, known) if config.paths else _news(index, workspace, known)
    return {
        "index": index.name,
        "folder": str(index.folder),
        "model": manifest.config["model"],
        "fingerprint": manifest.inputs["model"],
        "view": view_name(index.view, index.reading),
        "made": manifest.created,
        "age_days": _age(manifest.created),
        "images": len(known),
        "vectors": int(manifest.counts["vectors"]),
        "dimension": index.dimension,
        **_stored(index),
        "new": len(new),
        "changed": len(touched) - len(gone),
        "gone": len(gone),
        "unfinished": is_unfinished(index.folder),
        **_contents(index),
    }


def _stored(index: IndexFolder | EngineIndex) -> dict:
    """The bytes of an index on disk, and the state of its graph."""
    if not isinstance(index, IndexFolder):
        size, has_graph = index.engine.size()
        return {"bytes": size, "hnsw": "ready" if has_graph else "none"}
    return {
        "bytes": sum(path.stat().st_size for path in index.folder.iterdir() if path.is_file()),
        "hnsw": graph_state(index.folder, index.generation, index.vectors),
    }


def _contents(index: IndexFolder | EngineIndex) -> dict:
    """The images by mission, instrument, filter and cycle, and the days of the first and last."""
    held = dataclasses.asdict(
        contents(index.observations) if isinstance(index, IndexFolder) else index.state.contents
    )
    return held | {"dates": held["dates"] and [*map(day_of, held["dates"])]}


def _new_files(roots: Iterable[Path], known: Container[str]) -> list[str]:
    places = [expanded(root).resolve() for root in roots]
    return [path for path in map(str, find_images(places)) if path not in known]


def _news(
    index: IndexFolder | EngineIndex, workspace: Workspace, known: Container[str]
) -> list[str]:
    """The images that an index lacks of what it is of: folders, and cached previews."""
    roots = roots_of(index.manifest.extra)
    folders = [Path(root) for root in roots if Path(root).is_absolute() and Path(root).exists()]
    missions = cached_missions(roots, workspace)
    previews = map(stored_path, read_previews(workspace, missions) if missions else ())
    return [*_new_files(folders, known), *(path for path in previews if path not in known)]


def _age(created: str) -> float | None:
    """Days since a manifest was written, or None if its date cannot be read."""
    try:
        written = datetime.fromisoformat(created)
    except ValueError:
        return None
    return round((datetime.now(UTC) - written).total_seconds() / 86_400, 2)
