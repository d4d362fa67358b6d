"""The modes of training: each learns from a small archive, and its control does not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from paperclip_cli.config import BuildDatasetConfig, EvaluateConfig, TrainConfig, training_recipe
from paperclip_cli.dataset.captions import head_of, pieces_of
from paperclip_cli.dataset.texts import read_texts
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.stages import build_dataset, evaluate, train
from paperclip_cli.towers import scratch
from paperclip_cli.towers.folder import resolve
from paperclip_cli.training import setup, sharding
from paperclip_cli.training.metrics import read_metrics
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_trainings import SMALL

BASE = TrainConfig(
    init="scratch:tiny",
    dataset="all",
    steps=100,
    batch_size=12,
    eval_every=50,
    learning_rate=0.003,
    warmup_steps=5,
    schedule="constant",
    ema_decay=0.0,
    crop=0.8,
    keep="last",
)
CHANCE = 4 / 24  # accuracy at 20 % of 24 captions


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """24 proposals to train on, and to search again as the dataset `seen`.

    This measures what was learned, not how it generalizes.
    """
    workspace = Workspace(tmp_path_factory.mktemp("archive"), offline=True)
    write_fetched(workspace, proposals=24, side=48)
    build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=0, name="all"), workspace)
    build_dataset.run(BuildDatasetConfig(val_fraction=1, test_fraction=0, name="seen"), workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scratch.SHAPES, "scratch:tiny", SMALL)
        train.run(dataclasses.replace(BASE, name="full"), workspace)
        yield workspace


def trained(archive: Workspace, name: str, **changes: object) -> list[dict]:
    """Trains a model and returns its log."""
    train.run(dataclasses.replace(BASE, name=name, **changes), archive)
    return read_metrics(archive.model(name) / "metrics.jsonl")


def accuracy(archive: Workspace, name: str) -> float:
    """Retrieval accuracy at 20 %, by image, on the training data."""
    return (
        evaluate.run(EvaluateConfig(model=name, dataset="seen"), archive).result.accuracy.by_image[
            20
        ]
        or 0.0
    )


def weights_of(
    archive: Workspace, name: str, file: str = "model.safetensors"
) -> dict[str, np.ndarray]:
    return load_file(archive.model(name) / file)


def test_full_training_learns_and_its_control_does_not(archive: Workspace) -> None:
    trained(archive, "control", shuffle_pairs=True)
    assert accuracy(archive, "full") > 2 * CHANCE
    assert accuracy(archive, "control") < 1.5 * CHANCE
    assert "This is a control" in (archive.model("control") / "README.md").read_text()


def test_the_sigmoid_loss_learns_and_keeps_its_bias(archive: Workspace) -> None:
    log = trained(archive, "sigmoid", loss="sigmoid", multi_positive=True, learning_rate=0.006)
    assert accuracy(archive, "sigmoid") > 1.5 * CHANCE
    bias = weights_of(archive, "sigmoid", "heads.safetensors")
    assert (
        set(bias) == {"logit_bias"}
        and float(bias["logit_bias"]) == pytest.approx(log[-1]["logit_bias"], abs=0.01) != -10
    )
    assert resolve("sigmoid", archive).card["extras"] == {"head_size": None, "logit_bias": True}


def test_unique_batches_learn(archive: Workspace) -> None:
    trained(archive, "unique", unique_proposals=True)
    assert accuracy(archive, "unique") > 2 * CHANCE


def test_a_head_learns_and_nothing_else_changes(archive: Workspace) -> None:
    """The towers are those of a control, so that only the head can have learned anything."""
    trained(archive, "base", shuffle_pairs=True, steps=20)
    head = {"init": "base", "train": "head", "head_views": 3}
    trained(archive, "head", **head)
    before, after = weights_of(archive, "base"), weights_of(archive, "head")
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {
        "logit_scale"
    }
    heads = weights_of(archive, "head", "heads.safetensors")
    assert heads["image_head.fc1.weight"].shape == (1024, 32) and heads[
        "text_head.fc2.weight"
    ].shape == (24, 1024)
    assert accuracy(archive, "head") > max(accuracy(archive, "base"), 1.5 * CHANCE)
    assert "heads.safetensors" in (archive.model("head") / "README.md").read_text()
    (features,) = archive.decoded().glob("*/features-*")
    stamps = {path: path.stat().st_mtime_ns for path in features.iterdir()}
    assert len(stamps) == 6
    trained(archive, "again", **head | {"steps": 2})
    assert {path: path.stat().st_mtime_ns for path in features.iterdir()} == stamps, "computed once"


def test_how_it_is_computed_does_not_change_what_is_trained(
    archive: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accumulation, recomputed layers and other caches give the losses of the plain training."""
    plain = [line["loss"] for line in read_metrics(archive.model("full") / "metrics.jsonl")][:12]
    parts = trained(archive, "parts", accumulate=3, remat=True, cache_images="none", steps=12)
    assert [line["loss"] for line in parts] == pytest.approx(plain, rel=1e-3)
    monkeypatch.setattr(sharding, "_COPIED_AT_A_TIME", 10_000)  # a few images: several parts
    kept = trained(archive, "kept", cache_images="device", steps=12)
    assert [line["loss"] for line in kept] == plain
    alone = trained(archive, "alone", cache_images="none", steps=12)
    assert [line["loss"] for line in alone] == plain


