"""Relevance: the share of relevant images among the best of each query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.evaluation.relevance import TOP, best_images, random_images, relevance
from paperclip_cli.summaries.verdicts import Verdict, digest, keeping, read_verdicts


def test_the_best_images_are_judged_and_no_others() -> None:
    """The first query finds five relevant images (0 to 4) and five others, the second all ten."""
    scores = np.zeros((2, 30))
    scores[0, :10], scores[1, 20:] = 1.0, 1.0
    ranking = best_images("name", "model", scores)
    assert ranking.images.tolist() == [list(range(10)), list(range(20, 30))]
    found = relevance(
        ranking, ("one", "two"), lambda query, image: image < 5 if query == 0 else image >= 20
    )
    assert found.by_query == {"one": 0.5, "two": 1.0}
    assert found.share == 0.75 and found.interval == (0.5, 1.0)


def test_what_could_not_be_judged_does_not_count() -> None:
    ranking = best_images("name", "model", np.arange(40.0).reshape(2, 20))
    found = relevance(
        ranking, ("one", "two"), lambda query, image: None if query or image % 2 else True
    )
    assert found.by_query == {"one": 1.0, "two": None} and found.share == 1.0
    none = relevance(ranking, ("one", "two"), lambda query, image: None)
    assert none.share is None and none.interval is None


def test_fewer_images_than_are_asked_for_are_all_there_are() -> None:
    assert best_images("name", "model", random_images(3, 2)).images.shape == (2, 3)
    drawn = best_images("name", "control", random_images(50, 40)).images
    assert drawn.shape == (40, TOP)
    assert len(np.unique(drawn)) == 50
    assert all(len(set(row)) == TOP for row in drawn.tolist())


def test_verdicts_are_kept_by_judge_and_a_torn_line_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    assert read_verdicts(path, "a", "b", "1") == {}
    with keeping(path) as keep:
        keep(
            Verdict(
                query="comet",
                abstract=digest("text"),
                relevant=True,
                backend="a",
                model="b",
                version="1",
            )
        )
        keep(
            Verdict(
                query="comet",
                abstract=digest("text"),
                relevant=False,
                backend="a",
                model="b",
                version="2",
            )
        )
    path.write_bytes(path.read_bytes() + b'{"query": "gal')
    with keeping(path) as keep:
        keep(
            Verdict(
                query="galaxy",
                abstract=digest("text"),
                relevant=False,
                backend="a",
                model="b",
                version="1",
            )
        )
    assert read_verdicts(path, "a", "b", "1") == {
        ("comet", digest("text")): True,
        ("galaxy", digest("text")): False,
    }
    assert read_verdicts(path, "a", "b", "2") == {("comet", digest("text")): pytest.approx(False)}
