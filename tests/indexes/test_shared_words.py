"""The words that a text shares with proposals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.indexes.database import Entry, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.shared_words import share_table, shares, words_of
from paperclip_cli.indexes.unrelated import unrelated_texts
from paperclip_cli.records import Key, Observation, Proposal

ABSTRACTS = {
    1: "Galaxies and a nebula.",
    2: "Mergers of galaxies; a bowl of stars. NGC4038",
    3: "",
    4: "Nebulae in a bowl of soup",
}


@pytest.fixture
def observations(tmp_path: Path) -> Iterator[Observations]:
    keys = {number: Key("hst", number) for number in ABSTRACTS}
    entries = [
        Entry(path=str(key), size=1, mtime_ns=1, sha256="0", key=key, observation=Observation())
        for key in keys.values()
    ]
    proposals = {
        key: Proposal(mission="hst", proposal_id=number, abstract=ABSTRACTS[number])
        for number, key in keys.items()
    }
    write_observations(tmp_path / "o.sqlite", entries, proposals, {})
    opened = Observations(tmp_path / "o.sqlite")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a galaxy", [1, 1, 0, 0]),
        ("galaxy mergers", [0.5, 1, 0, 0]),
        ("nebulae", [1, 0, 0, 1]),
        ("the Nebula of stars", [0.5, 0.5, 0, 0.5]),
        ("NGC 4038", [0, 1, 0, 0]),
        ("bowl bowl", [0, 1, 0, 1]),
        ("of the", [0, 0, 0, 0]),
        ('"soup" OR NEAR(star)', [0, 0.5, 0, 0.5]),  # nothing of it is FTS5
        ("", [0, 0, 0, 0]),
    ],
)
def test_shares(text: str, expected: list[float], observations: Observations) -> None:
    assert shares(text, [1, 2, 3, 4, 0], observations).tolist() == [*expected, 0]


def test_the_table_has_the_same_shares(observations: Observations) -> None:
    texts = [*unrelated_texts(), "galaxy mergers", "the Nebula of stars"]
    expected = np.array([shares(text, [0, 1, 2, 3, 4], observations) for text in texts]).T
    assert expected.any(axis=1).tolist() == [False, True, True, False, True]
    assert share_table(texts, observations) / 255 == pytest.approx(expected, abs=1 / 255)


def test_words_mean_something() -> None:
    assert words_of("The Cat\u2019s Eye of NGC6543, the eye") == ("cat", "s", "eye", "ngc", "6543")
