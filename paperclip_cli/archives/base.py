"""The interface that `fetch` needs of an archive.

A folder on disk, the simulated sky and MAST all provide it. An archive first lists its pictures,
which is cheap, and then reads only those that were drawn.
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

    `name` is unique within the proposal, and does not depend on the archive's location or the order
    of its listing. `stamp` changes when the image may have changed (size and time of a file, seed
    and version of a simulation); an image with the same stamp is not read again. Images of one
    `group` show the same field, in one filter each: the draw takes one of every group before it
    takes a second. An image with a blank group is a group of its own. `size` in bytes is for
    estimates; 0 is unknown.
    """

    key: Key
    name: str
    stamp: str
    observation: Observation
    group: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """A picture uint8 [H, W] or [H, W, 3], and its coordinates on the sky.

    `original` is the file it was in, if that was requested. `transferred` counts the bytes
    downloaded.
    """

    pixels: np.ndarray
    wcs: Wcs | None = None
    original: bytes | None = None
    transferred: int = 0


class Archive(Protocol):
    """Proposals with their images; several threads may call `read` and `original` at once."""

    @property
    def mission(self) -> str:
        """The mission of all keys of this archive."""

    @property
    def identity(self) -> str:
        """What tells this archive from others of its mission: a path, `simulated sky, seed 42`."""

    @property
    def excluded(self) -> Mapping[str, int]:
        """Counts of what the listing left out by rule ("files whose name is not valid text": 2)."""

    @property
    def notes(self) -> Sequence[str]:
        """What else a user should read about the listing, one line each."""

    def proposals(self) -> Sequence[Proposal]:
        """The catalogue, with one record for each proposal."""

    def previews(self, key: Key) -> Sequence[Candidate]:
        """The images of a proposal in any order, perhaps none.

        Raises:
            BadItem: they cannot be listed.
        """

    def read(self, candidate: Candidate) -> np.ndarray:
        """The picture uint8 [H, W] (grey) or [H, W, 3].

        Raises:
            BadItem: it cannot be read.
        """

    def original(self, candidate: Candidate) -> bytes | None:
        """The archive's own file, or None if there is none, as for a simulated picture."""


@runtime_checkable
class RemoteArchive(Archive, Protocol):
    """An archive over a network. It is slow and fallible, so nothing is requested twice."""

    def fetch(self, candidate: Candidate, keep: bool) -> Reading:
        """Download and decode an image; `keep` adds the file itself.

        Raises:
            BadItem: it cannot be downloaded or decoded.
        """

    def stop(self) -> None:
        """End the waits of all other threads."""


def read_image(archive: Archive, candidate: Candidate, keep: bool) -> Reading:
    """Read an image from any archive; `keep` adds the file that it was in.

    Raises:
        BadItem: it cannot be read.
    """
    if isinstance(archive, RemoteArchive):
        return archive.fetch(candidate, keep)
    return Reading(archive.read(candidate), original=archive.original(candidate) if keep else None)
