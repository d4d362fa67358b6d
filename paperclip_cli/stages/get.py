"""Downloads the science files (FITS) behind hits, as `fetch` downloads previews."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from paperclip_cli.archives.mast.download import Downloader
from paperclip_cli.archives.mast.http import Limits, Wire
from paperclip_cli.archives.mast.missions import MISSIONS
from paperclip_cli.archives.mast.open import open_wire
from paperclip_cli.archives.mast.products import file_of, find_product
from paperclip_cli.config import GetConfig
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.files import expanded
from paperclip_cli.indexes.references import Reference, read_references
from paperclip_cli.previews.records import read_previews
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import Key, Preview
from paperclip_cli.report import Failure, Report
from paperclip_cli.threads import in_threads
from paperclip_cli.workspace import Workspace

STAGE = "get"
_NO_ARCHIVE = "simulated and local data have no science files in an archive"


@dataclass(frozen=True)
class Got:
    """The files of the hits, in their order, both new and already present.

    `addresses` are the URIs of missing files, which a dry run would have downloaded.
    """

    files: tuple[Path, ...]
    addresses: tuple[str, ...]
    report: Report


def run(config: GetConfig, workspace: Workspace, progress: Progress | None = None) -> Got:
    """Downloads the science files of all hits, except those already in the folder.

    A file in the folder is complete: downloads are renamed into place when complete.
    """
    failures: list[Failure] = []
    progress = progress or SilentProgress()
    wire = open_wire(config.rate, Limits(read=config.timeout), progress.note)
    wanted = dict(_wanted(read_references(config.hits), config, workspace, wire, failures))
    missing = {path: uri for path, uri in wanted.items() if not path.exists()}
    if missing and not config.dry_run:
        if workspace.offline:
            file = next(iter(missing))
            raise PaperclipError(f"{file} is missing, and --offline is set", "leave out --offline")
        failures += _download(missing, config, wire, progress)

    absent = {failure.item for failure in failures}
    if config.dry_run:
        absent |= {path.name for path in missing}
    files = tuple(path for path in wanted if path.name not in absent)
    counts = {"files": len(wanted), "already there": len(wanted) - len(missing)}
    report = Report(
        stage=STAGE,
        counts=counts,
        failures=tuple(failures),
        output=config.out.absolute(),
        unchanged=not missing and not failures,
    )
    return Got(files, tuple(missing.values()), report)


def _wanted(
    references: Sequence[Reference],
    config: GetConfig,
    workspace: Workspace,
    wire: Wire,
    failures: list[Failure],
) -> Iterator[tuple[Path, str]]:
    """The path each file will have, and its URI."""
    held = _Held(workspace)
    ask = _asker(workspace, wire)
    for reference in references:
        try:
            for uri in _addresses(reference, held, ask):
                yield file_of(uri, expanded(config.out)), uri
        except BadItem as error:
            failures.append(Failure(str(reference), str(error)))


def _addresses(reference: Reference, held: _Held, ask: Callable[[str], str]) -> Iterable[str]:
    """The URIs of a hit, from the hit itself, else from fetched previews, else from MAST."""
    key, obs_id = reference.key, reference.obs_id
    if reference.product_uri is not None:
        return [reference.product_uri]
    if key is None and obs_id is None:
        raise BadItem("your own image has no science file in the archive")
    if key is not None and key.mission not in MISSIONS:
        raise BadItem(_NO_ARCHIVE)

    previews = held.of_proposal(key) if obs_id is None and key else held.of_observation(obs_id)
    found = [uri for preview in previews if (uri := preview.observation.product_uri)]
    if found:
        return found
    if previews and not any(preview.observation.preview_uri for preview in previews):
        raise BadItem(_NO_ARCHIVE)
    if obs_id is not None:
        return [ask(obs_id)]
    raise BadItem(
        f"nothing of it was fetched: run `paperclip fetch --proposal {key}` first, "
        "or give an observation"
    )


def _asker(workspace: Workspace, wire: Wire) -> Callable[[str], str]:
    @cache
    def ask(obs_id: str) -> str:
        if workspace.offline:
            raise BadItem("MAST would have to be asked for it, but --offline is set")
        from paperclip_cli.archives.mast.client import MastClient

        return find_product(MastClient(wire), obs_id)

    return ask


class _Held:
    """The previews in the cache, which are read at first use."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._previews: list[Preview] | None = None

    def of_proposal(self, key: Key) -> list[Preview]:
        return [preview for preview in self._all() if preview.key == key]

    def of_observation(self, obs_id: str | None) -> list[Preview]:
        name = (obs_id or "").lower()
        return [
            preview for preview in self._all() if (preview.observation.obs_id or "").lower() == name
        ]

    def _all(self) -> list[Preview]:
        if self._previews is None:
            self._previews = read_previews(self._workspace, self._workspace.names("previews"))
        return self._previews


def _download(
    missing: dict[Path, str], config: GetConfig, wire: Wire, progress: Progress
) -> list[Failure]:
    downloader, failures, megabytes = Downloader(wire), [], 0.0

    def one(item: tuple[Path, str]) -> tuple[int, Failure | None]:
        path, uri = item
        try:
            return downloader.file(uri, path), None
        except BadItem as error:
            return 0, Failure(path.name, str(error))

    with (
        progress.task(STAGE, len(missing), unit="files") as task,
        closing(in_threads(one, list(missing.items()), config.workers, wire.pace.stop)) as results,
    ):
        for size, failure in results:
            megabytes += size / 1e6
            failures += [failure] if failure else []
            task.advance(MB=round(megabytes, 1))
    return failures
