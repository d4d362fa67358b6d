"""Background scores of an index: the scores of unrelated texts, which rate those of a query."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Percentiles: every percent, and finer steps at the top, where the hits of a query lie.
LEVELS = np.concatenate(
    [np.arange(99), 99 + np.arange(9) / 10, 99.9 + np.arange(9) / 100, 99.99 + np.arange(11) / 1000]
)
SAMPLE = 16_384  # vectors: five million scores with 304 texts


@dataclass(frozen=True)
class Background:
    """Scores of unrelated texts: `scores` are their quantiles at `LEVELS`."""

    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.scores) != len(LEVELS):
            raise ValueError(f"{len(LEVELS)} quantiles of the background")

    def percentile(self, score: float) -> float:
        """Percent of the background scores below `score`. It never falls as the score grows."""
        return float(np.interp(score, self._quantiles, LEVELS))

    @cached_property
    def _quantiles(self) -> np.ndarray:
        return np.asarray(self.scores)


def measure(vectors: np.ndarray, texts: np.ndarray) -> Background:
    """The background of an index: its vectors [N, D] against embeddings [T, D] of unrelated texts.

    The quantiles are over a regular sample of the vectors.
    """
    step = max(1, -(-len(vectors) // SAMPLE))
    sample = vectors[::step] @ texts.T
    return Background(tuple(np.quantile(sample, LEVELS / 100).astype(float).tolist()))
