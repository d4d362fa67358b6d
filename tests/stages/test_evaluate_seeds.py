"""Several seeds of one model: which models they are, and the spread of the figures."""

from __future__ import annotations

import copy
import csv
import io
import json
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.cli import app
from paperclip_cli.config import BuildDatasetConfig, EvaluateConfig
from paperclip_cli.evaluation.seeds import same_model, spread
from paperclip_cli.images.view import View
from paperclip_cli.stages import build_dataset, evaluate
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model
from tests.factories import write_fetched
from tests.hisp_files import write_benchmark

CARD = {
    "training": {"seed": 0, "steps": 100, "kept_step": 50, "loss": "softmax"},
    "data": {"splits": {"train": ["local:1"], "test": ["local:2"]}},
    "base": {"name": "scratch:tiny", "license": "other"},
}


def card(seed: int, **other: object) -> dict:
    made = copy.deepcopy(CARD)
    made["training"] |= {"seed": seed, "kept_step": 10 * seed, **other}
    return made


def test_models_that_differ_in_the_seed_alone_are_one() -> None:
    others = card(1)
    others["data"]["splits"]["train"] = ["local:3"]
    based = card(1)
    based["base"]["name"] = "scratch:base"
    cards = {
        "a": card(0),
        "b": card(1),
        "copy of b": card(1),
        "longer": card(2, steps=200),
        "other data": others,
        "other base": based,
        "c": card(7),
        "foreign": {},
        "foreign too": {},
        "longer too": card(3, steps=200),
    }
    assert same_model(list(cards), list(cards.values())) == [
        ("a", "b", "c"),
        ("longer", "longer too"),
    ]


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8))
def test_the_spread_is_that_of_textbooks(values: list[float]) -> None:
    found = spread(values)
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert found.deviation == pytest.approx(statistics.stdev(values), abs=1e-6)
    assert (found.lowest, found.highest) == (min(values), max(values))


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three seeds of one model, and a model that was trained for longer."""
    workspace = Workspace(tmp_path_factory.mktemp("ready"), offline=True)
    write_fetched(workspace, proposals=24, side=72)
    build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=1), workspace)
    for seed in range(3):
        made = card(seed)
        write_model(workspace.model(f"s{seed}"), f"s{seed}", seed, View(size=64), made)
    write_model(workspace.model("long"), "long", 5, View(size=64), card(5, steps=900))
    return workspace


def test_every_figure_has_its_mean_and_spread(ready: Workspace) -> None:
    config = EvaluateConfig(
        model="s0", others=("long", "s1", "s2"), labels="category", direction="both"
    )
    done = evaluate.run(config, ready)
    assert [(one.names, one.task, one.subset) for one in done.seeds] == [
        (("s0", "s1", "s2"), task, "all")
        for task in ("image-to-text", "text-to-image", "by class (category)")
    ]
    rows = [row for row in done.rows if row.name != "long" and row.direction == "text-to-image"]
    figures = done.seeds[1].figures
    for name, values in {
        "retrieval_accuracy_10": [row.accuracy.by_image[10] for row in rows],
        "recall_5": [row.ranks.recall[5] for row in rows],
        "mrr": [row.ranks.mrr for row in rows],
        "loss": [row.loss for row in rows],
        "similarity_true": [(row.similarity or (0,))[0] for row in rows],
    }.items():
        assert figures[name] == spread([value or 0 for value in values])
    assert done.classes is not None
    shots = [row.zero_shot.value for row in done.classes.rows if row.name != "long"]
    assert done.seeds[2].figures["zero_shot_accuracy"] == spread(shots)
    assert evaluate.run(EvaluateConfig(model="s0", others=("long",)), ready).seeds == ()
    assert evaluate.run(EvaluateConfig(model="s0", baseline="s1"), ready).seeds == ()


def test_every_form(ready: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--cache-dir", str(ready.root), "evaluate", "--model", "s0,s1,s2"]
    assert app.run([*command, "--json"]) == 0
    seeds = json.loads(capsys.readouterr().out)["seeds"]
    assert seeds[0]["model"] == "s0+s1+s2" and seeds[0]["role"] == "seeds"
    figure = seeds[0]["figures"]["ndcg"]
    assert figure["lowest"] <= figure["mean"] <= figure["highest"] and figure["deviation"] > 0
    assert app.run([*command, "--format", "jsonl"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line for line in printed if line["role"] == "seeds"] == seeds
    assert app.run([*command, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    found = {row["figure"]: row["mean"] for row in rows if row["role"] == "seeds"}
    assert float(found["ndcg"]) == figure["mean"]
    assert app.run(command) == 0
    table = capsys.readouterr().out
    assert "3 seeds of one model: mean and standard deviation" in table
    for words in ("accuracy at 10 %", "recall at 5", "median rank", "MRR", "nDCG"):
        assert words in table
    assert max(map(len, table.splitlines())) <= 80


def test_a_benchmark_has_the_spread_too(
    ready: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_benchmark(tmp_path / "hisp")
    command = ["--cache-dir", str(ready.root), "evaluate", "--model", "s0,long,s1"]
    command += ["--benchmark", "hisp", str(folder)]
    assert app.run([*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    [group] = printed["seeds"]
    assert group["models"] == ["s0", "s1"] and group["n_seeds"] == 2
    values = [row["rank_correlation"] for row in printed["rows"] if row["model"] != "long"]
    mean = group["figures"]["rank_correlation"]["mean"]
    assert mean == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert app.run(command) == 0
    assert "mean of 2 seeds" in capsys.readouterr().out
