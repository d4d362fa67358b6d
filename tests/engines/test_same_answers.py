"""An index in an engine gives the answers of the same index in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.engines import chance as chance_of_engines
from paperclip_cli.engines import search
from paperclip_cli.engines.address import parse_address
from paperclip_cli.engines.copies import into_engine
from paperclip_cli.engines.index import EngineIndex, open_address, open_engine
from paperclip_cli.engines.opening import open_index
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.indexes.folder import IndexFolder
from paperclip_cli.indexes.query import Answer, Query
from paperclip_cli.indexes.query_embedder import QueryEmbedder
from paperclip_cli.indexes.targets import find_target
from paperclip_cli.progress import SilentProgress
from paperclip_cli.records import Hit, Observation
from paperclip_cli.stages import index as stage
from paperclip_cli.workspace import Workspace
from tests.factories import make_proposal, write_archive, write_preview
from tests.small_indexes import index_of, region, towers, write_picture

NEAR = (10.0, -55.0)
# Conditions and ways to rank, each a query's options.
CASES: list[dict] = [
    {"texts": ("spiral galaxy",)},
    {"texts": ("spiral galaxy", "dust"), "k": 100, "collapse": "none"},
    {"texts": ("spiral galaxy",), "k": 100, "collapse": "proposal"},
    {"texts": ("dust",), "k": 1},
    {"texts": ("spiral galaxy", "dust"), "minus": ("globular cluster",), "k": 100},
    {"texts": ("a", "b"), "minus": ("c",), "weights": (1.0, 3.0, 0.5), "k": 7},
    {"texts": ("x",), "instruments": ("WFC3",)},
    {"texts": ("x",), "instruments": ("acs/wfc", "UVIS"), "k": 100, "collapse": "none"},
    {"texts": ("x",), "instruments": ("AC",)},
    {"texts": ("x",), "instruments": ("ACSS",), "filters": ("F999W",)},
    {"texts": ("x",), "proposals": (1, 2, 3), "k": 3},
    {"texts": ("x",), "proposals": (77,)},
    {"texts": ("x",), "cycles": ("21",), "filters": ("f814w",)},
    {"texts": ("x",), "missions": ("HST",), "k": 2},
    {"texts": ("x",), "missions": ("jwst",), "k": 2},
    {"texts": ("x",), "missions": ("local",)},
    {"texts": ("x",), "targets": ("SPIRAL-4",), "after": 55004.0},
    {"texts": ("x",), "targets": ("cluster",)},
    {"texts": ("x",), "targets": ("CLUSTER-55",)},
    {"texts": ("x",), "after": 55004.0, "before": 55008.0},
    {"texts": ("x",), "after": 70000.0},
    {"texts": ("x",), "near": NEAR, "radius": 20.0, "k": 100},
    {"texts": ("x",), "near": NEAR, "radius": 20.0, "centre_only": True},
    {"texts": ("x",), "near": NEAR, "radius": 20.0, "instruments": ("ACS",), "minus": ("y",)},
    {"texts": ("x",), "near": (200.0, 80.0), "radius": 0.01},
    {"texts": ("x",), "near": (0.0, 89.0), "radius": 3.0},
    {"texts": ("x",), "near": (180.0, 10.0), "radius": 180.0, "k": 100},
    {"texts": ("x",), "near": (1.0, 2.0)},
    {"texts": ("x",), "near": (1.0, 2.0), "include_moving": True},
    {"texts": ("x",), "near": NEAR, "radius": 20.0, "targets": ("RING-6",)},
    {"near": NEAR, "radius": 40.0, "k": 100},
    {"near": NEAR, "radius": 40.0, "cycles": ("22",), "collapse": "none"},
    {"near": (0.0, 0.0), "radius": 0.01},
    {"texts": ("NGC 108",), "rank_by": "keyword", "k": 5},
    {"texts": ("spiral galaxies of dust",), "rank_by": "keyword", "k": 100},
    {"texts": ("spiral galaxies",), "rank_by": "keyword", "cycles": ("24",)},
    {"texts": ("the spiral galaxy NGC108",), "rank_by": "hybrid", "k": 20, "min_score": -1.0},
    {"texts": ("CLUSTER-5",), "rank_by": "hybrid", "k": 20, "missions": ("hst",)},
    {"texts": ("spiral",), "rank_by": "hybrid", "max_chance": 0.5, "collapse": "none", "k": 100},
    {"texts": ("dust",), "max_chance": 0.3, "k": 100},
    {"texts": ("dust",), "max_chance": 1e-9},
    {"texts": ("dust",), "min_score": 0.05, "k": 100},
    {"texts": ("dust",), "min_score": 1.0},
]


@pytest.fixture(scope="module", params=["whole", "tiles"])
def indexed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path
) -> Workspace:
    """Two missions and some files, with footprints, moving targets and twins, in an index."""
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    write_mission(workspace, "hst", 12)
    write_mission(workspace, "jwst", 3, seed=1)
    view = None if request.param == "whole" else "tiles"
    config = IndexConfig(model=str(tiny_model), view=view)  # type: ignore[arg-type]
    stage.run(config, workspace, **towers())  # type: ignore[arg-type]
    files = tmp_path_factory.mktemp("files")
    for number in range(3):
        write_picture(files / f"{number}.png", number % 2)  # two are the same
    stage.run(
        IndexConfig(paths=(files,), model=str(tiny_model)),
        workspace,
        **towers(),  # type: ignore[arg-type]
    )
    return workspace


def write_mission(workspace: Workspace, mission: str, proposals: int, seed: int = 0) -> None:
    previews, texts = [], []
    for number in range(1, proposals + 1):
        texts.append(make_proposal(mission, number))
        for image in range(1 + number % 3):
            made = write_preview(workspace, mission, number, image, seed)
            observation = observed(made.observation, number, image)
            previews.append(replace(made, observation=observation))
    write_archive(workspace, mission, texts, previews)


def observed(plain: Observation, number: int, image: int) -> Observation:
    """What makes conditions hard: footprints of all sizes, no instrument, a cycle of its own."""
    if number == 2:
        corners = ((19.0, -51.0), (23.0, -51.0), (23.0, -48.0), (19.0, -48.0))
        return replace(plain, s_region=region(*corners), filters=())
    if number == 3 and image == 0:
        return replace(plain, s_ra=1.0, s_dec=2.0, cycle="99")
    if number == 5:
        return replace(plain, s_ra=None, s_dec=None, s_region="CIRCLE ICRS 12.0 89.5 0.3")
    if number == 7:
        return replace(plain, instrument="WFC3/UVIS", detector=None, target=None, t_min=None)
    return replace(plain, instrument=None) if number == 9 else plain


@pytest.fixture(scope="module")
def both(indexed: Workspace, database: str) -> Iterator[tuple[IndexFolder, EngineIndex]]:
    folder = index_of(indexed)
    engine = open_engine(parse_address(database))
    into_engine(folder, engine, indexed.root / "beside", SilentProgress())
    engine.close()
    index = open_address(database, indexed)
    yield folder, index
    index.engine.close()


def ask(
    index: IndexFolder | EngineIndex, workspace: Workspace, case: dict, **more: object
) -> Answer:
    return Query(
        QueryConfig(**case),
        [index],
        QueryEmbedder(index, workspace),
        workspace,
        **more,  # type: ignore[arg-type]
    ).answer()


def assert_same(one: Answer, other: Answer) -> None:
    ours, theirs = in_order(one), in_order(other)
    assert [hit.image for hit in ours] == [hit.image for hit in theirs]
    assert one.notes == other.notes and one.query == other.query
    for hit, twin in zip(ours, theirs, strict=True):
        close = {
            name: pytest.approx(getattr(hit, name), abs=1e-5)
            for name in ("score", "percentile", "p_chance")
            if getattr(hit, name) is not None
        }
        assert all(getattr(twin, name) == value for name, value in close.items())
        plain = {name: getattr(hit, name) for name in (*close, "provenance", "rank")}
        assert replace(twin, **plain) == hit


def in_order(answer: Answer) -> list[Hit]:
    """The hits, those of one score by their images: a product of matrices rounds as it likes."""
    groups: list[list[Hit]] = []
    for hit in answer.hits:
        scores = hit.score, groups[-1][-1].score if groups else None
        if None not in scores and abs(scores[0] - scores[1]) < 1e-6:  # type: ignore[operator]
            groups[-1].append(hit)
        else:
            groups.append([hit])
    return [hit for group in groups for hit in sorted(group, key=lambda hit: hit.image)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_query(both: tuple[IndexFolder, EngineIndex], indexed: Workspace, case: dict) -> None:
    assert_same(*(ask(index, indexed, case) for index in both))


def test_images_and_vectors(
    both: tuple[IndexFolder, EngineIndex], indexed: Workspace, tmp_path: Path
) -> None:
    write_picture(tmp_path / "a.png", 1)
    case = {"images": (tmp_path / "a.png",), "k": 5}
    vector = np.random.default_rng(0).standard_normal(both[0].dimension).astype(np.float32)
    for more in ({}, {"texts": ("dust",)}, {"texts": ("dust",), "proposals": (1, 2, 5)}):
        assert_same(*(ask(index, indexed, {**case, **more}) for index in both))
        assert_same(*(ask(index, indexed, {"k": 5, **more}, vector=vector) for index in both))


def test_lines(both: tuple[IndexFolder, EngineIndex], indexed: Workspace) -> None:
    lines = ["spiral galaxy", "dust", "\udcff", "x"]
    answers = []
    for index in both:
        query = Query(
            QueryConfig(minus=("dust",), k=3),
            [index],
            QueryEmbedder(index, indexed),
            indexed,
            is_many=True,
        )
        answers.append(list(query.answers(lines)))
    for one, other in zip(*answers, strict=True):
        assert one.failure == other.failure
        assert_same(one, other)


@pytest.mark.parametrize("case", CASES[:20], ids=str)
def test_the_graph_and_the_lists_give_the_same(
    both: tuple[IndexFolder, EngineIndex],
    indexed: Workspace,
    case: dict,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a large index: nothing is few, and the first rows that are asked for are not enough."""
    monkeypatch.setattr(both[1].engine, "few", 0, raising=False)
    monkeypatch.setattr(search, "_FIRST", 12)
    monkeypatch.setattr(search, "_MOST", 50)
    monkeypatch.setattr(chance_of_engines, "_FEW", 15)
    monkeypatch.setattr(chance_of_engines, "_DEPTHS", (12, 512))
    assert_same(*(ask(index, indexed, case) for index in both))


