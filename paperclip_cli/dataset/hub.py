"""Datasets of the Hugging Face Hub, as folders in the Hub's own cache on this machine.

Only files that can hold data are downloaded: neither programs nor pickles.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from paperclip_cli.errors import PaperclipError
from paperclip_cli.services.hub import (
    bars_on_a_terminal_only,
    client,
    in_clients_cache,
    is_commit,
    is_name,
    look,
    split_name,
    told,
)

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
        return self.revision if is_commit(self.revision) else None


def parse(name: str) -> HubDataset | None:
    """The dataset that `org/name` or `org/name@revision` means; None for other forms."""
    return HubDataset(*split_name(name)) if is_name(name) else None


def latest_commit(dataset: HubDataset) -> str:
    """The commit that the Hub has at the revision.

    Raises:
        PaperclipError: there is none, its data come from a program, or the Hub does not answer.
    """
    with _told(dataset):
        found = look(dataset.repository, dataset.revision, "dataset")
    assert found is not None  # else `look` has raised
    script = dataset.repository.partition("/")[2] + ".py"
    if script in found.files:
        raise PaperclipError(
            f"{dataset.name} has a loading script ({script}), which is a program and is not run",
            f"the Hub may have its data as Parquet: try {dataset.repository}@refs/convert/parquet",
        )
    return found.commit


def download(dataset: HubDataset, commit: str | None, offline: bool) -> Path:
    """The folder of a dataset's files at a commit, which are fetched unless they are there.

    Offline, whatever another program fetched is taken; without a commit, that of the revision.

    Raises:
        PaperclipError: they cannot be fetched or, offline, are not there.
    """
    revision = commit or dataset.revision
    if offline:
        there = in_clients_cache(dataset.repository, revision, "dataset", _FILES)
        if there is None:
            raise PaperclipError(
                f"{dataset.name} is not on this machine, and the network may not be used",
                "run without --offline",
            )
        return there
    with _told(dataset), bars_on_a_terminal_only():
        found = client().snapshot_download(
            dataset.repository, repo_type="dataset", revision=revision, allow_patterns=_FILES
        )
    return Path(found)


@contextmanager
def _told(dataset: HubDataset) -> Iterator[None]:
    missing = "no such folder, and no such dataset on the Hub"
    before = "use what was converted before with --offline"
    with told(dataset.name, dataset.revision, missing, instead=before):
        yield
