"""Shares of hits with bootstrap intervals.

Groups are resampled, because the items of one group are not independent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RESAMPLES = 1_000
_AT_A_TIME = 2**24  # numbers: resamples times items


class Share(NamedTuple):
    """The share of hits by item and by group.

    `by_item` is the mean over items, `by_group` the mean over groups of the mean over their items,
    and `interval` a 95 % interval of `by_item`.
    """

    by_item: float
    by_group: float
    interval: tuple[float, float]


class Shares:
    """Bootstrap over groups (Efron's percentile method).

    The same samples serve for every quantity, so that quantities can be compared.
    """

    def __init__(self, group: np.ndarray, seed: int = 0) -> None:
        """`group` int [n], not empty, is the group of each item."""
        self._group = np.unique(group, return_inverse=True)[1]
        self._counts = np.bincount(self._group)
        groups = len(self._counts)
        even = np.full(groups, 1 / groups)
        draws = np.random.default_rng(seed).multinomial(groups, even, size=RESAMPLES)
        # How often each group is drawn in each sample: [RESAMPLES, groups].
        self._draws = draws.astype(np.float64)

    def of(self, hits: np.ndarray) -> Share:
        """The share of `hits` [n], each between 0 and 1."""
        sums = np.bincount(self._group, hits)
        samples = self._draws @ sums / (self._draws @ self._counts)
        low, high = np.quantile(samples, (0.025, 0.975))
        return Share(
            float(sums.sum() / self._counts.sum()),
            float((sums / self._counts).mean()),
            (float(low), float(high)),
        )

    def median(self, values: np.ndarray) -> tuple[float, tuple[float, float]]:
        """The median of `values` [n], and its 95 % interval. The middle two are averaged."""
        order = np.argsort(values, kind="stable")
        ordered, group = values[order], self._group[order]
        some = max(1, _AT_A_TIME // len(values))
        medians: list[np.ndarray] = []
        for first in range(0, len(self._draws), some):
            upto = self._draws[first : first + some, group].cumsum(axis=1)
            count = upto[:, -1:]
            # The places of the middle two (one, where their number is odd), counted from 0.
            middle = [(upto <= (count + more) // 2).sum(axis=1) for more in (-1, 0)]
            medians.append((ordered[middle[0]] + ordered[middle[1]]) / 2)
        low, high = np.quantile(np.concatenate(medians), (0.025, 0.975))
        return float(np.median(values)), (float(low), float(high))
