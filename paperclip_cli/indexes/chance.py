"""How likely it is that a text which has nothing to do with the images finds a hit as good.

A query's evidence is taken from its ten best vectors, whatever the number of hits asked for. It has
two parts: how far their cosines stand above those that the same images have with unrelated texts,
in standard deviations; and the share of the query's words that the proposals of these images use.
The second is 0 where there are no proposals.

    evidence = mean z of the ten / its spread among unrelated texts + mean share / WORDS

Every unrelated text gives the evidence of its own ten best vectors under the same conditions. The
`p_chance` of the best hit is the share of unrelated texts whose evidence is at least the query's. A
hit that falls behind the best has the query's evidence less the standard deviations that it falls
behind. As in a permutation test, the query itself is counted among the texts, so that `p_chance` is
never 0 (Phipson & Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9, 39).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.shared_words import shares
from paperclip_cli.indexes.unrelated import BEST, Evidence, Unrelated, best_rows, products

# Where the cosines of all texts must be computed, fewer do: one in four.
_STEP = 4
_LEAST = 1e-6


class Chance:
    """`p_chance` of the hits of many queries under the same conditions.

    `rows` int64 [M] are the vectors that may be ranked, None for all. `common` float32 [D] is what
    the queries share beside their texts: images, vectors and `minus` texts.
    """

    def __init__(
        self, index: IndexFolder, tables: Unrelated, rows: np.ndarray | None, common: np.ndarray
    ) -> None:
        self._index, self._tables, self._rows = index, tables, rows
        self._common = common if common.any() else None
        self._found: dict[float, Evidence] = {}

    def of(
        self, text: str, weight: float, best: Sequence[tuple[int, float]]
    ) -> Callable[[float], float]:
        """`p_chance` of a hit by its cosine, for a query with the words `text`.

        `weight` is that of all its texts together. `best` are the rows of its ten best vectors,
        best first, and their cosines.
        """
        tables = self._tables
        rows = np.array([row for row, _ in best], np.int64)
        scores = np.array([score for _, score in best])
        pictures = float(tables.standing(rows, scores).mean())
        words = shares(text, tables.spread["proposal"][rows].tolist(), self._index.observations)
        share, deviation = float(words.mean()), float(tables.spread["deviation"][rows].mean())
        evidence = self._evidence(weight)

        def chance(cosine: float) -> float:
            behind = max(0.0, float(scores[0]) - cosine) / deviation
            return evidence.chance(pictures - behind, share)

        return chance

    def _evidence(self, weight: float) -> Evidence:
        """What unrelated texts find in place of the texts of a query."""
        if self._common is None and self._rows is None and self._index.evidence is not None:
            return self._index.evidence
        key = 0.0 if self._common is None else weight
        if key not in self._found:
            self._found[key] = self._listed() if self._common is None else self._mixed(weight)
        return self._found[key]

    def _listed(self) -> Evidence:
        """Their best rows are in the lists of the index, or else are computed."""
        assert self._rows is not None
        nearest = self._tables.nearest
        count = min(BEST, len(self._rows))
        allowed = np.zeros(len(self._index.vectors), bool)
        allowed[self._rows] = True
        listed = allowed[nearest["row"]]
        places = np.cumsum(listed, axis=1)
        enough = places[:, -1] >= count

        rows = np.empty((len(nearest), count), np.int64)
        scores = np.empty((len(nearest), count), np.float32)
        first = nearest[listed & (places <= count) & enough[:, None]].reshape(-1, count)
        rows[enough], scores[enough] = first["row"], first["score"]
        if not enough.all():
            rows[~enough], scores[~enough] = self._computed(self._tables.texts[~enough])
        return self._tables.evidence(rows, scores)

    def _mixed(self, weight: float) -> Evidence:
        """With the common part, in place of the texts of a query."""
        assert self._common is not None
        texts = weight * self._tables.texts[::_STEP] + self._common
        texts /= np.maximum(np.linalg.norm(texts, axis=1, keepdims=True), _LEAST)
        places = np.arange(0, len(self._tables.texts), _STEP)
        return self._tables.evidence(*self._computed(texts), places)

    def _computed(self, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best rows of texts float32 [T, D] and their cosines."""
        vectors = self._index.vectors
        chosen = vectors if self._rows is None else vectors[self._rows]
        rows, scores = best_rows(products(chosen, texts), BEST, len(texts))
        return (rows if self._rows is None else self._rows[rows]), scores
