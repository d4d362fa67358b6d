"""The union of some indexes of one model: shares of the work, or what several people have."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.chance import outdated
from paperclip_cli.indexes.database import Entry, Image
from paperclip_cli.indexes.described import THUMBNAILS
from paperclip_cli.indexes.folder import IndexFolder, update_command
from paperclip_cli.indexes.several import check_same_model
from paperclip_cli.indexes.sources import with_origin
from paperclip_cli.indexes.update import State, publish, write_generation, write_unrelated
from paperclip_cli.records import Key, Proposal
from paperclip_cli.workspace import Manifest, now

_BLOCK = 8_192  # images whose vectors are in memory at once
_MODEL = "model"  # the folder of the text tower of an imported index
_TOWER = "text_tower"


@dataclass(frozen=True)
class Member:
    """An image of one of the indexes: its entry in the union, and where its vectors are."""

    entry: Entry
    index: int
    image: Image


class Union:
    """The images of some open indexes, each once: the first index that has one counts.

    Raises:
        PaperclipError: the indexes are of different models, or see images in different ways, or one
            is of an earlier version.
    """

    def __init__(self, indexes: Sequence[IndexFolder]) -> None:
        check_same_model(indexes)
        _check_same_sight(indexes)
        old = outdated(indexes)
        if old is not None:
            raise PaperclipError(
                f"index {old.name!r} is of an earlier version",
                f"{update_command(old.name)}, which embeds no image again",
            )
        self._indexes = indexes

    @cached_property
    def members(self) -> list[Member]:
        """The images, in the order of their paths."""
        found: dict[str, Member] = {}
        for number, index in enumerate(self._indexes):
            for image in index.observations.images():
                path = _path_in_union(image.entry.path, number)
                found.setdefault(path, Member(replace(image.entry, path=path), number, image))
        return [found[path] for path in sorted(found)]

    @property
    def state(self) -> State:
        proposals: dict[Key, Proposal] = {}
        for member in self.members:
            if member.image.proposal is not None:
                proposals.setdefault(member.image.proposal.key, member.image.proposal)
        entries = tuple(member.entry for member in self.members)
        return State(entries, {key: proposals[key] for key in sorted(proposals)})

    @property
    def splits(self) -> Mapping[Key, str]:
        return {
            member.image.proposal.key: member.image.split
            for member in reversed(self.members)
            if member.image.proposal is not None
        }

    @property
    def dimension(self) -> int:
        return int(self._indexes[0].vectors.shape[1])

    def blocks(self, entries: Sequence[Entry]) -> Iterator[np.ndarray]:
        """The vectors of the images, which are all of them, as blocks float32 [n, D]."""
        assert len(entries) == len(self.members)
        for start in range(0, len(self.members), _BLOCK):
            yield np.concatenate(
                [self._vectors(one) for one in self.members[start : start + _BLOCK]]
            )

    def _vectors(self, member: Member) -> np.ndarray:
        first = member.image.id
        return self._indexes[member.index].vectors[first : first + member.entry.tiles]

    def write(self, folder: Path) -> Manifest:
        """Writes the union into an empty folder, and returns its manifest."""
        number, vectors = write_generation(folder, self.state, self.splits, self)
        tables = self._indexes[0].unrelated
        assert tables is not None
        unrelated = write_unrelated(folder, number, vectors, np.array(tables.texts))
        self._copy_pictures(folder)
        manifest = replace(
            self._manifest(folder),
            created=now(),
            counts={"images": len(self.members), "vectors": len(vectors)},
            files={},
            underway={},
        )
        extra = {name: value for name, value in manifest.extra.items() if name != "generation"}
        manifest = replace(manifest, extra={**extra, "dimension": self.dimension, **unrelated})
        publish(folder, manifest, number)
        return manifest

    def _manifest(self, folder: Path) -> Manifest:
        """The manifest of an index that has the whole model, or else of one with a text tower."""
        whole = [one for one in self._indexes if _TOWER not in one.manifest.extra]
        chosen = (whole or self._indexes)[0]
        if not whole:
            shutil.copytree(chosen.folder / _MODEL, folder / _MODEL)
        extra = dict(chosen.manifest.extra)
        for index in whole:
            said = index.manifest.extra
            extra |= with_origin(extra, said.get("roots", ()), said.get("sources", {}))
        return replace(chosen.manifest, extra=extra)

    def _copy_pictures(self, folder: Path) -> None:
        """The thumbnails of imported indexes."""
        for member in self.members:
            if member.entry.path.startswith(f"{THUMBNAILS}/"):
                (folder / THUMBNAILS).mkdir(exist_ok=True)
                source = self._indexes[member.index].folder / member.image.entry.path
                shutil.copyfile(source, folder / member.entry.path)


def _path_in_union(path: str, number: int) -> str:
    """The path of an image. Imported indexes number their thumbnails alike."""
    start, _, name = path.rpartition("/")
    return f"{THUMBNAILS}/{number}-{name}" if start == THUMBNAILS else path


def _check_same_sight(indexes: Sequence[IndexFolder]) -> None:
    first = indexes[0]
    for other in indexes[1:]:
        if (other.view, other.reading) != (first.view, first.reading):
            raise PaperclipError(
                f"indexes {first.name!r} and {other.name!r} see images in different ways",
                "make one anew with the --view, --hdu and --stretch of the other",
            )
