"""Several indexes in one query: their hits in one order.

A row of one of them is known by the place of its index in the query, and its number there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.open_index import OpenIndex, QueryPart
from paperclip_cli.indexes.ranking import order_of, ranked
from paperclip_cli.indexes.unrelated import BEST
from paperclip_cli.records import Provenance


class Row(NamedTuple):
    """A row of the vectors of an index. `part` is the place of the index in the query."""

    part: int
    row: int


def check_same_model(indexes: Sequence[IndexFolder | OpenIndex]) -> None:
    """Refuses indexes whose scores cannot be compared.

    Raises:
        PaperclipError: they are not all of one model.
    """
    first = indexes[0]
    for other in indexes[1:]:
        if other.provenance.fingerprint != first.provenance.fingerprint:
            models = " and ".join(
                f"{one.name!r} of model {one.provenance.model} ({one.provenance.fingerprint[:12]})"
                for one in (first, other)
            )
            raise PaperclipError(
                f"scores of different models cannot be compared: index {models}",
                "ask one index at a time, or make one anew with the model of the other "
                "(paperclip index --index NAME --model MODEL --force)",
            )


def provenance_of(indexes: Sequence[IndexFolder | OpenIndex]) -> Provenance:
    """What is behind answers from all of them."""
    first, *others = (index.provenance for index in indexes)
    names = "; ".join([first.index, *(other.index for other in others)])
    return replace(first, index=names) if others else first


def nearest_and_ranked(
    parts: Sequence[QueryPart], query: np.ndarray, words: str, rank_by: str
) -> tuple[list[tuple[Row, float]], Iterator[tuple[Row, float]]]:
    """As `Search.ranked`, over the rows of all parts."""
    if rank_by == "semantic" or len(parts) == 1:
        found = [part.search.ranked(query, words, rank_by) for part in parts]
        nearest = [_of_part(number, some) for number, (some, _) in enumerate(found)]
        orders = [_of_part(number, every) for number, (_, every) in enumerate(found)]
        merged = orders[0] if len(parts) == 1 else heapq.merge(*orders, key=_falling)
        return list(islice(heapq.merge(*nearest, key=_falling), BEST)), merged
    return _by_words(parts, query, words, rank_by)


def _of_part(number: int, rows: Iterator | Sequence) -> Iterator[tuple[Row, float]]:
    return ((Row(number, row), score) for row, score in rows)


def _falling(found: tuple[Row, float]) -> float:
    return -found[1]


def _by_words(
    parts: Sequence[QueryPart], query: np.ndarray, words: str, rank_by: str
) -> tuple[list[tuple[Row, float]], Iterator[tuple[Row, float]]]:
    """The ranks of one order count in the other, so all rows are put in order together."""
    weighed = [(*part.search.weighed(words), part.search.scores(query)) for part in parts]
    strength, named, scores = (np.concatenate(some) for some in zip(*weighed, strict=True))
    rows = [
        Row(number, row)
        for number, part in enumerate(parts)
        for row in part.search.allowed.tolist()
    ]

    def found(order: np.ndarray | None = None) -> Iterator[tuple[Row, float]]:
        return ((rows[place], float(scores[place])) for place in ranked(scores, order))

    return list(islice(found(), BEST)), found(order_of(rank_by, strength, scores, named))
