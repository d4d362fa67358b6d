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
from dataclasses import dataclass

import numpy as np

from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.open_index import Judged, OpenIndex
from paperclip_cli.indexes.shared_words import shares
from paperclip_cli.indexes.unrelated import BEST, Evidence, Found, Unrelated, best_rows, products

# Where the cosines of all texts must be computed, fewer do: one in four.
_STEP = 4
_LEAST = 1e-6


@dataclass(frozen=True)
class Allowed:
    """The vectors of an index that may be ranked: `rows` int64 [M], None for all."""

    index: IndexFolder
    rows: np.ndarray | None = None

    @property
    def tables(self) -> Unrelated:
        assert self.index.unrelated is not None
        return self.index.unrelated

    @property
    def texts(self) -> np.ndarray:
        """The embeddings float32 [T, D] of the unrelated texts."""
        return self.tables.texts

    @property
    def evidence(self) -> Evidence | None:
        """What they find in the whole index; None where not all of it may be ranked."""
        return self.index.evidence if self.rows is None else None

    def shown(
        self, text: str, rows: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What some rows show that have these cosines with a query, whose words are `text`.

        That is their standings, the shares of the words in their proposals, and the deviations.
        """
        spread = self.tables.spread[rows]
        words = shares(text, spread["proposal"].tolist(), self.index.observations)
        return self.tables.standing(rows, scores), words, spread["deviation"]

    def listed(self) -> Found:
        """What unrelated texts find, from the lists of the index as far as these go."""
        nearest = self.tables.nearest
        if self.rows is None:
            return self.tables.found(nearest["row"][:, :BEST], nearest["score"][:, :BEST])
        count = min(BEST, len(self.rows))
        allowed = np.zeros(len(self.index.vectors), bool)
        allowed[self.rows] = True
        listed = allowed[nearest["row"]]
        places = np.cumsum(listed, axis=1)
        enough = places[:, -1:].max(axis=1, initial=0) >= count

        rows = np.empty((len(nearest), count), np.int64)
        scores = np.empty((len(nearest), count), np.float32)
        first = nearest[listed & (places <= count) & enough[:, None]].reshape(enough.sum(), count)
        rows[enough], scores[enough] = first["row"], first["score"]
        if not enough.all():
            rows[~enough], scores[~enough] = self._computed(self.tables.texts[~enough])
        return self.tables.found(rows, scores)

    def computed(self, texts: np.ndarray, places: np.ndarray) -> Found:
        """What texts float32 [T, D] find, in place of the unrelated ones `places` int [T]."""
        return self.tables.found(*self._computed(texts), places)

    def _computed(self, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best rows of texts and their cosines."""
        vectors = self.index.vectors
        chosen = vectors if self.rows is None else vectors[self.rows]
        rows, scores = best_rows(products(chosen, texts), BEST, len(texts))
        return (rows if self.rows is None else self.rows[rows]), scores


def outdated(indexes: Sequence[IndexFolder | OpenIndex]) -> IndexFolder | OpenIndex | None:
    """An index without tables of unrelated texts, or with others than the rest have."""
    if len(indexes) == 1:
        return indexes[0] if indexes[0].evidence is None else None
    first = indexes[0].unrelated
    for index in indexes:
        tables = index.unrelated
        if tables is None or first is None or not np.array_equal(tables.texts, first.texts):
            return index
    return None


class Chance:
    """`p_chance` of the hits of many queries under the same conditions, in one or several indexes.

    None of the indexes is `outdated`. `common` float32 [D] is what the queries share beside their
    texts: images, vectors and `minus` texts.
    """

    def __init__(self, allowed: Sequence[Judged], common: np.ndarray) -> None:
        self._allowed = allowed
        self._common = common if common.any() else None
        self._found: dict[float, Evidence] = {}

    def of(
        self, text: str, weight: float, best: Sequence[tuple[tuple[int, int], float]]
    ) -> Callable[[float], float]:
        """`p_chance` of a hit by its cosine, for a query with the words `text`.

        `weight` is that of all its texts together. `best` are its ten best vectors, best first,
        each the place of its index and its row there, and their cosines.
        """
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for place, one in enumerate(self._allowed):
            own = [(row, score) for (part, row), score in best if part == place]
            if not own:
                continue
            rows, scores = np.array([row for row, _ in own]), np.array([score for _, score in own])
            parts.append(one.shown(text, rows, scores))
        pictures, share, deviation = (
            float(np.concatenate(found).mean()) for found in zip(*parts, strict=True)
        )
        evidence, highest = self._evidence(weight), best[0][1]

        def chance(cosine: float) -> float:
            behind = max(0.0, highest - cosine) / deviation
            return evidence.chance(pictures - behind, share)

        return chance

    def _evidence(self, weight: float) -> Evidence:
        """What unrelated texts find in place of the texts of a query."""
        first = self._allowed[0]
        whole = first.evidence if self._common is None and len(self._allowed) == 1 else None
        if whole is not None:
            return whole
        key = 0.0 if self._common is None else weight
        if key not in self._found:
            found = self._listed() if self._common is None else self._mixed(weight)
            self._found[key] = Found.best_of(found).evidence
        return self._found[key]

    def _listed(self) -> list[Found]:
        return [one.listed() for one in self._allowed]

    def _mixed(self, weight: float) -> list[Found]:
        """With the common part, in place of the texts of a query."""
        assert self._common is not None
        unrelated = self._allowed[0].texts
        texts = weight * unrelated[::_STEP] + self._common
        texts /= np.maximum(np.linalg.norm(texts, axis=1, keepdims=True), _LEAST)
        places = np.arange(0, len(unrelated), _STEP)
        return [one.computed(texts, places) for one in self._allowed]
