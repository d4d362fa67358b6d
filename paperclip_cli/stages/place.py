"""Finds the position of `--near` on the sky."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from paperclip_cli.config.checks import one_of
from paperclip_cli.config.choices import Frame
from paperclip_cli.errors import PaperclipError
from paperclip_cli.services.resolver import resolve_name
from paperclip_cli.sky.coordinates import parse_position
from paperclip_cli.workspace import Workspace

if TYPE_CHECKING:
    from paperclip_cli.indexes.open_index import Words


def run(
    near: str,
    workspace: Workspace,
    frame: Frame = "icrs",
    indexes: Sequence[Words] | Sequence[str] | None = None,
    tell: Callable[[str], None] | None = None,
) -> tuple[float, float]:
    """Right ascension and declination in degrees (ICRS), from coordinates or an object's name.

    Coordinates are in `frame`, unless they name their own. A name is looked up among the targets of
    the `indexes` that are searched (open, or their names: without a name, the one that a query
    means), if there are any, and then by the resolver. `tell` hears where the index has it.

    Raises:
        UsageError: the numbers are not a position on the sky.
        PaperclipError: the resolver does not know the name, or may not be asked (`--offline`).
    """
    one_of("--frame", frame, Frame)
    found = parse_position(near, frame)
    if found is None and indexes is not None:
        found = _own_target(near, workspace, indexes, tell)
    return found or resolve_name(near, workspace.offline)


def _own_target(
    name: str,
    workspace: Workspace,
    indexes: Sequence[Words] | Sequence[str],
    tell: Callable[[str], None] | None,
) -> tuple[float, float] | None:
    """The position of a target in the first index that has it."""
    from paperclip_cli.engines.opening import open_indexes
    from paperclip_cli.indexes.targets import find_target

    if all(isinstance(index, str) for index in indexes):
        opened = open_indexes([str(name) for name in indexes], workspace)
        indexes = [index.observations for index in opened]
    found = (find_target(index, name) for index in indexes)  # type: ignore[arg-type]
    target = next(filter(None, found), None)
    if target is None:
        return None
    if target.is_one_place:
        if tell is not None:
            tell(f"{name}: at {target.ra:.5f} {target.dec:+.5f}, where the index has this target")
        return target.ra, target.dec
    if workspace.offline:
        raise PaperclipError(
            f"the index has {name!r} at places that are up to {2 * target.reach:.0f} degrees apart",
            'give coordinates: --near "202.47 47.195"; to find all of them, --target',
        )
    return None
