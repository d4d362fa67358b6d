"""Agreement of a model's distances between images with distances that people see.

Spearman's correlation of the two over pairs of images: 1 where both order the pairs alike, 0 at
chance. Equal distances share the mean of their ranks. Distances that are all equal tell nothing,
and have a correlation of 0.

Shapes: N images, D embedding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from paperclip_cli.evaluation.bootstrap import RESAMPLES, Shares
from paperclip_cli.evaluation.classes import similarities


class Agreement(NamedTuple):
    """The correlation over all `pairs`, and the mean over images of that with the other images.

    `interval` and `interval_by_image` are 95 % intervals; images are resampled.
    """

    pairs: int
    correlation: float
    interval: tuple[float, float]
    by_image: float
    interval_by_image: tuple[float, float]


def distances(images: np.ndarray) -> np.ndarray:
    """1 - cosine of unit vectors [N,D], float64 [N,N]. What is no number is infinitely far."""
    return 1 - similarities(images, images)


def agreement(ours: np.ndarray, theirs: np.ndarray, seed: int = 0) -> Agreement:
    """The agreement of two symmetric matrices of distances, float64 [N,N], with N of at least 3.

    Pairs for which `theirs` has no number are left out.
    """
    known = np.isfinite(theirs) & ~np.eye(len(theirs), dtype=bool)
    upper = np.triu(known)
    one, other = (_ranks(matrix[upper]) for matrix in (ours, theirs))
    each = np.asarray(
        [
            _correlation(_ranks(ours[row][some]), _ranks(theirs[row][some]))
            for row, some in enumerate(known)
            if np.count_nonzero(some) > 1
        ]
    )
    by_image = Shares(np.arange(len(each)), seed).of(each)
    return Agreement(
        int(np.count_nonzero(upper)),
        _correlation(one, other),
        _interval(_spread(one, upper), _spread(other, upper), known, seed),
        by_image.by_item,
        by_image.interval,
    )


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of ranks; 0 where one of them is constant."""
    one, other = one - one.mean(), other - other.mean()
    size = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / size) if size > 0 else 0.0


def _spread(ranks: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The ranks of pairs, less their mean, as a symmetric matrix [N,N] with 0 elsewhere."""
    matrix = np.zeros(upper.shape)
    matrix[upper] = ranks - ranks.mean()
    return matrix + matrix.T


def _interval(
    one: np.ndarray, other: np.ndarray, known: np.ndarray, seed: int
) -> tuple[float, float]:
    """A 95 % interval of the correlation (Efron's percentile method).

    An image that is drawn w times has w times the weight; its pairs with itself do not count. The
    ranks are those among all pairs, since ranks within each sample would take hours.
    """
    images = len(known)
    weights = (
        np.random.default_rng(seed)
        .multinomial(images, np.full(images, 1 / images), size=RESAMPLES)
        .astype(np.float64)
    )

    def total(matrix: np.ndarray) -> np.ndarray:
        return np.einsum("sn,sn->s", weights @ matrix, weights)

    count = np.maximum(total(known.astype(np.float64)), 1)

    def mean(matrix: np.ndarray) -> np.ndarray:
        return total(matrix) / count

    first, second = mean(one), mean(other)
    squares = (mean(one * one) - first**2) * (mean(other * other) - second**2)
    product = mean(one * other) - first * second
    # A sample in which all distances are equal has a rounding error in the place of 0.
    is_constant = squares <= 1e-12 * np.square(one).max() * np.square(other).max()
    values = np.where(is_constant, 0, product / np.sqrt(np.where(is_constant, 1, squares)))
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
