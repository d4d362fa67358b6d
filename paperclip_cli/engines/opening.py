"""Opens an index by its name, which may be an address in an engine.

Nothing of engines is imported for an index in a folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paperclip_cli.config.checks import is_in_engine
from paperclip_cli.indexes.folder import IndexFolder, choose_index
from paperclip_cli.indexes.folder import open_index as open_folder
from paperclip_cli.workspace import Workspace

if TYPE_CHECKING:
    from paperclip_cli.engines.index import EngineIndex
    from paperclip_cli.indexes.destination import Destination


def is_engine(place: str) -> bool:
    """Whether an address is of an engine, and not of a file on the web."""
    return place.partition("://")[0].lower() in ("postgresql", "postgres", "milvus")


def open_index(name: str | None, workspace: Workspace) -> IndexFolder | EngineIndex:
    """Opens the index that a user means. None is the index `default`, or the only one.

    Raises:
        MissingStage: there is no such index.
        UsageError: it is an address that cannot be read.
        PaperclipError: it is damaged, or its engine cannot be reached.
    """
    if name is not None and is_in_engine(name):
        from paperclip_cli.engines.index import open_address

        return open_address(name, workspace)
    return open_folder(workspace.index(choose_index(name, workspace)))


def open_indexes(names: Sequence[str], workspace: Workspace) -> list[IndexFolder | EngineIndex]:
    """The indexes that a user names, each once; without names, the one that `open_index` takes.

    Raises:
        MissingStage: one of them does not exist.
        PaperclipError: one of them is damaged, or cannot be reached.
    """
    if not names:
        return [open_index(None, workspace)]
    return [open_index(name, workspace) for name in dict.fromkeys(names)]


def destination(name: str, workspace: Workspace) -> Destination:
    """The place of an index that is made or updated.

    Raises:
        UsageError: the name is no name of an index, or an address that cannot be read.
    """
    if is_in_engine(name):
        from paperclip_cli.engines.address import parse_address
        from paperclip_cli.engines.destination import EngineDestination

        return EngineDestination(parse_address(name), workspace)
    from paperclip_cli.indexes.destination import FolderDestination

    return FolderDestination(workspace.index(name))
