"""The position in `near`, as a program gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paperclip_cli.config import readers
from paperclip_cli.workspace import Workspace

if TYPE_CHECKING:
    from paperclip_cli.indexes.open_index import Words


def placed(
    options: Mapping[str, Any], here: Workspace, indexes: Sequence[Words] | None = None
) -> dict[str, Any]:
    """The options with the position of `near` in ICRS, if it is a text or in another frame.

    The targets of the `indexes` that are searched are known by name.
    """
    near, frame = options.get("near"), options.get("frame", "icrs")
    if near is None or hasattr(near, "icrs") or (frame == "icrs" and not isinstance(near, str)):
        return dict(options)
    from paperclip_cli.stages import place

    if not isinstance(near, str):
        near = "{!r} {!r}".format(*readers.position(near, "--near"))
    return {**options, "near": place.run(near, here, frame, indexes)}
