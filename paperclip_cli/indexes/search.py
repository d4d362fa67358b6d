"""How an index is searched: exactly, or by its graph where that is quicker. Conditions hold before anything is ranked in both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paperclip_cli.indexes.folder import Index
from paperclip_cli.indexes.hnsw import EXTRA, Graph, graph_state, is_installed, open_graph
from paperclip_cli.indexes.ranking import keyword_order, keyword_strengths, ranked
from paperclip_cli.indexes.vectors import best, score
from paperclip_cli.install import extra_line

# Vectors that may be ranked from which on the graph is quicker than all of them, and the least share of the index that they must be: the
# graph is asked for so many more (tests/benchmarks/search.py).
GRAPH_FROM, GRAPH_SHARE = 10_000, 0.2
# Rows that the graph is asked for at first, how many times more whenever they do not do, and from where on exact search is as quick.
_FIRST, _MORE, _MOST = 64, 8, 8_192


class Search:
    """The vectors of an index that a run may rank: `rows` int64 [M], None for all N. `is_many`: the run has many queries.

    `note` is what the user should know of it, empty mostly.
    """

    def __init__(self, index: Index, rows: np.ndarray | None, is_many: bool = False) -> None:
        self.index, self.rows = index, rows
        count, total = len(index.vectors) if rows is None else len(rows), len(index.vectors)
        is_worth_it = is_many and count >= max(GRAPH_FROM, GRAPH_SHARE * total)
        self._graph, self.note = usable_graph(index) if is_worth_it else (None, "")
        self._may_be_ranked = (
            np.ones(total, bool)
            if rows is None
            else np.isin(np.arange(total), rows)
            if self._graph
            else None
        )
        # What one query gathers for itself, many share.
        self._gathered = (
            index.vectors[rows] if is_many and rows is not None and self._graph is None else None
        )

    def ranked(
        self, query: np.ndarray, words: str = "", rank_by: str = "semantic"
    ) -> Iterator[tuple[int, float]]:
        """Rows and their cosines with a normalised `query` float32 [D], best first: by cosine, by `words`, or by both."""
        if rank_by == "semantic":
            return (
                self._by_graph(query)
                if self._graph is not None
                else self._exactly(self._scores(query))
            )
        scores = self._scores(query)
        strength = keyword_strengths(self.index.observations, words, len(self.index.vectors))
        order = keyword_order(
            strength if self.rows is None else strength[self.rows],
            scores,
            is_hybrid=rank_by == "hybrid",
        )
        return self._exactly(scores, order)

    def _scores(self, query: np.ndarray) -> np.ndarray:
        return (
            score(self.index.vectors, query, self.rows)
            if self._gathered is None
            else self._gathered @ query
        )

    def _exactly(
        self, scores: np.ndarray, order: np.ndarray | None = None
    ) -> Iterator[tuple[int, float]]:
        for place in ranked(scores, order):
            yield int(place if self.rows is None else self.rows[place]), float(scores[place])

    def _by_graph(self, query: np.ndarray) -> Iterator[tuple[int, float]]:
        """What the graph finds, asked for more and more; exactly from there on where that does not do."""
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
        yield from (found for found in self._exactly(self._scores(query)) if found[0] not in seen)


def usable_graph(index: Index) -> tuple[Graph | None, str]:
    """The graph of an index, None where there is none that can be used; and why one that is there cannot."""
    state = graph_state(index.folder, index.generation, index.vectors)
    if state == "ready" and is_installed():
        return open_graph(index.folder, index.generation, index.vectors), ""
    if state == "stale":
        return (
            None,
            "the graph does not fit the index and is not used: build it anew with paperclip index --hnsw",
        )
    if state == "ready":
        return (
            None,
            f"the graph of the index is not used, because hnswlib is missing: {extra_line(EXTRA)}",
        )
    return None, ""