def test_regions(both: tuple[IndexFolder, EngineIndex], indexed: Workspace, tmp_path: Path) -> None:
    for number, text in enumerate(
        (
            "icrs\ncircle(10,-55,20)\ncircle(100,0,15)",
            "icrs\npolygon(0,-60,60,-60,60,-20,0,-20)\n-circle(20,-50,3)",
            "icrs\nannulus(12,89.5,1,30)",
            "icrs\ncircle(200,80,0.01)",
        )
    ):
        path = tmp_path / f"{number}.reg"
        path.write_text(f"{text}\n")
        for more in ({}, {"texts": ("x",)}, {"centre_only": True}, {"near": NEAR, "radius": 30.0}):
            case = {"region": path, "k": 100, **more}
            assert_same(*(ask(index, indexed, case) for index in both))


def test_several_indexes(both: tuple[IndexFolder, EngineIndex], indexed: Workspace) -> None:
    """The same index twice: what one of them adds are no new hits."""
    for case in CASES[:3] + CASES[21:24] + CASES[30:37]:
        alone, two = (
            Query(QueryConfig(**case), indexes, QueryEmbedder(both[0], indexed), indexed).answer()
            for indexes in ([both[0], both[0]], [both[0], both[1]])
        )
        assert [hit.image for hit in alone.hits] == [hit.image for hit in two.hits]
        for one, other in zip(alone.hits, two.hits, strict=True):
            assert (one.more, one.p_chance) == (other.more, pytest.approx(other.p_chance))


