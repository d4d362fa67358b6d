"""Completion of names in the cache.

It runs at every press of TAB and must feel instant, so it imports nothing heavy.
"""

from __future__ import annotations

from pathlib import Path

import typer

from paperclip_cli.errors import PaperclipError
from paperclip_cli.workspace import Workspace


def index_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the indexes in the cache, to complete the last of a list."""
    return _last_of_list(_names(ctx, "indexes"), incomplete)


def model_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the models in the cache."""
    return _starting(_names(ctx, "models"), incomplete)


def artefact_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of what `publish KIND` can publish."""
    kinds = {"model": "models", "dataset": "datasets", "index": "indexes"}
    kind = kinds.get(str(ctx.params.get("kind")))
    return _starting(_names(ctx, kind), incomplete) if kind else []


def kept_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of what `cache rm KIND` can remove."""
    workspace = _workspace(ctx)
    if workspace is None:
        return []
    from paperclip_cli.stages import cache_names

    return _starting(cache_names.run(str(ctx.params.get("kind")), workspace), incomplete)


def dataset_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the datasets in the cache."""
    return _starting(_names(ctx, "datasets"), incomplete)


def fetched_missions(ctx: typer.Context, incomplete: str) -> list[str]:
    """Missions whose previews are in the cache, to complete the last of a list."""
    return _last_of_list(_names(ctx, "previews"), incomplete)


def instrument_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Instruments and detectors in the indexes."""
    return _in_indexes(ctx, "instruments", incomplete)


def filter_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Filters in the indexes."""
    return _in_indexes(ctx, "filters", incomplete)


def target_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Targets in the indexes."""
    return _in_indexes(ctx, "targets", incomplete)


def cycle_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Cycles in the indexes."""
    return _in_indexes(ctx, "cycles", incomplete)


def mission_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Missions in the indexes."""
    return _in_indexes(ctx, "missions", incomplete)


def proposal_numbers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Numbers of proposals in the indexes, or `hst:15354` where a mission is begun."""
    return _in_indexes(ctx, "keys" if ":" in incomplete else "proposals", incomplete)


def proposal_keys(ctx: typer.Context, incomplete: str) -> list[str]:
    """Proposals in the indexes: `hst:15354`."""
    return _in_indexes(ctx, "keys", incomplete)


def keys_or_files(ctx: typer.Context, incomplete: str) -> list[str]:
    """The same where a word is begun. Else the shell offers files."""
    return proposal_keys(ctx, incomplete) if incomplete else []


def _in_indexes(ctx: typer.Context, kind: str, incomplete: str) -> list[str]:
    """Values in the indexes, to complete the last of a comma-separated list."""
    before, comma, last = incomplete.rpartition(",")
    workspace = _workspace(ctx)
    if workspace is None:
        return []
    from paperclip_cli.stages import index_values

    found = _starting(index_values.run(kind, last, workspace), last)
    return [f"{before}{comma}{name}" for name in found]


def setting_names(incomplete: str) -> list[str]:
    """Names of the settings of `config`."""
    from paperclip_cli.config.user import SETTINGS

    return _starting([one.name for one in SETTINGS], incomplete)


def setting_values(ctx: typer.Context, incomplete: str) -> list[str]:
    """Values of the setting that `config set` names."""
    if ctx.params.get("name") == "index":
        return index_names(ctx, incomplete)
    return (
        _starting(["true", "false"], incomplete) if ctx.params.get("name") == "thumbnails" else []
    )


def _names(ctx: typer.Context, kind: str) -> list[str]:
    workspace = _workspace(ctx)
    return workspace.names(kind) if workspace else []


def _last_of_list(names: list[str], incomplete: str) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _starting(names, last)]


def _workspace(ctx: typer.Context) -> Workspace | None:
    """The cache that the command line names so far, or None if it cannot be located.

    An error would be printed into the command line.
    """
    given = ctx.find_root().params.get("cache_dir")  # a string if it comes from the environment
    try:
        return Workspace.locate(Path(given) if given else None)
    except PaperclipError:
        return None


def _starting(names: list[str] | set[str], incomplete: str) -> list[str]:
    # A name from a catalogue may hold control characters, which must not reach the shell.
    return sorted(name for name in names if name.startswith(incomplete) and name.isprintable())
