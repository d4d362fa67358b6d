"""`p_chance`: against the formula written out, and in what it may not depend on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.indexes import unrelated
from paperclip_cli.indexes.chance import Allowed, Chance
from paperclip_cli.indexes.database import Entry, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.folder import IndexFolder, open_index
from paperclip_cli.indexes.journal import Journal
from paperclip_cli.indexes.shared_words import words_of
from paperclip_cli.indexes.unrelated import (
    Evidence,
    best_rows,
    products,
    unrelated_texts,
    write_tables,
)
from paperclip_cli.indexes.update import (
    Embeddings,
    State,
    publish,
    write_generation,
    write_unrelated,
)
from paperclip_cli.records import Key, Observation, Proposal
from paperclip_cli.workspace import Manifest

SIZE = 12
ABSTRACTS = (
    "A bowl of vegetable soup, and nebulae.",
    "We observe galaxies with a map of the underground.",
    "Nothing of interest.",
    "A field of stars in a nebula.",
)
TEXT = "nebula field of galaxies"
PER_PROPOSAL = 5  # images


def directions(seed: int, count: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, SIZE)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def texts() -> np.ndarray:
    return directions(1, len(unrelated_texts()))


def make_index(folder: Path, images: Sequence[int]) -> IndexFolder:
    """An index of some of the images 0, 1, ...; the vector of an image is always the same.

    Five images in turn are of one proposal; every sixth image is of none.
    """
    vectors = directions(2, 1 + max(images))
    entries, proposals = [], {}
    for number in images:
        key = Key("hst", 1 + number // PER_PROPOSAL)
        abstract = ABSTRACTS[key.proposal_id % len(ABSTRACTS)]
        proposals[key] = Proposal(**key._asdict(), abstract=abstract)
        entries.append(
            Entry(
                path=f"{number:05d}.jpg",
                size=1,
                mtime_ns=1,
                sha256=f"{number:064x}",
                key=None if number % 6 == 0 else key,
                observation=Observation(),
            )
        )
    folder.mkdir()
    journal = Journal(folder, {}, SIZE)
    journal.append([(f"{number:064x}", vectors[number : number + 1]) for number in images])
    state = State(tuple(entries), proposals)
    number, written = write_generation(folder, state, {}, Embeddings(None, (), journal))
    extra = {"dimension": SIZE, **write_unrelated(folder, number, written, texts())}
    manifest = Manifest(
        stage="index",
        config={"model": "m"},
        inputs={"model": "f"},
        counts={"images": len(images), "vectors": len(images)},
        extra=extra,
    )
    publish(folder, manifest, number)
    return open_index(folder)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> IndexFolder:
    return make_index(tmp_path_factory.mktemp("chance") / "index", range(700))


def chance_of(
    index: IndexFolder,
    query: np.ndarray,
    rows: np.ndarray | None = None,
    common: np.ndarray | None = None,
    weight: float = 1.0,
    text: str = TEXT,
    behind: float = 0.0,
) -> float:
    """`p_chance` of a hit whose cosine is lower than the best one by `behind`."""
    assert index.unrelated is not None
    allowed = np.arange(len(index.vectors)) if rows is None else rows
    scores = index.vectors[allowed] @ query
    order = np.argsort(-scores, kind="stable")[:10]
    best = [((0, int(allowed[place])), float(scores[place])) for place in order]
    nothing = np.zeros(SIZE, np.float32)
    chances = Chance([Allowed(index, rows)], nothing if common is None else common)
    return chances.of(text, weight, best)(best[0][1] - behind)


def abstracts(index: IndexFolder) -> list[set[str]]:
    """The words of the abstract of each image, some of them in the singular."""
    said = (
        image.proposal.abstract if image.proposal else "" for image in index.observations.images()
    )
    return [{singular(word) for word in re.findall(r"[a-z]+", text.lower())} for text in said]


def singular(word: str) -> str:
    return {"galaxies": "galaxy", "nebulae": "nebula", "stars": "star"}.get(word, word)


def by_hand(
    index: IndexFolder,
    query: np.ndarray,
    rows: np.ndarray | None = None,
    nulls: np.ndarray | None = None,
    places: Sequence[int] | None = None,
    behind: float = 0.0,
) -> float:
    """The formula in float64, without tables."""
    vectors, null = index.vectors.astype(float), texts().astype(float)
    against = vectors @ null.T
    mean, deviation = against.mean(axis=1), against.std(axis=1)
    allowed = np.arange(len(vectors)) if rows is None else rows
    names, said = unrelated_texts(), abstracts(index)

    def evidence(vector: np.ndarray, text: str) -> tuple[float, float, float]:
        scores = vectors[allowed] @ vector
        top = allowed[np.argsort(-scores, kind="stable")[:10]]
        standing = (vectors[top] @ vector - mean[top]) / deviation[top]
        words = [singular(word) for word in words_of(text)]
        share = np.mean([sum(word in said[row] for word in words) / len(words) for row in top])
        return float(standing.mean()), float(share), float(deviation[top].mean())

    tried = null if nulls is None else nulls
    which = range(len(names)) if places is None else places
    found = np.array(
        [evidence(vector, names[place])[:2] for vector, place in zip(tried, which, strict=True)]
    )
    spread = found[:, 0].std()
    pictures, share, scale = evidence(query.astype(float), TEXT)
    ours = (pictures - behind / scale) / spread + share / 0.1
    return (1 + np.sum(found[:, 0] / spread + found[:, 1] / 0.1 >= ours)) / (1 + len(found))


TOLERANCE = 2 / 305  # a text or two may lie on the other side: words are kept in steps of 1/255


def test_the_formula_by_hand(index: IndexFolder) -> None:
    for query in directions(3, 6):
        assert chance_of(index, query) == pytest.approx(by_hand(index, query), abs=TOLERANCE)
        behind = chance_of(index, query, behind=0.1)
        assert behind == pytest.approx(by_hand(index, query, behind=0.1), abs=TOLERANCE)


@pytest.mark.parametrize("count", [1, 4, 11, 60, 400])
def test_under_conditions_by_hand(index: IndexFolder, count: int) -> None:
    rows = np.sort(np.random.default_rng(count).choice(700, count, replace=False))
    for query in directions(4, 3):
        expected = by_hand(index, query, rows)
        assert chance_of(index, query, rows) == pytest.approx(expected, abs=TOLERANCE)


def test_few_lists_are_enough_or_not(index: IndexFolder) -> None:
    """Whatever the lists of best rows hold, the answer is the same."""
    rows = np.arange(0, 700, 9)
    (query,) = directions(5, 1)
    expected = chance_of(index, query, rows)
    assert index.unrelated is not None
    for kept in (10, 40, 200):
        tables = replace(index.unrelated, nearest=index.unrelated.nearest[:, :kept])
        short = replace(index, unrelated=tables)
        assert chance_of(short, query, rows) == pytest.approx(expected, abs=1e-9)


def test_in_place_of_the_texts_of_a_mixed_query(index: IndexFolder) -> None:
    """With an image, unrelated texts are tried in the place of the query's own, one in four."""
    image, text = directions(6, 2)
    mixed = 2.0 * text + image
    nulls = 2.0 * texts()[::4].astype(float) + image
    nulls /= np.linalg.norm(nulls, axis=1, keepdims=True)
    query = mixed / np.linalg.norm(mixed)
    ours = chance_of(index, query, common=image, weight=2.0)
    places = range(0, 304, 4)
    assert ours == pytest.approx(by_hand(index, query, None, nulls, places), abs=2 / 77)


