"""The records that `fetch` left in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath

from paperclip_cli.errors import BadItem, MissingStage
from paperclip_cli.records import Key, Preview, Proposal, read_jsonl
from paperclip_cli.workspace import Workspace, file_sha256


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
    """The proposals of some missions by key, in the order of the keys."""
    found = (
        proposal
        for mission in missions
        for proposal in read_jsonl(workspace.proposals(mission) / "proposals.jsonl", Proposal)
    )
    return dict(sorted((proposal.key, proposal) for proposal in found))


def read_previews(workspace: Workspace, missions: Sequence[str]) -> list[Preview]:
    """The previews of some missions, in the order of their keys and paths."""
    paths = (workspace.previews(mission) / "previews.jsonl" for mission in missions)
    found = (preview for path in paths if path.exists() for preview in read_jsonl(path, Preview))
    return sorted(found, key=lambda preview: (preview.key, preview.image))


def stored_path(preview: Preview) -> str:
    """The path of a preview relative to the cache folder, which is its name in an index."""
    return f"previews/{preview.mission}/{preview.image}"


def fetched_fingerprints(workspace: Workspace, missions: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of every record file of some missions: the inputs of stages that read them."""
    paths = {
        f"{mission}/{path.name}": path
        for mission in missions
        for path in (
            workspace.proposals(mission) / "proposals.jsonl",
            workspace.previews(mission) / "previews.jsonl",
        )
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
