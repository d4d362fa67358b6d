"""Models from the Hugging Face Hub: only safetensors and JSON, no executable code.

A model named `org/name@revision` lies in `<cache>/hub/org--name@revision/` (a `/` in the revision
is written `--`). A folder that somebody put there by hand serves as well as a downloaded one, and
so does the copy that another program left in the Hub's own cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.services.hub import (
    bars_on_a_terminal_only,
    client,
    in_clients_cache,
    is_name,
    look,
    split_name,
    told,
    transport_errors,
)
from paperclip_cli.towers.weight_files import SHARD, how_to_convert, other_weights
from paperclip_cli.workspace import Workspace

__all__ = ["folder_of", "is_name", "locate", "without_safetensors"]

_CONVERTER = "SFconvertbot"
Missing = Callable[[Path], list[str]]
Telling = Callable[[Path], Sequence[str]]


def folder_of(name: str, workspace: Workspace) -> Path:
    """The folder for the files of a Hub model."""
    return workspace.root / "hub" / name.replace("/", "--")


def locate(
    name: str,
    workspace: Workspace,
    files: Sequence[str],
    missing: Missing,
    advice: str = "choose a CLIP model in the Hugging Face layout",
    telling: Telling = lambda folder: (),
) -> Path:
    """The folder of a Hub model, which is downloaded only if it is nowhere on this machine.

    Only `files` are ever fetched, and the shards that an index among them names. `missing` returns
    what a folder lacks to be a model; `advice` says what to do where the Hub lacks it. `telling`
    returns the files that change what a folder means: a copy that another program left has those of
    them that the Hub has, as far as its client keeps the list of these.
    """
    repository, revision = split_name(name)
    folder = folder_of(name, workspace)
    if not missing(folder):
        return folder
    elsewhere, absent = _copy(repository, revision, missing, telling)
    if elsewhere is not None and not absent:
        return elsewhere

    if workspace.offline:
        raise PaperclipError(
            f"{name}: {(absent or missing(folder))[0]} is not on this machine, and the network may "
            "not be used",
            f"put the model's files in {folder}, or run without --offline",
        )
    _download(name, repository, revision, folder, files)
    shards = [file for file in missing(folder) if SHARD.fullmatch(file)]
    if shards:
        _download(name, repository, revision, folder, shards)
    lacking = missing(folder)
    if lacking:
        raise PaperclipError(
            f"{name} on the Hub has no {lacking[0]}",
            _what_else(repository, revision, lacking, advice),
        )
    return folder


def _copy(
    repository: str, revision: str | None, missing: Missing, telling: Telling
) -> tuple[Path | None, list[str]]:
    """The copy of a model that another program left, and the files that it lacks."""

    def found(*files: str) -> Path | None:
        return in_clients_cache(repository, revision, "model", files)

    folder = found()
    if folder is None:
        return None, []
    return folder, missing(folder) or [name for name in telling(folder) if found(name) is None]


def _download(
    name: str, repository: str, revision: str | None, folder: Path, files: Sequence[str]
) -> None:
    nowhere = "no such folder, and no such model on the Hub"
    at_hand = f"put the model's files in {folder}"
    with told(name, revision, nowhere, instead=at_hand), bars_on_a_terminal_only():
        client().snapshot_download(
            repository, revision=revision, local_dir=folder, allow_patterns=list(files)
        )


def _what_else(repository: str, revision: str | None, lacking: Sequence[str], advice: str) -> str:
    if not any(name.endswith(".safetensors") for name in lacking):
        return advice
    return without_safetensors(repository, _other_weights(repository, revision))


def without_safetensors(repository: str, other: str | None) -> str:
    """The hint about a repository whose weights are in other formats only, such as `other`."""
    number = _converted(repository)
    if number is not None:
        return f"only safetensors are read; try {repository}@refs/pr/{number}"
    attempt = f"try {repository}@refs/pr/N, if one of its pull requests adds it"
    if other is None:
        return f"only safetensors are read; {attempt}"
    ours = "./" + repository.partition("/")[2]
    return f"{attempt}; it has {other}: {how_to_convert(other, repository, ours)}"


def _other_weights(repository: str, revision: str | None) -> str | None:
    """A file with weights in another format that a repository has, if that can be found out."""
    try:
        found = look(repository, revision, "model")
    except (OSError, ValueError, KeyError, *transport_errors()):  # type: ignore[misc]
        return None  # this only makes a hint more precise
    return other_weights(found.files) if found is not None else None


def _converted(repository: str) -> int | None:
    """The number of the open pull request with the Hub's own conversion, if there is one."""
    try:
        for discussion in client().get_repo_discussions(repository, author=_CONVERTER):
            is_open = discussion.is_pull_request and discussion.status == "open"
            if is_open and discussion.author == _CONVERTER:
                return discussion.num
    except (OSError, ValueError, KeyError, *transport_errors()):  # type: ignore[misc]
        return None  # this only makes a hint more precise
    return None
