"""Datasets of the Hugging Face Hub, as folders in the Hub's own cache on this machine.

Only files that can hold data are downloaded: neither programs nor pickles.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from paperclip_cli.errors import PaperclipError

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NAME = re.compile(rf"({_PART}/{_PART})(?:@({_PART}(?:/{_PART})*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_KINDS = ("parquet", "arrow", "csv", "tsv", "json", "jsonl", "ndjson", "tar", "zip", "txt")
_PICTURES = ("jpg", "jpeg", "png", "tif", "tiff", "fits", "fit", "fts", "gz", "fz")
_CARDS = ("README.md", ".huggingface.yaml")
_FILES = [
    *_CARDS,
    *(f"*.{form(kind)}" for kind in (*_KINDS, *_PICTURES) for form in (str.lower, str.upper)),
]


class HubDataset(NamedTuple):
    """A dataset `org/name`, at a branch, a tag or a commit; None is its main branch."""

    repository: str
    revision: str | None

    @property
    def name(self) -> str:
        """`org/name` or `org/name@revision`."""
        return f"{self.repository}@{self.revision}" if self.revision else self.repository

    @property
    def commit(self) -> str | None:
        """The commit, where the name gives it in full."""
        return self.revision if self.revision and _COMMIT.fullmatch(self.revision) else None


def parse(name: str) -> HubDataset | None:
    """The dataset that `org/name` or `org/name@revision` means; None for other forms."""
    match = _NAME.fullmatch(name)
    return HubDataset(match[1], match[2]) if match else None


def latest_commit(dataset: HubDataset) -> str:
    """The commit that the Hub has at the revision.

    Raises:
        PaperclipError: there is none, its data come from a program, or the Hub does not answer.
    """
    import huggingface_hub

    with _explained(dataset):
        found = huggingface_hub.HfApi().dataset_info(dataset.repository, revision=dataset.revision)
    script = dataset.repository.partition("/")[2] + ".py"
    if script in {sibling.rfilename for sibling in found.siblings or ()}:
        raise PaperclipError(
            f"{dataset.name} has a loading script ({script}), which is a program and is not run",
            f"the Hub may have its data as Parquet: try {dataset.repository}@refs/convert/parquet",
        )
    if not found.sha:
        raise PaperclipError(f"the Hub names no commit of {dataset.name}", "try again")
    return found.sha


def download(dataset: HubDataset, commit: str | None, offline: bool) -> Path:
    """The folder of a dataset's files at a commit, which are fetched unless they are there.

    Offline, whatever another program fetched is taken; without a commit, that of the revision.

    Raises:
        PaperclipError: they cannot be fetched or, offline, are not there.
    """
    import huggingface_hub

    with _explained(dataset, offline), _bars_on_a_terminal_only():
        found = huggingface_hub.snapshot_download(
            dataset.repository,
            repo_type="dataset",
            revision=commit or dataset.revision,
            allow_patterns=_FILES,
            local_files_only=offline,
        )
    return Path(found)


@contextmanager
def _explained(dataset: HubDataset, offline: bool = False) -> Iterator[None]:
    from huggingface_hub import errors

    name = dataset.name
    try:
        yield
    except errors.GatedRepoError as error:
        raise PaperclipError(
            f"{name}: its terms must be accepted first", "do so on the Hub and log in"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise PaperclipError(
            f"{dataset.repository} on the Hub has no revision {dataset.revision!r}",
            "look at its branches and tags",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise PaperclipError(
            f"{name}: no such folder, and no such dataset on the Hub",
            "check the name; a private dataset needs a login (`hf auth login`)",
        ) from error
    except (OSError, ValueError) as error:
        if offline:
            raise PaperclipError(
                f"{name} is not on this machine, and the network may not be used",
                "run without --offline",
            ) from error
        said: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
        raise PaperclipError(
            f"{name} could not be downloaded: {said[0]}",
            "try again, or use what was converted before with --offline",
        ) from error


@contextmanager
def _bars_on_a_terminal_only() -> Iterator[None]:
    from huggingface_hub import utils

    if sys.stderr.isatty() or utils.are_progress_bars_disabled():
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()
