"""Uploads to the Hub: one commit with what has changed, and nothing of this machine in it."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from paperclip_cli.errors import PaperclipError
from paperclip_cli.services.hub import (
    Kind,
    RemoteFile,
    Snapshot,
    bars_on_a_terminal_only,
    client,
    look,
    told,
)

Content = Path | bytes
_FAILED = "could not be published"


class Done(NamedTuple):
    """The commit after an upload, the number of files that it changed, and the Hub's warnings."""

    commit: str
    changed: int
    warnings: tuple[str, ...]


def publish(
    repository: str,
    kind: Kind,
    files: Mapping[str, Content],
    owned: re.Pattern[str],
    message: str,
    private: bool = False,
) -> Done:
    """Makes a repository hold `files`, in one commit, or in none if it holds them already.

    A file that is there and not in `files` is removed if its name matches `owned`; others stay. A
    repository that does not exist is made, for its owner alone if `private`.

    Raises:
        PaperclipError: nobody is logged in, or the Hub refuses.
    """
    check_token()
    with told(repository, None, "no such repository", _FAILED), bars_on_a_terminal_only():
        held = look(repository, None, kind, may_be_missing=True)
        if held is None:
            client().create_repo(repository, repo_type=kind, private=private or None)
            held = look(repository, None, kind)
            assert held is not None  # else `look` has raised
        elif private and not held.is_private:
            raise PaperclipError(
                f"{repository} is there and public, and --private only counts for a new one",
                "make it private on its page, or leave out --private",
            )
        changed = {name: data for name, data in files.items() if _differs(held.files, name, data)}
        gone = [name for name in held.files if owned.fullmatch(name) and name not in files]
        if not changed and not gone:
            return Done(held.commit, 0, ())
        commit, said = _commit(held, changed, gone, message)
    return Done(commit, len(changed) + len(gone), said)


def check_token() -> None:
    """PaperclipError if nobody is logged in to the Hub."""
    from huggingface_hub import get_token

    if get_token() is None:
        raise PaperclipError(
            "nothing can be published without a token of the Hub",
            "log in with `hf auth login`, or set HF_TOKEN, to one that may write",
        )


def _commit(
    held: Snapshot, changed: Mapping[str, Content], gone: Iterable[str], message: str
) -> tuple[str, tuple[str, ...]]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *(
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=_given(data))
            for name, data in changed.items()
        ),
        *(CommitOperationDelete(path_in_repo=name, is_folder=False) for name in gone),
    ]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        done = client().create_commit(
            held.repository,
            operations,
            commit_message=message,
            repo_type=held.kind,
            parent_commit=held.commit,  # what others have changed since is not overwritten
        )
    said = (str(one.message) for one in heard if one.category is UserWarning)
    return done.oid, tuple(" ".join(text.split()) for text in said)


def _given(data: Content) -> str | bytes:
    return data if isinstance(data, bytes) else str(data)


def _differs(held: Mapping[str, RemoteFile], name: str, data: Content) -> bool:
    there = held.get(name)
    if there is None or there.size != size_of(data):
        return True
    if there.sha256 is not None:
        return _digest(hashlib.sha256(), data) != there.sha256
    git = hashlib.sha1(b"blob %d\0" % there.size, usedforsecurity=False)
    return _digest(git, data) != there.git


def _digest(digest: hashlib._Hash, data: Content) -> str:
    if isinstance(data, bytes):
        digest.update(data)
    else:
        with data.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def size_of(data: Content) -> int:
    """The bytes of a file that is to be uploaded."""
    return len(data) if isinstance(data, bytes) else data.stat().st_size
