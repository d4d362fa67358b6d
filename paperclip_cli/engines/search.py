"""Search of an index in an engine.

The engine proposes rows, and they are ranked here, with the code and the order of an index in a
folder: by cosine in float32, ties by path. A row is passed on only if none that the engine has not
proposed can come before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, islice

import numpy as np

from paperclip_cli.engines.base import Filter
from paperclip_cli.engines.names import Names, names_of
from paperclip_cli.engines.opened import Opened
from paperclip_cli.indexes.ranking import keyword_strengths, named_rows, order_of
from paperclip_cli.indexes.unrelated import BEST

# Rows that are asked for at first, the factor by which that grows whenever they are too few, and
# the number up to which they come with their vectors, and a graph may propose them.
_FIRST, _MORE, _MOST = 64, 4, 512
# How far the order of an engine's graph may be from that of the cosines, where it holds halves, and
# how far its own cosines in float32.
_SLACK, _ROUNDING = 1e-3, 1e-6


class EngineSearch:
    """A search over the rows that meet some filters. `note` is always empty."""

    note = ""

    def __init__(self, index: Opened, filters: Sequence[Filter]) -> None:
        self._index, self._filters = index, list(filters)
        self._is_small: bool | None = None

    def ranked(
        self, query: np.ndarray, words: str = "", rank_by: str = "semantic"
    ) -> tuple[list[tuple[int, float]], Iterator[tuple[int, float]]]:
        """See `indexes.search.Search.ranked`."""
        found = self._nearest(query)
        first = list(islice(found, BEST))
        if rank_by == "semantic":
            return first, chain(first, found)
        return first, self._by_words(query, words, rank_by)

    def _nearest(self, query: np.ndarray) -> Iterator[tuple[int, float]]:
        """All rows, best first; as many are asked for as are consumed."""
        engine, seen, count = self._index.engine, set[int](), _FIRST
        while True:
            is_exact = count > _MOST or self._are_few()
            with_vectors = count <= _MOST
            found = engine.search(query, self._filters, count, is_exact, with_vectors)
            scores = found.scores if found.vectors is None else found.vectors @ query
            slack = _ROUNDING if is_exact else _SLACK
            least = -np.inf if found.is_all or not len(scores) else float(scores.min()) + slack
            for place in _in_order(found.ids, found.paths, scores):
                row = int(found.ids[place])
                if scores[place] > least and row not in seen:
                    seen.add(row)
                    yield row, float(scores[place])
            if found.is_all or not len(scores):
                return
            count *= _MORE

    def _are_few(self) -> bool:
        if self._is_small is None:
            few, total = self._index.engine.few, int(self._index.manifest.counts["vectors"])
            self._is_small = total <= few or (
                bool(self._filters) and self._index.engine.count(self._filters, few + 1) <= few
            )
        return self._is_small

    def _by_words(self, query: np.ndarray, words: str, rank_by: str) -> Iterator[tuple[int, float]]:
        rows, scores = self.allowed, self.scores(query)
        strength, named = self.weighed(words)
        for place in order_of(rank_by, strength, scores, named).tolist():
            yield int(rows[place]), float(scores[place])

    def weighed(self, words: str) -> tuple[np.ndarray, np.ndarray]:
        """See `indexes.search.Search.weighed`."""
        names, count = self._names, len(self._names.ids)
        places = names.places_of(self.allowed)
        return (
            keyword_strengths(names.observations, words, count)[places],
            named_rows(names.observations, words, count)[places],
        )

    @cached_property
    def allowed(self) -> np.ndarray:
        """The rows int64 that may be ranked, in the order of their paths."""
        if not self._filters:
            return self._names.ids
        found = self._index.engine.fetch(("id",), self._filters)
        ids = np.array([id for (id,) in found], np.int64)
        return ids[np.argsort(self._names.places_of(ids))]

    def scores(self, query: np.ndarray) -> np.ndarray:
        """The cosines of these rows, all of which the engine computes."""
        rows = self.allowed
        found = self._index.engine.search(query, self._filters, len(rows) + 1, True, False)
        order = np.argsort(found.ids)
        return found.scores[order[np.searchsorted(found.ids[order], rows)]]

    @property
    def _names(self) -> Names:
        return names_of(self._index)


def _in_order(ids: np.ndarray, paths: Sequence[str], scores: np.ndarray) -> list[int]:
    """Places of rows, best first, ties by path and tile."""
    by_path = sorted(range(len(ids)), key=lambda place: (paths[place], ids[place]))
    return sorted(by_path, key=lambda place: -scores[place])
