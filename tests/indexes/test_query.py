"""Queries of an open index: many at once, by vector, and plain cone searches."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.errors import UsageError
from paperclip_cli.indexes.query import Answer, Query
from paperclip_cli.indexes.query_embedder import QueryEmbedder
from paperclip_cli.stages import index as stage
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import index_of, towers

TEXTS = ("spiral galaxy", "dust", "globular cluster", "a comet", "x")
NEAR = (10.0, -55.0)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Workspace:
    """The previews of 12 proposals (20 images), indexed with random vectors."""
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    write_fetched(workspace, "hst", proposals=12)
    stage.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    return workspace


class Asker:
    """An index that was opened once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.index = workspace, index_of(workspace)
        self.embedder = QueryEmbedder(self.index, workspace)

    def __call__(self, *texts: str, vector: np.ndarray | None = None, **more: object) -> Answer:
        config = QueryConfig(texts=texts, **more)  # type: ignore[arg-type]
        return Query(config, [self.index], self.embedder, self.workspace, vector).answer()


def test_ten_threads_get_the_answers_of_one(indexed: Workspace) -> None:
    conditions = ({}, {"targets": ("CLUSTER-5",)}, {"near": NEAR, "radius": 20.0})
    asked = [(text, more) for more in conditions for text in TEXTS] * 4
    one = Asker(indexed)
    alone = [one(text, k=5, **more) for text, more in asked]
    shared = Asker(indexed)
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(lambda job: shared(job[0], k=5, **job[1]), asked))
    assert together == alone


def test_a_text_is_embedded_once(indexed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded: list[str] = []
    embed = TextTower.embed

    def counted(tower: TextTower, texts: list[str]) -> np.ndarray:
        embedded.extend(texts)
        return embed(tower, texts)

    monkeypatch.setattr(TextTower, "embed", counted)
    ask = Asker(indexed)
    first = ask("dust", minus=("stars",))
    assert ask("dust", minus=("stars",)) == first
    ask("stars", "dust", "gas")
    assert embedded == ["stars", "dust", "gas"]


def test_a_vector_finds_its_nearest_images(indexed: Workspace) -> None:
    ask = Asker(indexed)
    vector = np.random.default_rng(0).standard_normal(ask.index.vectors.shape[1])
    answer = ask(vector=vector, k=100, collapse="none")
    cosines = ask.index.vectors @ (vector / np.linalg.norm(vector))
    assert [hit.score for hit in answer.hits] == pytest.approx(np.sort(cosines)[::-1], abs=1e-6)
    assert answer.query == "vector" and not answer.notes
    (text,) = ask.embedder.texts(["dust"])
    assert [hit.image for hit in ask(vector=3 * text, k=3).hits] == [
        hit.image for hit in ask("dust", k=3).hits
    ]
    assert ask("dust", vector=vector).query == "dust + vector"


@pytest.mark.parametrize("vector", [np.ones(3), np.ones((2, 2)), np.full(64, np.nan)])
def test_a_vector_that_does_not_fit_is_refused(indexed: Workspace, vector: np.ndarray) -> None:
    with pytest.raises(UsageError, match="finite numbers is needed to search index 'default'"):
        Asker(indexed)(vector=vector)


def test_a_plain_cone_search_needs_no_model_and_gives_the_nearest_first(
    indexed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TextTower, "open", None)
    ask = Asker(indexed)
    answer = ask(near=NEAR, radius=25.0, k=100, collapse="none")
    places = [image.entry.observation for image in ask.index.observations.images()]
    centre = SkyCoord(*NEAR, unit="deg")
    angles = [
        SkyCoord(at.s_ra, at.s_dec, unit="deg").separation(centre).arcmin
        for at in places
        if at.s_ra is not None
    ]
    expected = sorted(angle for angle in angles if angle <= 25.0 * 60)
    assert len(answer.hits) > 3
    assert [hit.separation for hit in answer.hits] == pytest.approx(expected, abs=1e-6)
    assert {(hit.score, hit.percentile) for hit in answer.hits} == {(None, None)}
    assert answer.query == "within 1500 arcmin of 10 -55"
    grouped = ask(near=NEAR, radius=25.0, k=2)
    assert [hit.rank for hit in grouped.hits] == [1, 2]
    assert grouped.hits[0].image == answer.hits[0].image
    assert "no image meets --near" in ask(near=(200.0, 80.0)).notes[0]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"targets": ("M 51",)},
        {"near": NEAR, "minus": ("dust",)},
        {"near": NEAR, "min_score": 0.2},
        {"near": NEAR, "rank_by": "hybrid"},
        {"near": NEAR, "rank_by": "keyword"},
    ],
)
def test_what_needs_something_to_look_for_is_refused(indexed: Workspace, config: dict) -> None:
    with pytest.raises(UsageError):
        Asker(indexed)(**config)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"texts": ("",)}, "a text of the query is empty"),
        ({"texts": ("dust", " \t")}, "a text of the query is empty"),
        ({"texts": ("dust",), "minus": ("",)}, "a text of the query is empty"),
        ({"texts": ("dust",), "min_score": math.nan}, "--min-score nan"),
    ],
)
def test_what_would_be_answered_at_random_is_refused(config: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        QueryConfig(**config)
