"""Exact search over memory-mapped vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.vectors import best, normalised, open_vectors, score, write_vectors

# Small whole numbers have exact products, so scores can be compared for equality.
MATRICES = arrays.arrays(
    np.float32, st.tuples(st.integers(0, 60), st.just(3)), elements=st.integers(-4, 4).map(float)
)
QUERIES = arrays.arrays(np.float32, 3, elements=st.integers(-4, 4).map(float))


@given(MATRICES, QUERIES, st.integers(1, 70))
def test_the_best_are_those_of_a_stable_sort(
    vectors: np.ndarray, query: np.ndarray, count: int
) -> None:
    scores = score(vectors, query)
    expected = np.argsort(-(vectors @ query), kind="stable")[:count]
    assert best(scores, count).tolist() == expected.tolist()


@given(MATRICES, QUERIES, st.data())
def test_some_rows_score_as_they_do_among_all(
    vectors: np.ndarray, query: np.ndarray, data: st.DataObject
) -> None:
    rows = np.array(
        sorted(data.draw(st.sets(st.integers(0, len(vectors) - 1)))) if len(vectors) else [],
        np.int64,
    )
    assert score(vectors, query, rows).tolist() == (vectors @ query)[rows].tolist()


def test_vectors_written_in_blocks_are_read_back(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
    write_vectors(tmp_path / "v.npy", (10, 4), (vectors[:3], vectors[3:3], vectors[3:]))
    assert np.array_equal(open_vectors(tmp_path / "v.npy", (10, 4)), vectors)
    assert np.array_equal(np.load(tmp_path / "v.npy"), vectors)


def test_no_vectors_are_read_back_too(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npy", (0, 4), ())
    assert open_vectors(tmp_path / "v.npy", (0, 4)).shape == (0, 4)


def test_a_file_of_another_shape_or_none_is_refused(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npy", (2, 4), (np.zeros((2, 4), np.float32),))
    with pytest.raises(PaperclipError, match="does not hold 3 float32 vectors of 4"):
        open_vectors(tmp_path / "v.npy", (3, 4))
    (tmp_path / "v.npy").write_bytes((tmp_path / "v.npy").read_bytes()[:-4])
    with pytest.raises(PaperclipError, match="cannot be read as vectors"):
        open_vectors(tmp_path / "v.npy", (2, 4))
    (tmp_path / "v.npy").write_bytes(b"")
    with pytest.raises(PaperclipError, match="cannot be read as vectors"):
        open_vectors(tmp_path / "v.npy", (2, 4))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(PaperclipError, match="cannot be read as vectors"):
        open_vectors(tmp_path / "objects.npy", (1, 1))
    with pytest.raises(FileNotFoundError):
        open_vectors(tmp_path / "gone.npy", (2, 4))


def test_a_direction_has_length_one_and_nothing_has_none() -> None:
    assert np.linalg.norm(normalised(np.array([3.0, 4.0]))) == pytest.approx(1)
    with pytest.raises(PaperclipError, match="cancel out"):
        normalised(np.zeros(3))
