"""What unrelated texts find in an index, kept as its rows come and go.

A folder computes the lists anew from all vectors. Here, rows leave the lists, and new rows enter
them, without a look at the others. The lists then hold what they would hold anyway, or the
beginning of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paperclip_cli.engines.records import NEAREST
from paperclip_cli.indexes.unrelated import KEPT, highest

_NONE = -np.inf  # the cosine of the empty places at the end of a list


class Lists:
    """The best rows of each of some texts, best first."""

    def __init__(self, texts: int, old: np.ndarray | None = None, rows: int = 0) -> None:
        """`old` are the lists [T, K] of an index of so many `rows`."""
        if old is None:
            old = np.zeros((texts, 0), NEAREST)
        self._rows = old["row"].astype(np.int64)
        self._scores = np.where(self._rows < 0, _NONE, old["score"]).astype(np.float32)
        # Rows with a lower cosine than the last of a list may have been left out of it.
        held = np.count_nonzero(self._rows >= 0, axis=1)
        last = np.where(self._rows < 0, np.inf, self._scores).min(axis=1, initial=np.inf)
        self._floor = np.where(held >= rows, _NONE, last).astype(np.float32)

    def remove(self, ids: Sequence[int]) -> None:
        """Takes rows out."""
        gone = np.isin(self._rows, ids)
        self._scores[gone] = _NONE
        self._rows[gone] = -1
        self._sort(self._rows.shape[1])

    def add(self, ids: np.ndarray, scores: np.ndarray) -> None:
        """Adds rows int64 [n] with their cosines float32 [T, n]."""
        places = highest(scores, min(KEPT, len(ids)))
        best = np.take_along_axis(scores, places, axis=1)
        is_sure = best >= self._floor[:, None]
        self._rows = np.concatenate([self._rows, np.where(is_sure, ids[places], -1)], axis=1)
        self._scores = np.concatenate([self._scores, np.where(is_sure, best, _NONE)], axis=1)
        self._sort(KEPT)

    def shortest(self) -> int:
        """The length of the shortest list."""
        return int(np.count_nonzero(self._rows >= 0, axis=1).min())

    def table(self) -> np.ndarray:
        """The lists, whose empty places have row -1 and cosine -1."""
        made = np.zeros(self._rows.shape, NEAREST)
        made["row"] = self._rows
        made["score"] = np.where(self._rows < 0, -1, self._scores)
        return made

    def _sort(self, count: int) -> None:
        order = highest(self._scores, min(count, self._scores.shape[1]))
        self._rows = np.take_along_axis(self._rows, order, axis=1)
        self._scores = np.take_along_axis(self._scores, order, axis=1)
