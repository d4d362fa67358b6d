"""How high texts score that have nothing to do with an index: what a query's scores are measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Every percent, and finer where the hits of a query lie.
LEVELS = np.concatenate(
    [np.arange(99), 99 + np.arange(9) / 10, 99.9 + np.arange(9) / 100, 99.99 + np.arange(11) / 1000]
)
_SAMPLE = 16_384  # vectors; with 64 texts a million scores


@dataclass(frozen=True)
class Background:
    """Scores of unrelated texts: `scores` are their quantiles at `LEVELS`, `best` is what the median text's best image scores."""

    scores: tuple[float, ...]
    best: float

    def __post_init__(self) -> None:
        if len(self.scores) != len(LEVELS):
            raise ValueError(f"{len(LEVELS)} quantiles of the background")

    def percentile(self, score: float) -> float:
        """Percent of the background's scores that lie below `score`; never falls as the score grows."""
        return float(np.interp(score, self.scores, LEVELS))


def measure(vectors: np.ndarray, texts: np.ndarray) -> Background:
    """The background of an index from its vectors [N, D] and the embeddings [T, D] of unrelated texts.

    Quantiles are taken over a regular sample of the vectors, each text's best score over all of them.
    """
    block = 65_536
    best = np.max(
        [
            np.max(vectors[start : start + block] @ texts.T, axis=0)
            for start in range(0, len(vectors), block)
        ],
        axis=0,
    )
    sample = vectors[:: max(1, -(-len(vectors) // _SAMPLE))] @ texts.T
    return Background(
        tuple(np.quantile(sample, LEVELS / 100).astype(float).tolist()), float(np.median(best))
    )
