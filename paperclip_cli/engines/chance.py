"""`p_chance` of hits of an index in an engine. See `indexes.chance`, whose numbers it gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from paperclip_cli.engines.base import VECTOR, Engine, Filter
from paperclip_cli.engines.names import proposals_of, words_of
from paperclip_cli.engines.opened import Opened
from paperclip_cli.engines.search import EngineSearch
from paperclip_cli.engines.selection import EngineSelection
from paperclip_cli.indexes.shared_words import shares
from paperclip_cli.indexes.unrelated import BEST, Evidence, Found, best_rows, products

_FEW = 2_000  # selected rows whose vectors are quickly fetched, and multiplied with all texts here
# Of the lists of what unrelated texts find, so much of each is tried first: most conditions let
# enough of it through.
_DEPTHS = (64, 512)


class _Known(NamedTuple):
    """What is known of some rows: of each the mean, the deviation, and the number of a proposal."""

    mean: np.ndarray
    deviation: np.ndarray
    proposal: np.ndarray


class EngineAllowed:
    """What unrelated texts find among the rows of a selection; see `indexes.chance.Allowed`."""

    def __init__(self, index: Opened, selection: EngineSelection) -> None:
        self._index, self._selection = index, selection
        self._vectors: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def texts(self) -> np.ndarray:
        return self._index.unrelated.texts

    @property
    def evidence(self) -> Evidence | None:
        return None if self._selection.filters else self._index.evidence

    def shown(
        self, text: str, rows: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        known = _known_of(self._index.engine, rows)
        standings = (scores - known.mean) / known.deviation
        return standings, self._shares(text, known.proposal), known.deviation

    def listed(self) -> Found:
        return self._found(*self._listed(self.texts), np.arange(len(self.texts)))

    def computed(self, texts: np.ndarray, places: np.ndarray) -> Found:
        return self._found(*self._computed(texts), places)

    def _found(self, rows: np.ndarray, scores: np.ndarray, texts: np.ndarray) -> Found:
        return found_by(self._index.engine, rows, scores, texts)

    def _shares(self, text: str, proposals: np.ndarray) -> np.ndarray:
        numbers = sorted({int(number) for number in proposals} - {0})
        found = ((number, one) for number, one, _ in proposals_of(self._index, numbers))
        with words_of(found) as (observations, places):
            asked = [places.get(int(number), 0) for number in proposals]
            return shares(text, asked, observations)

    def _listed(self, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best rows of all texts and their cosines, from the lists of the index if possible."""
        few = self._few()
        if few is not None:
            return self._computed(texts)
        nearest = self._index.unrelated.nearest
        rows = np.full((len(texts), BEST), -1, np.int64)
        scores = np.zeros((len(texts), BEST), np.float32)
        left = np.arange(len(texts))
        for depth in _DEPTHS:
            lists = nearest[left, :depth]
            listed = np.isin(lists["row"], self._selected(np.unique(lists["row"])))
            places = np.cumsum(listed, axis=1)
            enough = places[:, -1] >= BEST
            first = lists[listed & (places <= BEST) & enough[:, None]].reshape(-1, BEST)
            rows[left[enough]], scores[left[enough]] = first["row"], first["score"]
            left = left[~enough]
            if not len(left):
                return rows, scores
        rows[left], scores[left] = self._computed(texts[left])
        return rows, scores

    def _selected(self, ids: np.ndarray) -> np.ndarray:
        """Those of some rows that are selected."""
        filters = [*self._selection.filters, Filter("id", "in", ids[ids >= 0])]
        found = self._index.engine.fetch(("id",), filters)
        return np.array([id for (id,) in found], np.int64)

    def _computed(self, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best rows of texts float32 [T, D], and their cosines: int64 and float32 [T, n]."""
        few = self._few()
        if few is not None:
            ids, vectors = few
            rows, scores = best_rows(products(vectors, texts), BEST, len(texts))
            return ids[rows], scores
        search = EngineSearch(self._index, self._selection.filters)
        found = [search.ranked(text)[0] for text in texts]
        rows = np.array([[row for row, _ in one] for one in found], np.int64)
        return rows, np.array([[score for _, score in one] for one in found], np.float32)

    def _few(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The selected rows and their vectors, in the order of their ids, if they are few."""
        if self._vectors is None:
            filters, engine = self._selection.filters, self._index.engine
            if engine.count(filters, _FEW + 1) > _FEW:
                return None
            found = sorted(engine.fetch(("id", "path", VECTOR), filters), key=_by_path)
            vectors = np.empty((len(found), self._index.dimension), np.float32)
            for place, (*_, vector) in enumerate(found):
                vectors[place] = vector
            self._vectors = np.array([id for id, *_ in found], np.int64), vectors
        return self._vectors


def found_by(engine: Engine, rows: np.ndarray, scores: np.ndarray, texts: np.ndarray) -> Found:
    """What some texts find, by their best rows. See `indexes.unrelated.Unrelated.found`.

    `rows` int [T, n] are the best of each, and `scores` their cosines. `texts` int [T] are their
    places among the unrelated texts.
    """
    if rows.shape[1] == 0:
        return Found(scores, scores, scores)
    ids, places = np.unique(rows, return_inverse=True)
    known = _known_of(engine, ids)
    places = places.reshape(rows.shape)
    standings = (scores - known.mean[places]) / known.deviation[places]
    numbers, which = np.unique(known.proposal, return_inverse=True)
    table = _words_of(engine, numbers, int(texts.max()) + 1)
    return Found(scores, standings, table[which[places], texts[:, None]] / 255)


def _known_of(engine: Engine, rows: np.ndarray) -> _Known:
    columns = ("id", "mean", "deviation", "proposal")
    found = {id: values for id, *values in engine.fetch(columns, [Filter("id", "in", rows)])}
    mean, deviation, proposal = zip(*(found[row] for row in rows.tolist()), strict=True)
    return _Known(
        np.array(mean, np.float32), np.array(deviation, np.float32), np.array(proposal, np.int64)
    )


def _words_of(engine: Engine, numbers: np.ndarray, count: int) -> np.ndarray:
    """The shares of the words of the first `count` texts that some proposals have, uint8 [P, T]."""
    table = np.zeros((len(numbers), count), np.uint8)
    places = {number: place for place, number in enumerate(numbers.tolist())}
    for number, *_, words in engine.proposals([one for one in places if one]):
        table[places[number]] = np.frombuffer(words, np.uint8)[:count]
    return table


def _by_path(row: tuple) -> tuple[str, int]:
    return row[1], row[0]