def test_the_papers_recipe(archive: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scale is the parameter itself, and captions are runs of at most 77 words."""
    given: list = []
    real = setup.Texts
    monkeypatch.setattr(
        setup,
        "Texts",
        lambda **texts: (given.append((texts["captions"], texts["room"])), real(**texts))[1],
    )
    whole = read_texts(archive.dataset("all"), "train").captions
    log = trained(archive, "paper", recipe="paper", steps=2, batch_size=None)
    ((captions, room),) = given
    assert room == 77 and len(captions) == len(whole) == 24
    for number, caption in enumerate(whole):
        pieces = pieces_of(caption)
        words = [len(piece.split()) for piece in pieces[head_of(pieces) :]]
        assert captions.sizes(number) == words
    scale = float(weights_of(archive, "paper")["logit_scale"])
    assert log[0]["logit_scale"] == pytest.approx(2.6592, abs=1e-3) and scale == pytest.approx(
        log[-1]["logit_scale"], abs=0.01
    )
    card = json.loads((archive.model("paper") / "paperclip.json").read_text())
    assert card["training"]["logit_scale"] == "reference" and card["training"]["batch_size"] == 32
    assert training_recipe(TrainConfig(recipe="paper")).keep == "best"


def test_a_head_needs_a_start_that_knows_something() -> None:
    with pytest.raises(UsageError, match="--train head"):
        TrainConfig(init="scratch:tiny", train="head")


def test_parts_divide_the_batch(archive: Workspace) -> None:
    with pytest.raises(UsageError, match="--accumulate 5 does not divide --batch-size 12"):
        dataclasses.replace(BASE, accumulate=5)
    with pytest.raises(UsageError, match="does not divide a batch of 24"):
        train.run(dataclasses.replace(BASE, name="new", batch_size=100, accumulate=10), archive)


def test_the_best_is_chosen_as_asked(archive: Workspace, tmp_path: Path) -> None:
    """By accuracy, the last of the highest is kept. Too few captions for one are an error."""
    build_dataset.run(BuildDatasetConfig(val_fraction=0.5, test_fraction=0, name="half"), archive)
    best = {"dataset": "half", "keep": "best", "steps": 40, "eval_every": 5, "learning_rate": 0.01}
    log = [
        line
        for line in trained(archive, "accurate", best_by="accuracy", **best)
        if "validation_loss" in line
    ]
    kept = resolve("accurate", archive).card["training"]["kept_step"]
    scores = {line["step"]: line["validation_accuracy_10"] for line in log}
    assert scores[kept] == max(scores.values()) and kept == max(
        step for step, score in scores.items() if score == scores[kept]
    )
    rows = (archive.model("accurate") / "metrics.csv").read_text().splitlines()
    assert rows[0].startswith("step,loss,") and len(rows) == 1 + 40 + 8
    build_dataset.run(BuildDatasetConfig(val_fraction=0.15, test_fraction=0, name="few"), archive)
    with pytest.raises(
        PaperclipError, match="validation captions are too few for top-10 % accuracy"
    ):
        trained(archive, "new", best_by="accuracy", **best | {"dataset": "few"})
