"""The pairs and captions of each batch, which follow from the seed and the step's number alone.

An epoch is a permutation of all pairs, cut into batches. The few pairs left over have their turn in
other epochs. Where no batch may hold two pairs of one proposal, an epoch has one pair of each
proposal, drawn anew. Nothing is remembered between steps, so a resumed training sees what it would
have seen anyway.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from paperclip_cli.dataset.captions import Captions, Draw

Item = TypeVar("Item")
Padded = Callable[[Sequence[list[int]]], np.ndarray]
"""Token ids of B texts, of any length -> int32 [B,L]."""


class HostBatch(NamedTuple):
    """Arrays of B rows: images and texts from `Inputs`, and the proposals' numbers, int32 [B]."""

    images: np.ndarray
    texts: np.ndarray
    groups: np.ndarray


class Inputs(Protocol):
    """A source of training pairs."""

    def __len__(self) -> int:
        """The number of pairs."""

    def __call__(self, epoch: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and texts of some rows, as seen in an epoch."""


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The captions of N pairs, cut anew in each epoch.

    `own`, int [N], is the number of each pair's caption. `draw` draws a run of at most `room`
    tokens (or words), start and end token not counted. `padded` makes token ids as long as each
    other.
    """

    captions: Captions
    own: np.ndarray
    draw: Draw
    room: int
    seed: int
    padded: Padded

    def __len__(self) -> int:
        return len(self.own)

    def __call__(self, epoch: int, rows: np.ndarray) -> np.ndarray:
        """int32 [B,L]."""
        return self.padded([self._tokens(epoch, row) for row in rows])

    def _tokens(self, epoch: int, row: int) -> list[int]:
        own, rng = self.own[row], np.random.default_rng([self.seed, 1, epoch, row])
        run = self.captions.run(own, self.room, lambda sizes, room: self.draw(sizes, room, rng))
        return self.captions.tokens(own, run)


@dataclass(frozen=True)
class Pictures:
    """The images of a split, uint8 [B,C',C',c] from `images(rows)`, and the tokens of its texts."""

    images: Callable[[np.ndarray], np.ndarray]
    texts: Texts

    def __len__(self) -> int:
        return len(self.texts)

    def __call__(self, epoch: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.images(rows), self.texts(epoch, rows)


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The batches of a training.

    `groups`, int [N], is the proposal of every pair. With `unique`, no batch holds two pairs of one
    proposal. Where several processes share each batch, `part` is the slice that belongs to this
    one.
    """

    inputs: Inputs
    groups: np.ndarray
    size: int
    seed: int
    unique: bool = False
    part: slice = field(default_factory=lambda: slice(None))

    def __getitem__(self, step: int) -> HostBatch:
        """The batch of a step, counted from 0."""
        epoch, rows = self.rows(step)
        ours = rows[self.part]
        return HostBatch(*self.inputs(epoch, ours), self.groups[ours].astype(np.int32))

    def rows(self, step: int) -> tuple[int, np.ndarray]:
        """The epoch of a step, and the rows of its batch: int64 [size]."""
        if not self.unique:
            return batch_rows(step, len(self.groups), self.size, self.seed)
        epoch, places = batch_rows(step, int(self.groups.max()) + 1, self.size, self.seed)
        return epoch, self._chosen(epoch)[places]

    def _chosen(self, epoch: int) -> np.ndarray:
        """One pair of each proposal, int64 [P]: its first in a permutation of all pairs."""
        order = np.random.default_rng([self.seed, 2, epoch]).permutation(len(self.groups))
        return order[np.unique(self.groups[order], return_index=True)[1]]


def batch_rows(step: int, count: int, size: int, seed: int) -> tuple[int, np.ndarray]:
    """The epoch of a step, and the rows of its batch out of `count`: int64 [size]."""
    epoch, place = divmod(step, count // size)
    return epoch, _order(count, seed, epoch)[place * size : (place + 1) * size]


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, 0, epoch]).permutation(count)


def exchanged(own: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """The captions of a control training, in which every group has the caption of another group.

    `own`, int [N], is the number of each pair's caption, `groups`, int [N], that of its proposal.
    All pairs of a group get the first caption of the other one.
    """
    firsts = np.unique(groups, return_index=True)[1]
    order = np.random.default_rng([seed, 3]).permutation(len(firsts))

    giver = np.empty_like(order)
    giver[order] = np.roll(order, 1)
    return own[firsts[giver[groups]]]


def look_ahead(items: Iterable[Item], depth: int = 2) -> Generator[Item]:
    """The same items, made in a thread that runs up to `depth` items ahead.

    An error in the thread is raised here. Closing the generator stops the thread.
    """
    ready: queue.Queue[tuple[bool, object]] = queue.Queue(depth)
    stop = threading.Event()

    def give(is_item: bool, value: object) -> None:
        while not stop.is_set():
            try:
                return ready.put((is_item, value), timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                give(True, item)
                if stop.is_set():
                    return
            give(False, None)
        except BaseException as error:  # the consumer handles it, whatever it is
            give(False, error)

    thread = threading.Thread(target=work, name="look-ahead", daemon=True)
    thread.start()

    try:
        while True:
            is_item, value = ready.get()
            if is_item:
                yield value  # type: ignore[misc]
            elif value is None:
                return
            else:
                raise value  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()
