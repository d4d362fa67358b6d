"""Several indexes in one query give what one index of all their images gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import paperclip_cli
from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.config.readers import index_names
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.indexes.query import Answer
from paperclip_cli.records import Hit
from paperclip_cli.stages import index as stage
from paperclip_cli.stages import query
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import towers

NEAR = {"near": (10.0, -55.0), "radius": 20.0}
BOTH, ALL = ("hubble", "webb"), ("all",)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Workspace:
    """Two missions, in an index of each and in one of both."""
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    write_fetched(workspace, "hst", proposals=12)
    write_fetched(workspace, "jwst", proposals=9)
    missions = {"hubble": ("hst",), "webb": ("jwst",), "all": ()}
    for name, of in missions.items():
        config = IndexConfig(name=name, model=str(tiny_model), missions=of)
        stage.run(config, workspace, **towers())  # type: ignore[arg-type]
    return workspace


def ask(workspace: Workspace, indexes: tuple[str, ...], *texts: str, **more: object) -> Answer:
    config = QueryConfig(texts=texts, indexes=indexes, **more)  # type: ignore[arg-type]
    return next(query.run(config, workspace))


def plain(answer: Answer) -> list[Hit]:
    """The hits, without what is of the index itself."""
    return [replace(hit, provenance="", percentile=None) for hit in answer.hits]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"k": 3},
        {"k": 500, "collapse": "none"},
        {"collapse": "proposal"},
        {"missions": ("jwst",)},
        {"targets": ("CLUSTER-5",)},
        NEAR,
        {"minus": ("stars",), "weights": (1.0, 0.5)},
        {"min_score": 0.02},
        {"max_chance": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("text", ["spiral galaxy", "x"])
def test_a_text(workspace: Workspace, text: str, more: dict) -> None:
    assert plain(ask(workspace, BOTH, text, **more)) == plain(ask(workspace, ALL, text, **more))


@pytest.mark.parametrize("rank_by", ["keyword", "hybrid"])
def test_words_are_weighed_by_the_texts_of_each_index(workspace: Workspace, rank_by: str) -> None:
    several, whole = (
        ask(workspace, of, "cluster 5 of stars", k=500, rank_by=rank_by) for of in (BOTH, ALL)
    )
    found = [
        {(hit.image, hit.score, hit.more) for hit in answer.hits} for answer in (several, whole)
    ]
    assert found[0] == found[1] and len(found[0]) > 1
    named = ask(workspace, BOTH, "CLUSTER-5", k=2, rank_by="hybrid").hits
    assert [hit.target for hit in named] == ["CLUSTER-5"] * 2
    assert {hit.mission for hit in named} == {"hst", "jwst"}, "the named target of either is first"


def test_a_plain_cone_and_lines(workspace: Workspace) -> None:
    assert plain(ask(workspace, BOTH, **NEAR)) == plain(ask(workspace, ALL, **NEAR))
    config = QueryConfig(indexes=BOTH, k=4)
    several = list(query.run(config, workspace, iter(["dust", "a comet"])))
    whole = list(query.run(replace(config, indexes=ALL), workspace, iter(["dust", "a comet"])))
    assert list(map(plain, several)) == list(map(plain, whole))


def test_an_image_in_both_is_one_hit(workspace: Workspace) -> None:
    twice = ask(workspace, ("hubble", "all"), "dust", k=500, collapse="none")
    assert plain(twice)[:20] and len(twice.hits) == len(
        ask(workspace, ALL, "dust", k=500, collapse="none").hits
    )
    assert len({hit.image for hit in twice.hits}) == len(twice.hits)
    assert ask(workspace, ("all", "all"), "dust") == ask(workspace, ALL, "dust")


def test_where_hits_are_from(workspace: Workspace) -> None:
    answer = ask(workspace, BOTH, "dust", k=500)
    names = {"hst": "hubble", "jwst": "webb"}
    assert {f"index {names[str(hit.mission)]} of" in hit.provenance for hit in answer.hits} == {
        True
    }
    assert [part.split(" of ")[0] for part in answer.provenance.index.split("; ")] == [*BOTH]


def test_no_match_says_what_each_index_has(workspace: Workspace) -> None:
    notes = ask(workspace, BOTH, "dust", instruments=("ACSS",)).notes
    assert len(notes) == 2
    assert all(
        note.startswith(f"index {name}: no image meets --instrument ACSS")
        for note, name in zip(notes, BOTH, strict=True)
    )


def test_an_index_of_another_model_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    manifest = workspace.index("webb") / "manifest.json"
    before = manifest.read_text()
    stored = json.loads(before)
    stored["inputs"]["model"] = "f" * 64
    manifest.write_text(json.dumps(stored))
    try:
        with pytest.raises(PaperclipError, match="scores of different models cannot be compared"):
            ask(workspace, BOTH, "dust")
        assert ask(workspace, BOTH, **NEAR).hits, "a cone has no scores"
    finally:
        manifest.write_text(before)


def test_from_python(workspace: Workspace) -> None:
    index = paperclip_cli.open_index(["hubble", "webb"], cache=workspace.root)
    whole = paperclip_cli.open_index("all", cache=workspace.root)
    assert index.name == "hubble,webb" and len(index) == len(whole)
    assert len(index.observations()) == len(whole.observations())
    assert np.array_equal(index.vectors, whole.vectors)
    found = paperclip_cli.query("dust", index="hubble,webb", cache=workspace.root)
    assert [hit.image for hit in found] == [hit.image for hit in whole.search("dust")]
    target = str(next(hit.target for hit in found))
    near = index.search(near=target, radius="1deg")
    assert [hit.image for hit in near] == [
        hit.image for hit in whole.search(near=target, radius="1deg")
    ]


def test_names_are_repeated_or_separated_by_commas() -> None:
    address = "postgresql://host/db?table=a,b"
    assert index_names(["a,b", "c", address], "--index") == ("a", "b", "c", address)
    with pytest.raises(UsageError, match="--index is empty"):
        index_names(" , ", "--index")
