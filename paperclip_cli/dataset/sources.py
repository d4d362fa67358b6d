"""Where datasets of others lie: in a folder, or on the Hub; and whether they have changed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from paperclip_cli.dataset import hub
from paperclip_cli.dataset.hub import HubDataset
from paperclip_cli.dataset.row_images import Places

_SETTINGS = ".huggingface.yaml"  # the only hidden file that `datasets` reads


class Source(Protocol):
    """A dataset that is to be converted."""

    @property
    def name(self) -> str:
        """The name for messages. It holds no private path."""

    @property
    def identity(self) -> str:
        """What tells it from all others."""

    def is_settled(self, inputs: dict[str, str], offline: bool) -> bool:
        """Whether what was converted from these `inputs` need not be compared with the source."""

    def inputs(self, offline: bool) -> dict[str, str]:
        """The state of the source, by which a change is recognised."""

    def places(self, inputs: dict[str, str], offline: bool) -> Places:
        """The folder of its files, which are fetched where necessary."""

    def revision(self, inputs: dict[str, str]) -> str:
        """The state in one word, for the cards of models."""


@dataclass(frozen=True)
class Folder:
    """A folder on this machine. Its state is that of its files: names, sizes and times."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def identity(self) -> str:
        return str(self.folder)

    def is_settled(self, inputs: dict[str, str], offline: bool) -> bool:
        return False

    def inputs(self, offline: bool) -> dict[str, str]:
        digest = hashlib.sha256()
        for path in _files(self.folder):
            state = path.stat()
            line = f"{path.relative_to(self.folder)}\0{state.st_size}\0{state.st_mtime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        return {"files": digest.hexdigest()}

    def places(self, inputs: dict[str, str], offline: bool) -> Places:
        return Places(self.folder, self.folder)

    def revision(self, inputs: dict[str, str]) -> str:
        return inputs["files"][:16]


@dataclass(frozen=True)
class OnHub:
    """A dataset on the Hub. Its state is the commit at the revision that is asked for."""

    dataset: HubDataset

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def identity(self) -> str:
        return f"hub {self.name}"

    def is_settled(self, inputs: dict[str, str], offline: bool) -> bool:
        return offline or inputs == {"commit": self.dataset.commit}

    def inputs(self, offline: bool) -> dict[str, str]:
        if not offline:
            return {"commit": hub.latest_commit(self.dataset)}
        # Another program may have fetched only a part of it: online, that is not taken for all.
        folder = hub.download(self.dataset, None, offline)
        return {"commit": folder.name, "files": "those on this machine"}

    def places(self, inputs: dict[str, str], offline: bool) -> Places:
        folder = hub.download(self.dataset, inputs["commit"], offline)
        return Places(folder, folder.parent.parent)  # its links lead to `blobs` beside `snapshots`

    def revision(self, inputs: dict[str, str]) -> str:
        return inputs["commit"]


def slug(name: str) -> str:
    """A name without what a folder or a mission cannot have: `org--name`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.replace("/", "--")).strip("-._")[:60] or "dataset"


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder without the hidden ones, in a fixed order."""
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if (not name.startswith(".") or name == _SETTINGS) and path.is_file():
                yield path
