"""What `fetch` asks of the outside world: a folder on disk, the simulated sky, and the archive over the network all answer this.

An archive first lists, which is cheap, and then reads only the pictures that were drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from paperclip_cli.records import Key, Observation, Proposal, Wcs

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image that an archive holds for a proposal.

    `name` tells it from the proposal's others and does not depend on where the archive lies or in what order it lists. `stamp` changes
    when the image may have changed (size and time of a file, seed and version of a simulation): equal stamps are not read again.
    Images of one `group` show the same field (one filter each): the draw takes one of every group before it takes a second; blank is a
    group of its own. `size` in bytes is for estimates, 0 where unknown.
    """

    key: Key
    name: str
    stamp: str
    observation: Observation
    group: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """A picture (uint8 [H, W] or [H, W, 3]), its place on the sky, the file that it was in where that was wanted, its bytes on the wire."""

    pixels: np.ndarray
    wcs: Wcs | None = None
    original: bytes | None = None
    transferred: int = 0


class Archive(Protocol):
    """Proposals with their images. `read` and `original` may be called from several threads at once."""

    @property
    def mission(self) -> str:
        """The mission that every key of this archive carries."""

    @property
    def identity(self) -> str:
        """Tells this archive from another one of the same mission: the folder's path, `simulated sky, seed 42`."""

    @property
    def excluded(self) -> Mapping[str, int]:
        """What the listing left out by rule, counted by reason ("symbolic links that lead out of the folder")."""

    def proposals(self) -> Sequence[Proposal]:
        """The catalogue, one record a proposal."""

    def previews(self, key: Key) -> Sequence[Candidate]:
        """The images of a proposal, in any order; empty where there is none. BadItem where they cannot be listed."""

    def read(self, candidate: Candidate) -> np.ndarray:
        """The picture: uint8 [H, W] (grey) or [H, W, 3]. BadItem where it cannot be read."""

    def original(self, candidate: Candidate) -> bytes | None:
        """The archive's own file, or None where there is none (a simulated picture)."""


@runtime_checkable
class RemoteArchive(Archive, Protocol):
    """An archive over a network: slow, fallible, and asked for nothing twice."""

    def fetch(self, candidate: Candidate, keep: bool) -> Reading:
        """Downloads and decodes; with the file itself if it is to be kept. BadItem where it cannot be had."""

    def stop(self) -> None:
        """Ends what other threads are waiting for."""


def read_image(archive: Archive, candidate: Candidate, keep: bool) -> Reading:
    """Reads an image of any archive; with the file that it was in if it is to be kept. BadItem where it cannot be read."""
    if isinstance(archive, RemoteArchive):
        return archive.fetch(candidate, keep)
    return Reading(archive.read(candidate), original=archive.original(candidate) if keep else None)
