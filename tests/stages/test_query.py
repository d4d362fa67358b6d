"""`query`: the right images in the right order, with the right metadata and notes."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from paperclip_cli import __version__
from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.errors import MissingStage, PaperclipError, UsageError
from paperclip_cli.indexes.folder import open_index
from paperclip_cli.indexes.query import Answer
from paperclip_cli.indexes.unrelated import Evidence
from paperclip_cli.records import Hit, Key
from paperclip_cli.stages import index, query, query_copy
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace, read_manifest, write_manifest
from tests.factories import make_proposal, write_archive, write_fetched, write_preview
from tests.small_indexes import FakeTower, towers, write_picture


@pytest.fixture
def indexed(workspace: Workspace, tiny_model: Path) -> Workspace:
    """The previews of 12 proposals (20 images), indexed with random vectors."""
    write_fetched(workspace, "hst", proposals=12)
    index.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    return workspace


def ask(workspace: Workspace, *texts: str, **more: object) -> Answer:
    return next(query.run(QueryConfig(texts=texts, **more), workspace))  # type: ignore[arg-type]


def expected_order(workspace: Workspace, vector: np.ndarray) -> list[str]:
    """Paths of all images, nearest first, by brute force."""
    opened = open_index(workspace.index("default"))
    paths = [str(workspace.root / image.entry.path) for image in opened.observations.images()]
    return [paths[row] for row in np.argsort(-(opened.vectors @ vector), kind="stable")]


def embed(tiny_model: Path, *texts: str) -> np.ndarray:
    return TextTower.open(ModelFolder.open(tiny_model)).embed(texts)


def paths(answer: Answer) -> list[str]:
    return [hit.image for hit in answer.hits]


def test_hits_are_the_nearest_images(indexed: Workspace, tiny_model: Path) -> None:
    answer = ask(indexed, "spiral galaxy", k=100, collapse="none")
    assert paths(answer) == expected_order(indexed, embed(tiny_model, "spiral galaxy")[0])
    assert [hit.rank for hit in answer.hits] == list(range(1, 21))
    assert [hit.score for hit in answer.hits] == sorted(
        (hit.score for hit in answer.hits), reverse=True
    )
    assert all(
        0 <= hit.percentile <= 100 and hit.query == "spiral galaxy" and Path(hit.image).is_file()
        for hit in answer.hits
    )
    assert paths(ask(indexed, "spiral galaxy", k=3, collapse="none")) == paths(answer)[:3]


def test_a_query_is_the_sum_of_its_parts(indexed: Workspace, tiny_model: Path) -> None:
    one, two, three = embed(tiny_model, "spiral galaxy", "dust", "globular cluster")
    answer = ask(
        indexed, "spiral galaxy", "dust", minus=("globular cluster",), k=100, collapse="none"
    )
    assert paths(answer) == expected_order(indexed, one + two - three)
    assert answer.query == "spiral galaxy + dust - globular cluster"
    with pytest.raises(PaperclipError, match="cancel out"):
        ask(indexed, "dust", minus=("dust",))


def test_parts_count_what_they_are_said_to(indexed: Workspace, tiny_model: Path) -> None:
    one, two, three = embed(tiny_model, "spiral galaxy", "dust", "globular cluster")
    answer = ask(
        indexed,
        "spiral galaxy",
        "dust",
        minus=("globular cluster",),
        weights=(1.0, 3.0, 0.5),
        k=100,
        collapse="none",
    )
    assert paths(answer) == expected_order(indexed, one + 3 * two - 0.5 * three)
    assert answer.query == "spiral galaxy + 3 × dust - 0.5 × globular cluster"
    with pytest.raises(UsageError, match="2 times for 3 parts"):
        QueryConfig(texts=("a", "b"), minus=("c",), weights=(1.0, 2.0))
    for weight in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="not a number above 0"):
            QueryConfig(texts=("a",), weights=(weight,))


def test_lines_count_one_beside_parts_with_weights(indexed: Workspace) -> None:
    (answer,) = query.run(
        QueryConfig(texts=("dust",), weights=(2.0,), k=3), indexed, ["spiral galaxy"]
    )
    assert paths(answer) == paths(ask(indexed, "dust", "spiral galaxy", weights=(2.0, 1.0), k=3))


def test_a_line_that_cannot_be_answered_fails_alone(indexed: Workspace) -> None:
    lines = ["spiral galaxy", "dust", "\udcff", "spiral arms"]
    answers = list(query.run(QueryConfig(minus=("dust",), k=3), indexed, lines))
    assert [answer.failure for answer in answers] == [
        "",
        "the parts of the query cancel out",
        "the line is not text in UTF-8",
        "",
    ]
    for answer, text in ((answers[0], "spiral galaxy"), (answers[3], "spiral arms")):
        assert paths(answer) == paths(ask(indexed, text, minus=("dust",), k=3))
    assert [answer.query for answer in answers[1:3]] == ["dust", "\udcff"]


@pytest.mark.parametrize("lines", [[], ["", "  \n"]])
def test_without_a_line_there_is_no_query(indexed: Workspace, lines: list[str]) -> None:
    with pytest.raises(UsageError, match="no query on standard input"):
        list(query.run(QueryConfig(), indexed, lines))


def test_a_hit_says_what_gave_it(indexed: Workspace) -> None:
    answer = ask(indexed, "x")
    manifest = open_index(indexed.index("default")).manifest
    assert answer.hits[0].provenance == (
        f"paperclip {__version__}, index default of {manifest.created}, "
        f"model {manifest.config['model']} {manifest.inputs['model'][:12]}"
    )
    assert answer.provenance.fingerprint == manifest.inputs["model"]


def test_an_image_finds_itself(workspace: Workspace, tiny_model: Path, tmp_path: Path) -> None:
    for number in range(4):
        write_picture(tmp_path / f"{number}.png", number)
    index.run(IndexConfig(paths=(tmp_path,), model=str(tiny_model)), workspace)
    answer = next(query.run(QueryConfig(images=(tmp_path / "2.png",)), workspace))
    assert answer.hits[0].image == str(tmp_path / "2.png") and answer.hits[
        0
    ].score == pytest.approx(1, abs=1e-5)
    assert answer.query == "2.png"
    (text,) = embed(tiny_model, "dust")
    vectors = open_index(workspace.index("default")).vectors
    weighed = ask(
        workspace, "dust", images=(tmp_path / "1.png", tmp_path / "2.png"), weights=(2.0,)
    )
    assert paths(weighed) == expected_order(workspace, text + 2 * vectors[1] + 2 * vectors[2])
    assert weighed.query == "dust + 2 × 1.png + 2 × 2.png", "one weight is that of the images"
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(PaperclipError, match=r"bad\.png: not a JPEG"):
        next(query.run(QueryConfig(images=(tmp_path / "bad.png",)), workspace))


def test_a_hit_says_what_is_known(indexed: Workspace) -> None:
    hit = next(
        hit
        for hit in ask(indexed, "x", k=100, collapse="none").hits
        if hit.key == Key("hst", 5) and hit.image.endswith("_1.jpg")
    )
    proposal = make_proposal("hst", 5)
    assert (hit.title, hit.category, hit.abstract) == (
        proposal.title,
        proposal.category,
        proposal.abstract,
    )
    assert hit.cycle == proposal.cycle, "where the observation does not say, the proposal does"
    assert (hit.instrument, hit.filters, hit.separation, hit.more) == (
        "ACS",
        ("F606W", "F814W"),
        None,
        0,
    )


def test_one_visit_fills_one_line(indexed: Workspace) -> None:
    every = ask(indexed, "x", k=100, collapse="none").hits
    one_each = ask(indexed, "x", k=100).hits
    best: dict[object, Hit] = {}
    for hit in every:
        best.setdefault((hit.key, hit.target), hit)
    assert [hit.image for hit in one_each] == [hit.image for hit in best.values()]
    assert sum(1 + hit.more for hit in one_each) == len(every)
    by_proposal = ask(indexed, "x", k=100, collapse="proposal").hits
    assert len({hit.key for hit in by_proposal}) == len(by_proposal) == 12
    few = ask(indexed, "x", k=100, targets=("SPIRAL-4",), after=55004.0).hits
    assert [hit.more for hit in few] == [0]
    assert [hit.more for hit in ask(indexed, "x", k=100, targets=("CLUSTER-5",)).hits] == [1]


def test_conditions_come_before_the_order(indexed: Workspace) -> None:
    every = ask(indexed, "x", k=100, collapse="none").hits
    for conditions, holds in (
        ({"instruments": ("WFC3",)}, lambda hit: hit.instrument == "WFC3"),
        ({"proposals": (1, 2, 3)}, lambda hit: hit.proposal_id <= 3),
        (
            {"cycles": ("21",), "filters": ("F814W",)},
            lambda hit: hit.cycle == "21" and "F814W" in hit.filters,
        ),
    ):
        found = ask(indexed, "x", k=3, collapse="none", **conditions).hits
        assert [hit.image for hit in found] == [hit.image for hit in every if holds(hit)][:3]
        assert [hit.score for hit in found] == pytest.approx(
            [hit.score for hit in every if holds(hit)][:3], abs=1e-6
        )


def test_a_cone_measures_and_leaves_out_what_moves(indexed: Workspace) -> None:
    answer = ask(indexed, "x", k=100, near=(10.0, -55.0), radius=20.0)
    assert {hit.proposal_id for hit in answer.hits} == {1, 2}
    from astropy.coordinates import angular_separation

    for hit in answer.hits:
        place = np.radians([hit.s_ra, hit.s_dec, 10.0, -55.0])
        assert hit.separation == pytest.approx(60 * np.degrees(angular_separation(*place)))


def test_moving_targets_in_a_cone_are_counted(workspace: Workspace, tiny_model: Path) -> None:
    preview = write_preview(workspace, "hst", 3, 0)
    placed = replace(preview, observation=replace(preview.observation, s_ra=1.0, s_dec=2.0))
    write_archive(workspace, "hst", [], [placed])
    index.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    answer = ask(workspace, "storm", near=(1.0, 2.0))
    assert (
        not answer.hits
        and "skipped 1 image of moving targets near this place (--moving includes them)"
        in answer.notes
    )
    assert len(ask(workspace, "storm", near=(1.0, 2.0), include_moving=True).hits) == 1


def test_low_scores_are_cut_off(indexed: Workspace) -> None:
    every = ask(indexed, "x", k=100).hits
    cut = every[3].score
    assert [hit.image for hit in ask(indexed, "x", k=100, min_score=cut - 1e-6).hits] == [
        hit.image for hit in every[:4]
    ]
    assert ask(indexed, "x", min_score=1.1).notes == (
        f"no image has a score of 1.1: the best is {every[0].score:.3f}",
    )


def test_names_are_keyword_work(indexed: Workspace) -> None:
    hits = ask(indexed, "NGC 108", k=5, rank_by="keyword").hits
    assert [hit.key for hit in hits] == [Key("hst", 8)]
    hits = ask(indexed, "the spiral galaxy NGC108", k=20, rank_by="hybrid", min_score=-1.0).hits
    assert len(hits) > 5 and Key("hst", 8) in {hit.key for hit in hits[:4]}
    with pytest.raises(UsageError, match="needs a text"):
        ask(indexed, rank_by="keyword", images=(Path("a.png"),))


def test_what_does_not_stand_out_is_said(indexed: Workspace) -> None:
    # Vectors are random here, so most texts find no more than unrelated ones do.
    answers = [
        ask(indexed, text) for text in ("dust", "anything at all", "a comet", "x", "stars", "M 51")
    ]
    weak = [answer for answer in answers if min(map(chance, answer.hits)) > 0.2]
    assert len(weak) > 0
    for answer in answers:
        told = [note for note in answer.notes if note.startswith("no strong match")]
        best = min(map(chance, answer.hits))
        note = f"no strong match: an unrelated text does as well with a probability of {best:.2f}"
        assert told == ([note] if answer in weak else [])


def chance(hit: Hit) -> float:
    assert hit.p_chance is not None
    return hit.p_chance


def test_p_chance_belongs_to_query_conditions_and_hit(indexed: Workspace) -> None:
    many = ask(indexed, "dust", k=100, collapse="none").hits
    known = {hit.image: hit.p_chance for hit in many}
    assert [chance(hit) for hit in many] == sorted(map(chance, many))
    assert chance(many[0]) > 0 and chance(many[-1]) <= 1
    for more in ({"k": 1}, {"k": 3}, {"collapse": "proposal"}, {"rank_by": "hybrid"}):
        hits = ask(indexed, "dust", **more).hits
        assert {hit.image: hit.p_chance for hit in hits}.items() <= known.items()
    lines = list(query.run(QueryConfig(k=3), indexed, ["dust", "stars"]))
    assert [hit.p_chance for hit in lines[0].hits] == [
        hit.p_chance for hit in ask(indexed, "dust", k=3).hits
    ]


def test_only_hits_that_stand_out(indexed: Workspace) -> None:
    hits = ask(indexed, "dust", k=100, collapse="none").hits
    cut = chance(hits[4])
    kept = ask(indexed, "dust", k=100, collapse="none", max_chance=cut).hits
    assert kept == tuple(hit for hit in hits if chance(hit) <= cut) and len(kept) >= 5
    by_words = ask(indexed, "spiral galaxy", k=100, rank_by="hybrid", max_chance=cut).hits
    assert all(chance(hit) <= cut for hit in by_words)
    none = ask(indexed, "dust", max_chance=1e-9)
    assert not none.hits and none.notes[0].startswith("no strong match")
    for never in (0.0, -0.1, 1.1, math.nan):
        with pytest.raises(UsageError, match=r"give a number above 0, up to 1|out of range"):
            ask(indexed, "dust", max_chance=never)


def test_a_small_probability_is_not_called_zero(
    indexed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "no strong match: an unrelated text does as well with a probability of {}"
    for least, shown in (
        (0.0099, "less than 0.01"),
        (0.01, "0.01"),
        (0.0149, "0.01"),
        (1.0, "1.00"),
    ):
        monkeypatch.setattr(Evidence, "chance", lambda *_, least=least: least)
        answer = ask(indexed, "dust", max_chance=1e-9)
        assert answer.notes == (said.format(shown),) and not answer.hits


def test_p_chance_needs_a_text(indexed: Workspace, tmp_path: Path) -> None:
    picture = Path(ask(indexed, "dust").hits[0].image)
    only = ask(indexed, images=(picture,))
    assert {hit.p_chance for hit in only.hits} == {None} and not only.notes
    assert None not in {hit.p_chance for hit in ask(indexed, "dust", images=(picture,)).hits}
    with pytest.raises(UsageError, match="--max-chance needs a text"):
        ask(indexed, images=(picture,), max_chance=0.1)


def test_an_index_of_an_earlier_version_is_told_and_updated(indexed: Workspace) -> None:
    folder = indexed.index("default")
    expected = ask(indexed, "dust")
    manifest = read_manifest(folder)
    assert manifest is not None
    old = {name: value for name, value in manifest.extra.items() if name != "evidence"}
    write_manifest(folder, replace(manifest, extra=old))
    answer = ask(indexed, "dust")
    assert {hit.p_chance for hit in answer.hits} == {None}
    assert [hit.image for hit in answer.hits] == [hit.image for hit in expected.hits]
    (note,) = answer.notes
    assert note.startswith("index default is of an earlier version; paperclip index gives")
    with pytest.raises(PaperclipError, match="earlier version"):
        ask(indexed, "dust", max_chance=0.5)

    tower = FakeTower()
    model = manifest.config["model_folder"]
    report = index.run(IndexConfig(model=model), indexed, **towers(tower))  # type: ignore[arg-type]
    assert not report.unchanged and tower.embedded == 0
    assert [hit.p_chance for hit in ask(indexed, "dust").hits] == [
        hit.p_chance for hit in expected.hits
    ]


def test_lines_are_queries_of_one_run(indexed: Workspace) -> None:
    answers = list(query.run(QueryConfig(k=2), indexed, ["spiral galaxy\n", "\n", "  dust \n"]))
    assert [answer.query for answer in answers] == ["spiral galaxy", "dust"]
    assert [paths(answer) for answer in answers] == [
        paths(ask(indexed, text, k=2)) for text in ("spiral galaxy", "dust")
    ]


def test_a_folder_of_ones_own_needs_no_proposals(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    for number in range(3):
        write_picture(tmp_path / f"{number}.png", number)
    index.run(
        IndexConfig(paths=(tmp_path,), model=str(tiny_model), name="mine"), workspace, **towers()
    )  # type: ignore[arg-type]
    hits = ask(workspace, "galaxy").hits  # the only index there is
    assert len(hits) == 3
    assert {(hit.mission, hit.proposal_id, hit.title, hit.split, hit.more) for hit in hits} == {
        (None, None, "", "none", 0)
    }


def test_without_an_index_the_commands_are_named(workspace: Workspace, tiny_model: Path) -> None:
    with pytest.raises(MissingStage) as error:
        ask(workspace, "galaxy")
    assert error.value.message == "there is no index 'default'"
    assert error.value.hint == "run `paperclip fetch` and `paperclip index` first"
    write_fetched(workspace)
    with pytest.raises(MissingStage) as error:
        ask(workspace, "galaxy", indexes=("mine",))
    assert error.value.hint == "run `paperclip index --index mine` first"
    index.run(IndexConfig(model=str(tiny_model), name="one"), workspace, **towers())  # type: ignore[arg-type]
    index.run(IndexConfig(model=str(tiny_model), name="two"), workspace, **towers())  # type: ignore[arg-type]
    with pytest.raises(MissingStage, match=r"no index 'default' \(there are one, two\)"):
        ask(workspace, "galaxy")
    assert ask(workspace, "galaxy", indexes=("two",)).hits


@pytest.mark.parametrize("config", [{}, {"minus": ("dust",)}])
def test_a_query_for_nothing_is_wrong_usage(config: dict, workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="the query is empty"):
        ask(workspace, **config)


def test_a_model_that_has_changed_or_gone_is_not_asked(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    from tests.clip_models import write_model

    shutil.copytree(tiny_model, tmp_path / "model")
    write_picture(tmp_path / "p" / "a.png", 0)
    index.run(
        IndexConfig(paths=(tmp_path / "p",), model=str(tmp_path / "model")), workspace, **towers()
    )  # type: ignore[arg-type]
    assert ask(workspace, "galaxy").hits
    shutil.rmtree(tmp_path / "model")
    with pytest.raises(UsageError, match="no model"):
        ask(workspace, "galaxy")
    write_model(tmp_path / "model", seed=3)
    with pytest.raises(
        PaperclipError, match="index 'default' was made by another model than the one now in"
    ) as error:
        ask(workspace, "galaxy")
    assert error.value.hint == "rebuild it with paperclip index --index default --force"


def test_embeddings_of_texts_that_are_no_numbers_are_no_empty_answer(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    damaged = shutil.copytree(tiny_model, tmp_path / "model") / "model.safetensors"
    found = load_file(damaged)
    found["text_model.final_layer_norm.bias"][0] = np.nan
    save_file(found, damaged)
    write_picture(tmp_path / "p" / "a.png", 0)
    index.run(
        IndexConfig(paths=(tmp_path / "p",), model=str(damaged.parent)), workspace, **towers()
    )  # type: ignore[arg-type]
    with pytest.raises(PaperclipError, match="its text tower returns embeddings that are not"):
        ask(workspace, "galaxy")


def test_images_are_copied_and_nothing_is_overwritten(indexed: Workspace, tmp_path: Path) -> None:
    hits = ask(indexed, "x", k=3).hits
    report = query_copy.run(hits, tmp_path / "out")
    copied = sorted((tmp_path / "out").iterdir())
    assert report.counts == {"images": 3} and not report.failures
    assert [path.name for path in copied] == [
        f"{hit.rank:03d}_hst_{hit.proposal_id}_{Path(hit.image).name}" for hit in hits
    ]
    assert [path.read_bytes() for path in copied] == [Path(hit.image).read_bytes() for hit in hits]
    copied[0].write_text("mine")
    Path(hits[1].image).unlink()
    again = query_copy.run(hits, tmp_path / "out")
    assert (
        again.counts == {"images": 1}
        and len(again.failures) == 2
        and copied[0].read_text() == "mine"
    )


def test_a_cache_without_an_index_names_that_of_the_demo(
    workspace: Workspace, tiny_model: Path
) -> None:
    with pytest.raises(MissingStage) as none:
        ask(workspace, "dust")
    assert "demo" not in str(none.value.hint)
    demo = Workspace(workspace.demo(), offline=True)
    write_fetched(demo, proposals=3)
    index.run(IndexConfig(model=str(tiny_model)), demo, **towers())  # type: ignore[arg-type]
    with pytest.raises(MissingStage) as told:
        ask(workspace, "dust")
    hint = str(told.value.hint)
    assert hint.endswith(f"; or use the demo's: export PAPERCLIP_CACHE_DIR={demo.root}")
    kind, arguments = told.value.__reduce__()
    assert kind(*arguments).hint == hint, "errors from a pool of processes are whole"
