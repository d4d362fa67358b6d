"""Collects what to acknowledge: the proposals and the model that were used."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.config import CiteConfig
from paperclip_cli.engines.opening import open_indexes
from paperclip_cli.errors import UsageError
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.open_index import OpenIndex
from paperclip_cli.indexes.references import read_references
from paperclip_cli.previews.records import fetched_missions, read_previews
from paperclip_cli.records import Key
from paperclip_cli.towers.card import licence
from paperclip_cli.towers.folder import CARD
from paperclip_cli.workspace import Workspace


@dataclass(frozen=True)
class Debts:
    """The proposals used, by mission, and a line about the model, if there is one."""

    programs: Mapping[str, tuple[int, ...]]
    model: str | None


def run(config: CiteConfig, workspace: Workspace) -> Debts:
    """The debts of some hits, or of an index, or of everything that was fetched.

    Raises:
        MissingStage: there is nothing to acknowledge.
    """
    indexes = _indexes(config, workspace)
    if config.hits is not None:
        keys = [reference.key for reference in read_references(config.hits)]
        if None in keys:
            raise UsageError(
                "an observation alone does not name its proposal",
                "give hst:15354 or the output file of `query --json`",
            )
        return Debts(_grouped(key for key in keys if key is not None), _models(indexes))

    if indexes:
        images = (image for index in indexes for image in index.observations.images())
        used = _grouped(image.proposal.key for image in images if image.proposal)
        return Debts(used, _models(indexes))

    previews = read_previews(workspace, fetched_missions(workspace))
    return Debts(_grouped(preview.key for preview in previews), None)


def _indexes(config: CiteConfig, workspace: Workspace) -> Sequence[IndexFolder | OpenIndex]:
    """The indexes that are named, or the one that a query would use, or none."""
    if not config.indexes and not workspace.names("indexes"):
        return []
    return open_indexes(config.indexes, workspace)


def _grouped(keys: Iterable[Key]) -> dict[str, tuple[int, ...]]:
    found: defaultdict[str, set[int]] = defaultdict(set)
    for mission, number in keys:
        found[mission].add(number)
    return {mission: tuple(sorted(numbers)) for mission, numbers in sorted(found.items())}


def _models(indexes: Sequence[IndexFolder | OpenIndex]) -> str | None:
    """The models of some indexes, each once, the models they were trained from, and licences."""
    return "; ".join(dict.fromkeys(map(_model, indexes))) or None


def _model(index: IndexFolder | OpenIndex) -> str:
    config = index.manifest.config
    name, folder = str(config.get("model")), Path(str(config.get("model_folder")))
    try:
        base = json.loads((folder / CARD).read_text(encoding="utf-8")).get("base", {})
    except (OSError, ValueError, AttributeError):
        base = {}

    if base.get("name"):
        terms = base.get("license") or "not known"
        return f"{name}, trained with paperclip from {base['name']} (licence: {terms})"
    terms = licence(folder, name)
    return f"{name} (licence: {'see its model card' if terms == 'other' else terms})"
