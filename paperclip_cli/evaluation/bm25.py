"""BM25: how well words find texts.

    score(q, d) = sum over the words w of q of  idf(w) f / (f + k1 (1 - b + b |d| / mean |d|))
    idf(w) = ln(1 + (n - n_w + 1/2) / (n_w + 1/2))

with f the times that w occurs in d, |d| the words of d, and n_w of n texts holding w: Robertson & Zaragoza 2009 (Foundations and Trends in
Information Retrieval 3), with the idf of Lucene, which is never negative. (The factor k1 + 1, which changes no order, is left out.)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

K1, B = 1.2, 0.75


class Bm25:
    """An index of M texts, each a sequence of words."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._size = len(texts)
        mean = max(sum(map(len, texts)) / max(len(texts), 1), 1e-9)
        self._postings: dict[str, list[tuple[int, float]]] = {}  # word -> text, saturated frequency
        for row, text in enumerate(texts):
            long = K1 * (1 - B + B * len(text) / mean)
            for word, times in Counter(text).items():
                self._postings.setdefault(word, []).append((row, times / (times + long)))

    def scores(self, query: Sequence[str]) -> np.ndarray:
        """The score of each text, float32 [M]; 0 where no word of the query occurs."""
        queries, texts = self.vectors([query])
        return texts @ queries[0]

    def vectors(self, queries: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of N queries and of the texts, float32 [N,V] and [M,V], whose dot products are the scores. V: words that both have."""
        columns = {
            word: column
            for column, word in enumerate(sorted(set().union(*queries) & self._postings.keys()))
        }
        asked = np.zeros((len(queries), len(columns)), np.float32)
        for row, query in enumerate(queries):
            for word in query:
                if word in columns:
                    asked[row, columns[word]] += 1
        texts = np.zeros((self._size, len(columns)), np.float32)
        for word, column in columns.items():
            rows, frequencies = zip(*self._postings[word], strict=True)
            texts[list(rows), column] = self._idf(len(rows)) * np.asarray(frequencies)
        return asked, texts

    def _idf(self, holding: int) -> float:
        return math.log(1 + (self._size - holding + 0.5) / (holding + 0.5))
