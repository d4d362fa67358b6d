"""The journal survives a kill at any byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paperclip_cli.indexes.journal import LINES, VECTORS, Journal, discard_journal, is_unfinished

MAKER = {"model": "abc", "view": {"kind": "centre"}}
IMAGES = [
    (f"{number:064x}", np.full((1 + number % 2, 3), number, np.float32)) for number in range(5)
]


def written(folder: Path) -> Journal:
    discard_journal(folder)
    journal = Journal(folder, MAKER, 3)
    journal.append(IMAGES[:2])
    journal.append(IMAGES[2:])
    return journal


def stored(journal: Journal) -> dict[str, list]:
    vectors = journal.vectors()
    return {
        digest: vectors[first : first + tiles].tolist()
        for digest, (first, tiles) in journal.places.items()
    }


def test_a_journal_is_continued(tmp_path: Path) -> None:
    written(tmp_path)
    again = Journal(tmp_path, MAKER, 3)
    again.append([("f" * 64, np.ones((1, 3), np.float32))])
    expected = {digest: vectors.tolist() for digest, vectors in IMAGES} | {"f" * 64: [[1, 1, 1]]}
    assert stored(again) == stored(Journal(tmp_path, MAKER, 3)) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([LINES, VECTORS]), data=st.data())
def test_whatever_a_kill_leaves_the_intact_beginning_is_kept(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    whole = stored(written(tmp_path))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: data.draw(st.integers(0, len(content)))])
    torn = Journal(tmp_path, MAKER, 3)
    kept = stored(torn)
    assert list(kept.items()) == list(whole.items())[: len(kept)]
    torn.append([(digest, vectors) for digest, vectors in IMAGES if digest not in kept])
    assert stored(torn) == stored(Journal(tmp_path, MAKER, 3)) == whole


def test_vectors_that_are_not_those_of_the_line_end_the_journal(tmp_path: Path) -> None:
    written(tmp_path)
    data = bytearray((tmp_path / VECTORS).read_bytes())
    data[3 * 3 * 4 + 1] ^= 1  # in the vector of the third image, as after a power cut
    (tmp_path / VECTORS).write_bytes(data)
    assert list(Journal(tmp_path, MAKER, 3).places) == [digest for digest, _ in IMAGES[:2]]


@pytest.mark.parametrize("other", [({"model": "def"}, 3), (MAKER, 4)])
def test_the_journal_of_another_model_is_not_continued(
    tmp_path: Path, other: tuple[dict, int]
) -> None:
    written(tmp_path)
    assert Journal(tmp_path, *other).places == {}
    assert Journal(tmp_path, MAKER, 3).places == {}


def test_a_finished_run_leaves_none(tmp_path: Path) -> None:
    written(tmp_path)
    assert is_unfinished(tmp_path)
    discard_journal(tmp_path)
    assert not is_unfinished(tmp_path)
