"""Where the images of an index are from, and whether there is more by now.

In the manifest of an index, `roots` are the folders that were indexed, as the paths of its images
begin: absolute, or `previews` and `previews/hst` in the cache. `sources` has the size of each
mission's records of previews. They are only appended to, so that another size tells without a look
into the file that previews have come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paperclip_cli.workspace import Workspace

CACHED = "previews"  # the root of all previews in the cache
_ROOTS, _SOURCES = "roots", "sources"


def sizes_of(missions: Iterable[str], workspace: Workspace) -> dict[str, int]:
    """The size in bytes of the records of previews of each mission that has any."""
    paths = {mission: workspace.preview_records(mission) for mission in missions}
    return {mission: path.stat().st_size for mission, path in paths.items() if path.is_file()}


def with_origin(
    extra: Mapping[str, Any], roots: Sequence[str], sources: Mapping[str, int]
) -> dict[str, Any]:
    """The entries of a manifest after a run, given those before it and what the run indexed."""
    return {
        _ROOTS: sorted({*extra.get(_ROOTS, ()), *roots}),
        _SOURCES: {**extra.get(_SOURCES, {}), **sources},
    }


def roots_of(extra: Mapping[str, Any]) -> list[str]:
    """What an index is of. One of an earlier version does not say, and is taken for previews.

    An imported one is of nothing here.
    """
    return [] if "text_tower" in extra else extra.get(_ROOTS, [CACHED])


def cached_missions(roots: Iterable[str], workspace: Workspace) -> list[str]:
    """The missions in the cache whose previews are below the roots."""
    there = workspace.names("previews")
    return [name for name in there if {CACHED, f"{CACHED}/{name}"} & {*roots}]


def news(extra: Mapping[str, Any], workspace: Workspace) -> list[str]:
    """The missions of which an index lacks what was fetched after it was updated."""
    known = extra.get(_SOURCES, {})
    now = sizes_of(known, workspace)
    return sorted(mission for mission, size in now.items() if size != known[mission])
