"""`evaluate --labels`: retrieval by class, by a column of the dataset or of a table."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.cli import app
from paperclip_cli.config import BuildDatasetConfig, EvaluateConfig
from paperclip_cli.dataset.pairs import Pair, read_split, write_split
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.evaluation.class_table import ByClass
from paperclip_cli.evaluation.embed_split import embed_pairs
from paperclip_cli.images.view import View
from paperclip_cli.progress import SilentProgress
from paperclip_cli.stages import build_dataset, evaluate
from paperclip_cli.towers.folder import resolve
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.towers.prompts import embed_phrases
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model
from tests.factories import KINDS, write_fetched


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two models and 40 proposals; every third image of the test split is unseen."""
    workspace = Workspace(tmp_path_factory.mktemp("ready"), offline=True)
    write_fetched(workspace, proposals=40, side=72)
    build_dataset.run(BuildDatasetConfig(val_fraction=0.2, test_fraction=0.6), workspace)
    tests = [
        replace(pair, seen_sky=place % 3 != 0, seen_text=place % 3 != 0)
        for place, pair in enumerate(read_split(workspace.dataset("default"), "test"))
    ]
    write_split(workspace.dataset("default"), "test", tests)
    (workspace.dataset("default") / "manifest.json").unlink()
    for seed, name in enumerate(("one", "two")):
        write_model(workspace.model(name), name, seed=seed, view=View(size=64))
    return workspace


def pairs_of(workspace: Workspace) -> list[Pair]:
    return read_split(workspace.dataset("default"), "test", images=False)


def kind_of(pair: Pair) -> str:
    return KINDS[pair.key.proposal_id % len(KINDS)][0]


def write_table(folder: Path, pairs: list[Pair], known: int) -> Path:
    """The kinds of the first `known` pairs, by file name and proposal."""
    lines = [
        f"{Path(pair.path).name.replace('.jpg', '.png')},{pair.key.proposal_id},{kind_of(pair)}_sky"
        for pair in pairs[:known]
    ]
    path = folder / "kinds.csv"
    path.write_text("\n".join(["image,proposal_id,kind", *lines]) + "\n", encoding="utf-8")
    return path


def found(workspace: Workspace, **options: object) -> ByClass:
    done = evaluate.run(EvaluateConfig(model="one", **options), workspace).classes  # type: ignore[arg-type]
    assert done is not None
    return done


def test_a_table_names_the_classes_of_images(ready: Workspace, tmp_path: Path) -> None:
    """Compared with plain loops over the embeddings of the model."""
    pairs = pairs_of(ready)
    known = len(pairs) - 5
    done = found(ready, labels="kind", labels_from=write_table(tmp_path, pairs, known))
    assert done.column == "kind" and done.unlabelled == 5 and sum(done.sizes.values()) == known
    assert list(done.sizes.values()) == sorted(done.sizes.values(), reverse=True)
    assert set(done.sizes) == {f"{kind}_sky" for kind, *_ in KINDS}

    model = resolve("one", ready)
    images = embed_pairs(
        model, ready.dataset("default"), ("test",), pairs, 32, SilentProgress()
    ).images.astype(float)[:known]
    names = sorted({kind_of(pair) for pair in pairs})
    texts = TextTower.open(model).embed([f"{name} sky" for name in names])
    zero_shot, precision, average = [], [], []
    for place, pair in enumerate(pairs[:known]):
        guess = names[int(np.argmax(texts @ images[place]))]
        zero_shot.append(guess == kind_of(pair))
        others = [other for other in range(known) if pairs[other].key != pair.key]
        others.sort(key=lambda other: -float(images[place] @ images[other]))
        right = [kind_of(pairs[other]) == kind_of(pair) for other in others]
        precision.append(np.mean(right[:10]))
        places = np.flatnonzero(right)
        average.append(np.mean([(number + 1) / (at + 1) for number, at in enumerate(places)]))
    row = done.rows[0]
    assert row.precision and row.average and row.alone == 0 and row.n_images == known
    assert row.zero_shot.value == pytest.approx(np.mean(zero_shot))
    assert row.precision.value == pytest.approx(np.mean(precision))
    assert row.average.value == pytest.approx(np.mean(average))
    assert row.zero_shot.chance == 1 / 4
    assert row.majority == max(done.sizes.values()) / known
    for one in (row.precision, row.average, row.zero_shot):
        assert one.interval[0] <= one.value <= one.interval[1]


