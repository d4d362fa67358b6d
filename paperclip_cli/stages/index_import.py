"""Creates an index from a file that `index --export` wrote: `index --import`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from paperclip_cli.config import BundleConfig
from paperclip_cli.config.checks import is_in_engine
from paperclip_cli.dataset.split import SPLITS
from paperclip_cli.engines.opening import is_engine
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import expanded, lock, replace_folder
from paperclip_cli.http.download import download, is_url
from paperclip_cli.indexes import bundle
from paperclip_cli.indexes.bundle import pictureless
from paperclip_cli.indexes.bundle_import import Terms, import_bundle
from paperclip_cli.indexes.folder import check_free
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Report
from paperclip_cli.towers.folder import ModelFolder, fingerprint, resolve
from paperclip_cli.workspace import Workspace


def run(config: BundleConfig, workspace: Workspace, progress: Progress | None = None) -> Report:
    """Creates an index from a file that `index --export` wrote, or from the URL of one.

    If the place is an address in an engine, the index is copied from there as it is.

    Nothing of the index appears before all of it has been checked.

    Raises:
        PaperclipError: the bundle is damaged or of another model, or the index already exists.
    """
    if is_in_engine(config.name):
        raise UsageError(
            "what is imported goes into a folder",
            "give --index a name, and then: paperclip index --index NAME --export URL",
        )
    folder = workspace.index(config.name or "default")
    check_free(folder, config.force)
    if is_engine(config.place):
        return _from_engine(config.place, folder, workspace, progress or SilentProgress())
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}.import."
    with lock(folder), tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as place:
        file = _fetched(config, workspace, Path(place), progress or SilentProgress())
        expected = None
        if config.model is not None:
            expected = fingerprint(resolve(config.model, workspace), workspace)
        count, lengths = import_bundle(
            file, config.place, Path(place), folder, Terms(SPLITS, expected)
        )

    # The fingerprint is cached now, so that the first query is as fast as any other.
    fingerprint(ModelFolder.open(folder / "model"), workspace)
    return Report(
        stage="import",
        counts={"images": len(lengths), "vectors": count},
        notes=pictureless(lengths),
        output=folder,
    )


def _from_engine(place: str, folder: Path, workspace: Workspace, progress: Progress) -> Report:
    from paperclip_cli.engines.copies import into_folder
    from paperclip_cli.engines.index import open_address

    index = open_address(place, workspace)
    with lock(folder), replace_folder(folder) as new:
        manifest = into_folder(index, new, progress)
    return Report(stage="import", counts=manifest.counts, output=folder)


def _fetched(config: BundleConfig, workspace: Workspace, folder: Path, progress: Progress) -> Path:
    if not is_url(config.place):
        path = expanded(config.place)
        if not path.is_file():
            raise PaperclipError(
                f"there is no file {path}", "give a file that `index --export` wrote, or its URL"
            )
        return path
    if workspace.offline:
        raise PaperclipError(
            f"{config.place} must be downloaded, and --offline is set", "leave out --offline"
        )
    with progress.task("download", unit="bytes") as task:
        download(config.place, folder / "bundle.zip", bundle.MAX_BYTES, task.advance)
    return folder / "bundle.zip"
