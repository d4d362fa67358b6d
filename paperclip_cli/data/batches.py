"""Which pairs make which batch, and their captions: everything follows from the seed and the number of the step.

An epoch is a permutation of all pairs, cut into batches; the few that are left over have their turn in other epochs. Nothing is
remembered from step to step, so that a training that is continued sees what it would have seen.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np

from paperclip_cli.data.captions import Caption

Item = TypeVar("Item")
Tokenize = Callable[[Sequence[str]], np.ndarray]
"""Texts -> int32 [B,L]."""


class HostBatch(NamedTuple):
    """`images` uint8 [B,C',C',c] and `tokens` int32 [B,L]."""

    images: np.ndarray
    tokens: np.ndarray


@dataclass(frozen=True)
class Batches:
    """The batches of a training.

    `room` is how many tokens a caption may have, without the start and the end token; `any_run` whether captions are runs of
    sentences of any length, and not the longest that fit.
    """

    store: np.ndarray
    captions: Sequence[Caption]
    tokenize: Tokenize
    room: int
    size: int
    seed: int
    any_run: bool = False

    def __getitem__(self, step: int) -> HostBatch:
        """The batch of a step, counted from 0."""
        epoch, rows = batch_rows(step, len(self.store), self.size, self.seed)
        texts = [self._caption(epoch, row) for row in rows]
        return HostBatch(self.store[rows], self.tokenize(texts))

    def _caption(self, epoch: int, row: int) -> str:
        caption, rng = self.captions[row], np.random.default_rng([self.seed, 1, epoch, row])
        return caption.any_run(self.room, rng) if self.any_run else caption.longest_run(self.room, rng)


def batch_rows(step: int, count: int, size: int, seed: int) -> tuple[int, np.ndarray]:
    """The epoch that a step is in, and the rows of its batch: int64 [size]."""
    epoch, place = divmod(step, count // size)
    return epoch, _order(count, seed, epoch)[place * size:(place + 1) * size]


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, 0, epoch]).permutation(count)


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
