"""Made-up rows for tests of an engine's graph: one in a hundred has an instrument of its own."""

from __future__ import annotations

import numpy as np
import pytest

from paperclip_cli.engines.base import Engine, Filter
from paperclip_cli.engines.columns import Spread, rows_of
from paperclip_cli.indexes.database import Entry
from paperclip_cli.records import Observation

ROWS, SIZE = 3_000, 32
INSTRUMENTS = ("ACS", "WFC3", "NICMOS")


def vectors(count: int = ROWS) -> np.ndarray:
    """Clustered unit vectors, as those of images are."""
    rng = np.random.default_rng(0)
    made = rng.standard_normal((20, SIZE))[rng.integers(0, 20, count)]
    made = made + 0.7 * rng.standard_normal((count, SIZE))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def rows(count: int = ROWS) -> list[tuple]:
    made: list[tuple] = []
    for number in range(count):
        # A rare instrument, of every hundredth image.
        instrument = "NICMOS" if number % 100 == 7 else INSTRUMENTS[number % 2]
        entry = Entry(
            path=f"{number:05d}",
            size=1,
            mtime_ns=1,
            sha256=str(number),
            observation=Observation(instrument=instrument),
        )
        made += rows_of(number, entry, 0, None, [Spread(0.0, 1.0)])
    return made


RARE = [Filter("instrument_keys", "any", ["NICMOS"])]


def recall(engine: Engine, queries: np.ndarray) -> float:
    """The share of the ten nearest rows that the graph finds, with and without conditions."""
    found = total = 0
    for filters in ([], [Filter("instrument_keys", "any", ["ACS"])], RARE):
        for vector in queries:
            exact = engine.search(vector, filters, 10, True, False)
            near = engine.search(vector, filters, 10, False, True)
            assert len(near.ids) == len(exact.ids) == 10 and near.vectors is not None
            assert near.vectors @ vector == pytest.approx(near.scores, abs=1e-5)
            found += len(set(near.ids.tolist()) & set(exact.ids.tolist()))
            total += 10
    return found / total
