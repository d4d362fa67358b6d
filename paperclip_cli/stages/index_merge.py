"""Makes one index of several: `index --merge A,B --index NAME`."""

from __future__ import annotations

from paperclip_cli.config import MergeConfig
from paperclip_cli.config.checks import is_in_engine
from paperclip_cli.errors import UsageError
from paperclip_cli.files import lock, replace_folder
from paperclip_cli.indexes.folder import check_free, choose_index, open_index
from paperclip_cli.indexes.merge import Union
from paperclip_cli.report import Report
from paperclip_cli.workspace import Workspace


def run(config: MergeConfig, workspace: Workspace) -> Report:
    """Makes the union of some indexes of one model. Nothing is embedded again.

    Raises:
        MissingStage: one of them does not exist.
        UsageError: an index would be merged into itself, or is in an engine.
        PaperclipError: they are not alike, or the new one already exists.
    """
    for name in (*config.merge, config.name):
        if is_in_engine(name):
            raise UsageError(
                f"--merge is of indexes in folders, and {name.partition('?')[0]} is an address",
                "copy it first: paperclip index --import URL --index NAME",
            )
    folder = workspace.index(config.name)
    check_free(folder, config.force)
    union = Union(
        [open_index(workspace.index(choose_index(name, workspace))) for name in config.merge]
    )
    with lock(folder), replace_folder(folder) as new:
        manifest = union.write(new)
    return Report(stage="merge", counts=manifest.counts, output=folder)