def test_targets_have_places(both: tuple[IndexFolder, EngineIndex]) -> None:
    for name in ("CLUSTER-5", "cluster 1", "JUPITER", "nothing"):
        assert find_target(both[0].observations, name) == find_target(both[1].observations, name)


def test_what_is_read_of_both(
    both: tuple[IndexFolder, EngineIndex], indexed: Workspace, database: str
) -> None:
    folder, engine = both
    ours, theirs = (list(index.observations.images()) for index in both)
    assert [image.entry for image in ours] == [image.entry for image in theirs]
    assert [(image.proposal, image.split) for image in ours] == [
        (image.proposal, image.split) for image in theirs
    ]
    assert np.array_equal(folder.vectors, engine.all_vectors())
    opened = open_index(database, indexed)
    assert opened.name == str(parse_address(database))
    assert opened.provenance.model == folder.provenance.model


def test_wrong_queries_are_refused(
    both: tuple[IndexFolder, EngineIndex], indexed: Workspace
) -> None:
    with pytest.raises(PaperclipError, match="cancel out"):
        ask(both[1], indexed, {"texts": ("a",), "minus": ("a",)})
    with pytest.raises(UsageError, match="a vector of"):
        ask(both[1], indexed, {}, vector=np.ones(3, np.float32))
    with pytest.raises(UsageError, match="needs a text"):
        ask(both[1], indexed, {"max_chance": 0.1}, vector=np.ones(both[0].dimension))