def test_a_column_of_the_dataset_needs_no_table(ready: Workspace) -> None:
    done = found(ready, labels="category")
    pairs = pairs_of(ready)
    sizes = {name: sum(pair.category == name for pair in pairs) for name in done.sizes}
    assert done.sizes == sizes and set(sizes) == {"Solar System", "Stellar Physics"}
    assert done.unlabelled == sum(pair.category == "" for pair in pairs) > 0
    assert [row.subset for row in done.rows] == ["all", "unseen"]
    unseen = sum(pair.category != "" and pair.seen_sky is False for pair in pairs)
    assert done.rows[1].n_images == unseen > 0


def test_second_images_of_a_proposal_count_for_the_paper_only(ready: Workspace) -> None:
    unique, full = (
        found(ready, labels="target", protocol=protocol) for protocol in ("unique", "paper-full")
    )
    assert unique.rows[0].alone > full.rows[0].alone, "a target is mostly that of one proposal"
    assert full.rows[0].precision is not None


def test_templates_are_for_the_names_of_classes_alone(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def opposite(phrases: list[str], templates: tuple[str, ...], *rest: object) -> np.ndarray:
        asked.append((phrases, templates))
        return -embed_phrases(phrases, templates, *rest)  # type: ignore[arg-type]

    plain = found(ready, labels="category").rows[0]
    monkeypatch.setattr(evaluate, "embed_phrases", opposite)
    said = found(ready, labels="category", templates=("stars: {}", "{} and no other")).rows[0]
    assert [(sorted(phrases), templates) for phrases, templates in asked] == [
        (["Solar System", "Stellar Physics"], ("stars: {}", "{} and no other"))
    ]
    assert plain.average == said.average and plain.precision == said.precision


def test_every_form_has_the_classes(
    ready: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_table(tmp_path, pairs_of(ready), 20)
    command = ["--cache-dir", str(ready.root), "evaluate", "--model", "one", "--baseline", "two"]
    command += ["--labels", "kind", "--labels-from", str(table)]
    assert app.run([*command, "--json"]) == 0
    labels = json.loads(capsys.readouterr().out)["labels"]
    assert labels["column"] == "kind" and sum(labels["classes"].values()) == 20
    assert labels["n_unlabelled"] == len(pairs_of(ready)) - 20
    roles = [(row["model"], row["role"], row["subset"]) for row in labels["rows"]]
    assert roles == [
        ("one", "model", "all"),
        ("one", "model", "unseen"),
        ("two", "baseline", "all"),
        ("two", "baseline", "unseen"),
    ]
    for row in labels["rows"]:
        for name in ("precision_at_10", "mean_average_precision", "zero_shot_accuracy"):
            low, high = row[f"{name}_interval"]
            assert low <= row[name] <= high
            assert 0 < row[f"{name}_chance"] < 1 and 0 <= row[f"{name}_by_class"] <= 1

    assert app.run([*command, "--format", "jsonl"]) == 0
    lines = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert [line for line in lines if "labels" in line] == labels["rows"]

    assert app.run([*command, "--format", "csv"]) == 0
    rows = [row for row in csv.DictReader(io.StringIO(capsys.readouterr().out)) if row["labels"]]
    assert (
        float(rows[0]["zero_shot_accuracy_high"])
        == labels["rows"][0]["zero_shot_accuracy_interval"][1]
    )

    assert app.run(command) == 0
    printed = capsys.readouterr()
    assert "by class (kind), 20 images in 4 classes" in printed.out
    assert "most frequent class" in printed.out and "without a class" in printed.err
    assert max(map(len, printed.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "options",
    [
        {"labels_from": Path("x.csv")},
        {"templates": ("a {}",)},
        {"labels": "category", "templates": ("no place",)},
        {"labels": "category", "protocol": "paper-batch"},
    ],
)
def test_what_does_not_go_together_is_refused(options: dict) -> None:
    with pytest.raises(UsageError):
        EvaluateConfig(**options)


def test_what_has_no_classes_is_refused(ready: Workspace, tmp_path: Path) -> None:
    with pytest.raises(PaperclipError, match="no column 'class10'"):
        evaluate.run(EvaluateConfig(model="one", labels="class10"), ready)
    with pytest.raises(PaperclipError, match="only the class 'local'"):
        evaluate.run(EvaluateConfig(model="one", labels="mission"), ready)
    with pytest.raises(PaperclipError, match="no class by 'cycle'"):
        write_split(
            tmp_path / "bare",
            "test",
            [
                replace(p, observation=replace(p.observation, cycle=None))
                for p in read_split(ready.dataset("default"), "test")
            ],
        )
        evaluate.run(
            EvaluateConfig(model="one", labels="cycle", dataset=str(tmp_path / "bare")), ready
        )
