"""Arrays in files: what is appended is what is read, and nothing of the file is mapped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.dataset.arrays import new_array, open_array
from paperclip_cli.errors import PaperclipError


@given(
    count=st.integers(0, 20),
    row=st.lists(st.integers(0, 3), max_size=2).map(tuple),
    dtype=st.sampled_from([np.uint8, np.float32, np.int64]),
    data=st.data(),
)
def test_it_reads_like_an_array(
    tmp_path_factory: pytest.TempPathFactory,
    count: int,
    row: tuple[int, ...],
    dtype: type,
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "deep" / "a.npy"
    values = np.random.default_rng(count).integers(0, 200, (count, *row)).astype(dtype)
    cut = data.draw(st.integers(0, count))
    with new_array(path, dtype, values.shape) as append:
        append(values[:cut])
        append(values[cut:])

    found = open_array(path)
    assert found is not None and len(found) == count and found.nbytes == values.nbytes
    assert (found.shape, found.dtype) == (values.shape, values.dtype)
    np.testing.assert_array_equal(np.load(path), values)
    rows = data.draw(st.slices(count).filter(lambda rows: rows.step in (None, 1)))
    np.testing.assert_array_equal(found[rows], values[rows])
    if count:
        some = np.asarray(data.draw(st.lists(st.integers(0, count - 1))), np.int64)
        np.testing.assert_array_equal(found(some), values[some])


def test_only_whole_arrays_come_into_being(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with (
        pytest.raises(ValueError, match="after all rows"),
        new_array(path, np.uint8, (3, 2)) as append,
    ):
        append(np.zeros((2, 2), np.uint8))
    with (
        pytest.raises(ValueError, match="rows float64"),
        new_array(path, np.uint8, (3, 2)) as append,
    ):
        append(np.zeros((3, 2)))
    assert not list(tmp_path.iterdir()) and open_array(path) is None


@pytest.mark.parametrize("keep", [0, 5, 100, 128, 133])
def test_a_cut_file_is_no_array(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6, dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:keep])
    assert open_array(path) is None


def test_neither_are_pickles_nor_columns(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.asarray([{}, None], object), allow_pickle=True)
    np.save(tmp_path / "columns.npy", np.asfortranarray(np.zeros((3, 4))))
    assert open_array(tmp_path / "objects.npy") is None
    assert open_array(tmp_path / "columns.npy") is None


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="maps are told by Linux alone")
def test_nothing_of_it_is_mapped(tmp_path: Path) -> None:
    """The pages of a mapped file count as memory of the process."""
    path = tmp_path / "a.npy"
    with new_array(path, np.uint8, (100, 10_000)) as append:
        append(np.ones((100, 10_000), np.uint8))
        assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    found = open_array(path)
    assert found is not None and found[:].all() and found(np.arange(100)).all()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_it_outlives_its_file_and_tells_when_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6, dtype=np.uint8))
    found = open_array(path)
    assert found is not None
    with path.open("r+b") as file:
        file.truncate(130)
    assert found[0:2].tolist() == [0, 1]
    with pytest.raises(PaperclipError, match="was cut"):
        found[0:3]
    path.unlink()
    assert found[1:2].tolist() == [1]
