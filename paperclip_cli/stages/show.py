"""Gathers all that the cache knows about a proposal: texts, summaries and images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from paperclip_cli.archives.mast.missions import MISSIONS
from paperclip_cli.config import ShowConfig
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.indexes.folder import open_index
from paperclip_cli.previews.records import read_previews, read_proposals, stored_path
from paperclip_cli.records import Dossier, Key, Observation, Proposal
from paperclip_cli.summaries.files import read_summaries
from paperclip_cli.workspace import Workspace


def run(config: ShowConfig, workspace: Workspace) -> list[Dossier]:
    """What is known of each proposal: in what was fetched, or else in the indexes.

    Raises:
        UsageError: no proposal is given, or one is not written as `hst:15354`.
        PaperclipError: the cache has nothing of one.
    """
    keys = [_key(text) for text in config.proposals]
    if not keys:
        raise UsageError("no proposal is given", "write for example paperclip show hst:15354")
    proposals, images = _known(keys, workspace)
    sets = {name: read_summaries(workspace, name) for name in workspace.names("summaries")}
    shown = []
    for key in dict.fromkeys(keys):
        if key not in proposals:
            raise PaperclipError(
                f"nothing of proposal {key} is in the cache",
                f"run `paperclip fetch --proposal {key}` first",
            )
        summaries = {name: found[key] for name, found in sets.items() if key in found}
        mission = MISSIONS.get(key.mission)
        page = mission.access_url(key.proposal_id) if mission else ""
        shown.append(
            Dossier(
                proposal=proposals[key], summaries=summaries, images=images.get(key, {}), page=page
            )
        )
    return shown


def _key(text: str) -> Key:
    try:
        return Key.parse(text.strip().lower())
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a proposal", "write for example paperclip show hst:15354"
        ) from error


def _known(
    keys: Iterable[Key], workspace: Workspace
) -> tuple[dict[Key, Proposal], dict[Key, dict[str, Observation]]]:
    """Proposals, and the observations of their images by path."""
    wanted = {*keys}
    fetched = {*workspace.names("proposals")}
    missions = sorted({key.mission for key in wanted} & fetched)
    proposals = read_proposals(workspace, missions) if missions else {}
    images: dict[Key, dict[str, Observation]] = {}
    for preview in read_previews(workspace, missions) if missions else ():
        if preview.key in wanted:
            path = str(workspace.root / stored_path(preview))
            images.setdefault(preview.key, {})[path] = preview.observation
    missing = wanted - proposals.keys()
    for key, proposal, path, observation in _indexed(workspace) if missing else ():
        if key in missing:
            proposals[key] = proposal
            images.setdefault(key, {})[path] = observation
    return proposals, images


def _indexed(workspace: Workspace) -> Iterator[tuple[Key, Proposal, str, Observation]]:
    """The images of all indexes that have a proposal: an imported index has them alone."""
    for name in workspace.names("indexes"):
        index = open_index(workspace.index(name))
        for image in index.observations.images():
            if image.proposal is not None:
                path = str(index.file_of(image.entry, workspace))
                yield image.proposal.key, image.proposal, path, image.entry.observation
