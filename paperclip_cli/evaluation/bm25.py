"""BM25, a score of how well the words of a query match a text.

    score(q, d) = sum over the words w of q of  idf(w) f / (f + k1 (1 - b + b |d| / mean |d|))
    idf(w) = ln(1 + (n - n_w + 1/2) / (n_w + 1/2))

with f the number of times that w occurs in d, |d| the number of words in d, and n_w the number of
texts, out of n, that contain w. The source is Robertson & Zaragoza 2009 (Foundations and Trends in
Information Retrieval 3), with Lucene's idf, which is never negative. The factor k1 + 1 is left out,
because it does not change the order.
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
        """Vectors of N queries and M texts whose dot products are the scores.

        They are float32 [N,V] and [M,V], with V the number of words in both queries and texts.
        """
        words = sorted(set().union(*queries) & self._postings.keys())
        columns = {word: column for column, word in enumerate(words)}

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
