"""Search of an index: exact, or by its graph where that is quicker.

In both, only the vectors that meet the query's conditions are ranked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np

from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.ranking import keyword_strengths, named_rows, order_of, ranked
from paperclip_cli.indexes.unrelated import BEST
from paperclip_cli.indexes.vectors import best, score

# The graph is quicker than exact search if at least this many vectors may be ranked, and if they
# are at least this share of the index. The smaller the share, the more rows the graph must find
# (tests/benchmarks/search.py).
GRAPH_FROM, GRAPH_SHARE = 10_000, 0.2
# Rows that the graph finds at first, the factor by which that grows whenever they are too few, and
# the number from which exact search is as quick.
_FIRST, _MORE, _MOST = 64, 8, 8_192


class Search:
    """A search over the vectors of an index that may be ranked: `rows` int64 [M], None for all N.

    `is_many` means that many queries share this search. `stays_open` means that the index has other
    searches, too, which share its graph. `note` is a message for the user, mostly empty.
    """

    def __init__(
        self,
        index: IndexFolder,
        rows: np.ndarray | None,
        is_many: bool = False,
        stays_open: bool = False,
    ) -> None:
        self.index, self.rows = index, rows
        count, total = len(index.vectors) if rows is None else len(rows), len(index.vectors)
        is_worth_it = count >= max(GRAPH_FROM, GRAPH_SHARE * total)
        self._graph, self.note = (None, "")
        if is_worth_it and (is_many or stays_open):
            self._graph, self.note = index.graph

        self._may_be_ranked: np.ndarray | None = None
        if self._graph:
            all_rows = np.ones(total, bool)
            self._may_be_ranked = all_rows if rows is None else np.isin(np.arange(total), rows)

        # A single query gathers its vectors itself. Many queries share them.
        self._gathered: np.ndarray | None = None
        if is_many and rows is not None and self._graph is None:
            self._gathered = index.vectors[rows]

    def ranked(
        self, query: np.ndarray, words: str = "", rank_by: str = "semantic"
    ) -> tuple[list[tuple[int, float]], Iterator[tuple[int, float]]]:
        """The rows that are nearest to a normalised `query` float32 [D], and all rows, best first.

        They come with their cosines. The first are the ten of highest cosine. All are ranked by
        cosine, by `words`, or by both.
        """
        if rank_by == "semantic" and self._graph is not None:
            return _begun(self._by_graph(query))
        scores = self.scores(query)
        if rank_by == "semantic":
            return _begun(self._exactly(scores))

        strength, named = self.weighed(words)
        nearest = list(islice(self._exactly(scores), BEST))
        return nearest, self._exactly(scores, order_of(rank_by, strength, scores, named))

    def weighed(self, words: str) -> tuple[np.ndarray, np.ndarray]:
        """The strength of some words in the rows that may be ranked, and whether they name them."""
        of_words = self.index.observations, words, len(self.index.vectors)
        chosen = slice(None) if self.rows is None else self.rows
        return keyword_strengths(*of_words)[chosen], named_rows(*of_words)[chosen]

    @property
    def allowed(self) -> np.ndarray:
        """The rows int64 that may be ranked."""
        return np.arange(len(self.index.vectors)) if self.rows is None else self.rows

    def scores(self, query: np.ndarray) -> np.ndarray:
        """The cosines of the rows that may be ranked."""
        if self._gathered is not None:
            return self._gathered @ query
        return score(self.index.vectors, query, self.rows)

    def _exactly(
        self, scores: np.ndarray, order: np.ndarray | None = None
    ) -> Iterator[tuple[int, float]]:
        for place in ranked(scores, order):
            yield int(place if self.rows is None else self.rows[place]), float(scores[place])

    def _by_graph(self, query: np.ndarray) -> Iterator[tuple[int, float]]:
        """Rows that the graph finds, more and more of them, and then the rest by exact search."""
        assert self._graph is not None and self._may_be_ranked is not None
        seen: set[int] = set()
        count = round(_FIRST / self._may_be_ranked.mean())
        while count <= min(_MOST, len(self.index.vectors)):
            rows = np.sort(self._graph.nearest(query, count))
            rows = rows[self._may_be_ranked[rows]]
            scores = self.index.vectors[rows] @ query
            for place in best(scores, len(rows)).tolist():
                if rows[place] not in seen:
                    yield int(rows[place]), float(scores[place])
            seen.update(rows.tolist())
            count *= _MORE

        yield from (found for found in self._exactly(self.scores(query)) if found[0] not in seen)


def _begun(
    found: Iterator[tuple[int, float]],
) -> tuple[list[tuple[int, float]], Iterator[tuple[int, float]]]:
    """The first ten, and all of them."""
    first = list(islice(found, BEST))
    return first, chain(first, found)
