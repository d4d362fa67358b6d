"""Shares of hits with an interval: what is drawn again is groups, because the items of one group are not independent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RESAMPLES = 1_000


class Share(NamedTuple):
    """The mean over items, the mean over groups of the mean over their items, and a 95 % interval of the first."""

    by_item: float
    by_group: float
    interval: tuple[float, float]


class Shares:
    """Bootstrap over groups (Efron's percentile method), with the same samples for every quantity, so that they can be compared."""

    def __init__(self, group: np.ndarray, seed: int = 0) -> None:
        """`group` int [n], not empty: to which group an item belongs."""
        self._group = np.unique(group, return_inverse=True)[1]
        self._counts = np.bincount(self._group)
        groups = len(self._counts)
        draws = np.random.default_rng(seed).multinomial(
            groups, np.full(groups, 1 / groups), size=RESAMPLES
        )
        self._draws = draws.astype(
            np.float64
        )  # how often each group is drawn in each sample: [RESAMPLES, groups]

    def of(self, hits: np.ndarray) -> Share:
        """The share of hits [n], each from 0 to 1."""
        sums = np.bincount(self._group, hits)
        samples = self._draws @ sums / (self._draws @ self._counts)
        low, high = np.quantile(samples, (0.025, 0.975))
        return Share(
            float(sums.sum() / self._counts.sum()),
            float((sums / self._counts).mean()),
            (float(low), float(high)),
        )
