"""Measures of the ranks of true answers: recall at k, median rank, MRR and nDCG.

Every query has one true answer, at rank r among n candidates:

    recall at k = P(r <= k)        MRR = mean of 1 / r        nDCG = mean of 1 / log2(1 + r)

nDCG counts the whole ranking; its ideal is 1, since one answer is right (Järvelin & Kekäläinen
2002, ACM TOIS 20). Candidates that are tied with the true answer are in arbitrary order: each
measure is its mean over all orders, so that embeddings which tell nothing apart are at chance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from paperclip_cli.evaluation.bootstrap import Shares
from paperclip_cli.evaluation.retrieval import PERCENTS, Standing

TOPS = PERCENTS[:3]  # 1, 5 and 10, here as numbers of candidates


class Ranks(NamedTuple):
    """Recall at each of TOPS, median rank, mean reciprocal rank and nDCG, over images.

    The values in `interval` are 95 % intervals by proposal under the names of `named`. `chance` are
    the values of random embeddings under the same names.
    """

    recall: dict[int, float]
    median: float
    mrr: float
    ndcg: float
    interval: dict[str, tuple[float, float]]
    chance: dict[str, float]

    def named(self) -> dict[str, float]:
        """All values by name: `recall_1`, ..., `median_rank`, `mrr`, `ndcg`."""
        return named(self.recall, self.median, self.mrr, self.ndcg)


def named(recall: dict[int, float], median: float, mrr: float, ndcg: float) -> dict[str, float]:
    """The measures under the names of the output."""
    recalls = {f"recall_{k}": value for k, value in recall.items()}
    return {**recalls, "median_rank": median, "mrr": mrr, "ndcg": ndcg}


def measure(found: Standing, proposal: np.ndarray, seed: int = 0) -> Ranks:
    """The measures of true answers, whose images' proposals are `proposal`, int [N]."""
    shares = Shares(proposal[found.rows], seed)
    reciprocal, gain = gains(int(found.total.max()))
    means = {
        **{f"recall_{k}": shares.of(found.hits(k)) for k in TOPS},
        "mrr": shares.of(_expected(found, reciprocal)),
        "ndcg": shares.of(_expected(found, gain)),
    }
    median, bounds = shares.median(found.rank)
    values = {name: share.by_item for name, share in means.items()}
    return Ranks(
        recall={k: values[f"recall_{k}"] for k in TOPS},
        median=median,
        mrr=values["mrr"],
        ndcg=values["ndcg"],
        interval={name: share.interval for name, share in means.items()} | {"median_rank": bounds},
        chance=_chance(found.total, reciprocal, gain),
    )


def gains(candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of 1 / r and of 1 / log2(1 + r) over the ranks 1 to n: float64 [candidates + 1] each."""
    rank = np.arange(1, candidates + 1, dtype=np.float64)
    sums = (np.concatenate([[0.0], np.cumsum(gain)]) for gain in (1 / rank, 1 / np.log2(1 + rank)))
    return next(sums), next(sums)


def _expected(found: Standing, sums: np.ndarray) -> np.ndarray:
    """The mean gain over the ranks that a true answer may have: float64 [n], 0 to 1."""
    last = found.better + found.tied + 1
    return (sums[last] - sums[found.better]) / (1 + found.tied)


def _chance(total: np.ndarray, reciprocal: np.ndarray, gain: np.ndarray) -> dict[str, float]:
    """The measures where every rank among the `total` candidates is as probable as any other."""
    return named(
        {k: float((np.minimum(k, total) / total).mean()) for k in TOPS},
        float(np.median((1 + total) / 2)),
        float((reciprocal[total] / total).mean()),
        float((gain[total] / total).mean()),
    )
