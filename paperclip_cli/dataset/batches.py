"""Which pairs make which batch, and their captions: everything follows from the seed and the number of the step.

An epoch is a permutation of all pairs, cut into batches; the few that are left over have their turn in other epochs. Where no batch may
hold two pairs of one proposal, an epoch has one pair of each, drawn anew. Nothing is remembered from step to step, so that a training
that is continued sees what it would have seen.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from paperclip_cli.dataset.captions import Caption

Item = TypeVar("Item")
Tokenize = Callable[[Sequence[str]], np.ndarray]
"""Texts -> int32 [B,L]."""


class HostBatch(NamedTuple):
    """Arrays of B rows: what `Inputs` give, and the proposals' numbers, int32 [B]."""

    images: np.ndarray
    texts: np.ndarray
    groups: np.ndarray


class Inputs(Protocol):
    """Where the pairs of a training come from."""

    def __len__(self) -> int:
        """How many pairs there are."""

    def __call__(self, epoch: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and texts of some pairs as an epoch sees them."""


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The captions of a split, cut anew each time.

    `room` is how many tokens a caption may have, without the start and the end token; `any_run` whether captions are runs of
    sentences of any length, and not the longest that fit.
    """

    captions: Sequence[Caption]
    tokenize: Tokenize
    room: int
    seed: int
    any_run: bool = False

    def __call__(self, epoch: int, rows: np.ndarray) -> np.ndarray:
        """int32 [B,L]."""
        return self.tokenize([self._caption(epoch, row) for row in rows])

    def _caption(self, epoch: int, row: int) -> str:
        caption, rng = self.captions[row], np.random.default_rng([self.seed, 1, epoch, row])
        return (
            caption.any_run(self.room, rng) if self.any_run else caption.longest_run(self.room, rng)
        )


@dataclass(frozen=True)
class Pictures:
    """Images, uint8 [B,C',C',c] as `images(rows)` gives them, and tokens of a split."""

    images: Callable[[np.ndarray], np.ndarray]
    texts: Texts

    def __len__(self) -> int:
        return len(self.texts.captions)

    def __call__(self, epoch: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.images(rows), self.texts(epoch, rows)


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The batches of a training: of `groups`, int [N] the proposal of every pair, and `unique` where they hold none twice.

    `part` is what of each batch is wanted here, where several processes share it.
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
        return HostBatch(
            *self.inputs(epoch, rows[self.part]), self.groups[rows].astype(np.int32)[self.part]
        )

    def rows(self, step: int) -> tuple[int, np.ndarray]:
        """The epoch that a step is in, and the rows of its batch: int64 [size]."""
        if not self.unique:
            return batch_rows(step, len(self.groups), self.size, self.seed)
        epoch, places = batch_rows(step, int(self.groups.max()) + 1, self.size, self.seed)
        return epoch, self._chosen(epoch)[places]

    def _chosen(self, epoch: int) -> np.ndarray:
        """One pair of each proposal, int64 [P]: the first of it in a permutation of all."""
        order = np.random.default_rng([self.seed, 2, epoch]).permutation(len(self.groups))
        return order[np.unique(self.groups[order], return_index=True)[1]]


def batch_rows(step: int, count: int, size: int, seed: int) -> tuple[int, np.ndarray]:
    """The epoch that a step is in, and the rows of its batch out of `count`: int64 [size]."""
    epoch, place = divmod(step, count // size)
    return epoch, _order(count, seed, epoch)[place * size : (place + 1) * size]


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, 0, epoch]).permutation(count)


def exchanged(texts: Sequence[str], groups: np.ndarray, seed: int) -> list[str]:
    """Every group (a proposal, int [N]) with the texts of another one, its first for all of them: the control of a training."""
    firsts = np.unique(groups, return_index=True)[1]
    order = np.random.default_rng([seed, 3]).permutation(len(firsts))
    giver = np.empty_like(order)
    giver[order] = np.roll(order, 1)
    return [texts[firsts[giver[group]]] for group in groups]


def look_ahead(items: Iterable[Item], depth: int = 2) -> Generator[Item]:
    """The same items, made in a thread that is up to `depth` of them ahead. An error there is raised here; closing stops the thread."""
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
        except BaseException as error:  # whatever it is belongs to the consumer
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