@pytest.mark.parametrize("count", [3, 30, 300])
def test_conditions_give_what_an_index_of_these_images_gives(
    index: IndexFolder, tmp_path: Path, count: int
) -> None:
    chosen = np.sort(np.random.default_rng(count).choice(700, count, replace=False))
    alone = make_index(tmp_path / "alone", chosen.tolist())
    for query in directions(7, 5):
        expected = chance_of(alone, query)
        assert chance_of(index, query, chosen) == pytest.approx(expected, abs=1 / 305)


def test_texts_that_mean_nothing_are_found_as_often_as_it_says(index: IndexFolder) -> None:
    """Random directions are unrelated texts like any other: `p_chance` is uniform."""
    chances = np.array([chance_of(index, query, text="qqq") for query in directions(8, 400)])
    rows = np.arange(0, 700, 14)
    under = np.array([chance_of(index, query, rows, text="qqq") for query in directions(9, 400)])
    for level in (0.05, 0.1, 0.2, 0.5):
        assert level / 2 < (chances <= level).mean() < 2 * level
        assert level / 2 < (under <= level).mean() < 2 * level


def test_words_of_the_proposals_are_evidence(index: IndexFolder) -> None:
    (query,) = directions(10, 1)
    assert chance_of(index, query, text="nebula") < chance_of(index, query, text="qqq")


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=9), st.floats(0, 0.2), st.integers(0, 2**32 - 1)
)
def test_a_better_hit_never_has_a_higher_chance(
    behind: list[float], share: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    evidence = Evidence(random.standard_normal(50), random.uniform(0, 0.3, 50))
    chances = [evidence.chance(1 - lag, share) for lag in sorted(behind)]
    assert chances == sorted(chances) and chances[0] > 0 and chances[-1] <= 1


def test_no_text_at_all_leaves_it_open() -> None:
    assert Evidence(np.empty(0), np.empty(0)).chance(3.0, 1.0) == 1


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_best_rows_by_blocks(count: int, wanted: int, seed: int) -> None:
    """The same as sorting all at once, however the rows are cut into blocks."""
    scores = np.random.default_rng(seed).integers(0, 6, (3, count)).astype(np.float32)
    cut = seed % count
    rows, best = best_rows([scores[:, :cut], scores[:, cut:]], wanted, 3)
    assert (best == -np.sort(-scores, axis=1)[:, :wanted]).all()
    assert (np.take_along_axis(scores, rows, axis=1) == best).all()
    assert all(len({*row}) == len(row) for row in rows.tolist())


def test_products_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrelated, "_BLOCK", 7)
    vectors = directions(1, 20)
    assert np.concatenate(list(products(vectors, vectors[:3])), axis=1) == pytest.approx(
        vectors[:3] @ vectors.T, abs=1e-6
    )


def test_an_index_without_images_has_tables(tmp_path: Path) -> None:
    """Warnings are errors in tests: there is no mean of nothing."""
    write_observations(tmp_path / "o.sqlite", [], {}, {})
    texts = np.eye(8, dtype=np.float32)[np.arange(len(unrelated_texts())) % 8]
    observations = Observations(tmp_path / "o.sqlite")
    evidence = write_tables(tmp_path, 1, np.zeros((0, 8), np.float32), observations, texts)
    assert evidence.pictures.tolist() == evidence.words.tolist() == [0.0] * len(texts)
    assert evidence.chance(1.0, 0.0) == pytest.approx(1 / (1 + len(texts)))
