"""The records that `fetch` left in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from paperclip_cli.errors import BadItem, MissingStage, PaperclipError
from paperclip_cli.records import Key, Preview, Proposal, Record, read_jsonl
from paperclip_cli.wording import counted
from paperclip_cli.workspace import REFETCH, Manifest, Workspace, file_sha256, whole_manifest

PROPOSALS = "proposals.jsonl"
LOST = "lost"  # in a manifest: the proposals of which records are lost, and were not fetched again


def fetched_missions(workspace: Workspace, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The requested missions, or every mission in the cache if none is requested.

    Raises:
        MissingStage: there is no mission in the cache, or a requested one is missing.
    """
    present = workspace.names("proposals")
    missing = [mission for mission in wanted if mission not in present]
    if missing:
        raise MissingStage(
            f"nothing was fetched for mission {missing[0]!r}",
            f"paperclip fetch --mission {missing[0]}",
        )
    if not present:
        raise MissingStage(f"nothing was fetched into {workspace.root}", "paperclip fetch")
    return tuple(sorted(set(wanted))) or tuple(present)


def read_proposals(workspace: Workspace, missions: Sequence[str]) -> dict[Key, Proposal]:
    """The proposals of some missions by key, in the order of the keys.

    Raises:
        PaperclipError: some are lost.
    """
    found = (
        proposal
        for mission in missions
        for proposal in _read(workspace.proposals(mission) / PROPOSALS, Proposal)
    )
    return dict(sorted((proposal.key, proposal) for proposal in found))


def read_previews(workspace: Workspace, missions: Sequence[str]) -> list[Preview]:
    """The previews of some missions, in the order of their keys and paths.

    Raises:
        PaperclipError: some are lost.
    """
    found = (
        preview
        for mission in missions
        for preview in _read(workspace.preview_records(mission), Preview)
    )
    return sorted(found, key=lambda preview: (preview.key, preview.image))


def _read(path: Path, kind: type[Record]) -> list[Record]:
    """The records of a mission, checked to be all that were fetched."""
    manifest = whole_manifest(path.parent)
    found = list(read_jsonl(path, kind)) if path.exists() else []
    if manifest is not None:
        refuse_lost(path, manifest, len(found))
    return found


def refuse_lost(path: Path, manifest: Manifest, count: int) -> None:
    """Raises a PaperclipError where a file of records lacks some, according to its manifest."""
    lost = manifest.extra.get(LOST, ())
    if lost:
        raise PaperclipError(
            f"{path} lacks the records of {counted(len(lost), 'proposals')}, first {lost[0]}",
            "fetch them again, or give them up with `paperclip fetch --force`",
        )
    wanted = stated_count(path, manifest)
    if wanted is not None and count != wanted:
        found = counted(count, "records")
        raise PaperclipError(f"{path} has {found}, and {wanted:,} were written", REFETCH)


def stated_count(path: Path, manifest: Manifest) -> int | None:
    """The number of records in a file by its manifest; None if the manifest has the file's size.

    The size is the stricter check.
    """
    name = "proposals" if path.name == PROPOSALS else "images"
    return None if path.name in manifest.files else manifest.counts.get(name)


def stored_path(preview: Preview) -> str:
    """The path of a preview relative to the cache folder, which is its name in an index."""
    return f"previews/{preview.mission}/{preview.image}"


def fetched_fingerprints(workspace: Workspace, missions: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of every record file of some missions: the inputs of stages that read them."""
    paths = {
        f"{mission}/{path.name}": path
        for mission in missions
        for path in (workspace.proposals(mission) / PROPOSALS, workspace.preview_records(mission))
    }
    return {name: file_sha256(path) for name, path in paths.items() if path.exists()}


def read_image(workspace: Workspace, preview: Preview) -> bytes:
    """The JPEG of a preview.

    Raises:
        BadItem: it is missing, not what was fetched, or outside its folder.
    """
    path = PurePosixPath(preview.image)
    if path.is_absolute() or ".." in path.parts:
        raise BadItem("the image lies outside the cache")
    try:
        data = (workspace.previews(preview.mission) / path).read_bytes()
    except OSError as error:
        raise BadItem(f"the image cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != preview.sha256:
        raise BadItem("the image is not the one that was fetched")
    return data
