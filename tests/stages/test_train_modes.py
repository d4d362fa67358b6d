"""What can be trained, and how: every mode learns on a small simulated sky, and its control does not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from paperclip_cli.config import BuildDatasetConfig, EvaluateConfig, FetchConfig, TrainConfig, training_recipe
from paperclip_cli.data.metrics import read_metrics
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.model import preparation, scratch
from paperclip_cli.model.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.model.folder import resolve
from paperclip_cli.stages import build_dataset, evaluate, fetch, train
from paperclip_cli.workspace import Workspace

SMALL = ClipConfig(TextConfig(vocab_size=1_000, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
                              max_position_embeddings=40),
                   VisionConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=32,
                                patch_size=8),
                   projection_dim=24)
BASE = TrainConfig(init="scratch:tiny", dataset="sky", steps=60, batch_size=12, eval_every=30, learning_rate=0.003, warmup_steps=5,
                   schedule="constant", ema_decay=0.0, crop=0.8, keep="last")
CHANCE = 0.2  # accuracy at 20 %


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A sky of 24 proposals that is trained on and, as a dataset `seen`, searched: what has been learned, not what it is good for."""
    workspace = Workspace(tmp_path_factory.mktemp("sky"), offline=True)
    fetch.run(FetchConfig(simulate=24, size=96), workspace)
    build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=0, name="sky"), workspace)
    build_dataset.run(BuildDatasetConfig(val_fraction=1, test_fraction=0, name="seen"), workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scratch.SHAPES, "scratch:tiny", SMALL)
        train.run(dataclasses.replace(BASE, name="full"), workspace)
        yield workspace


def trained(sky: Workspace, name: str, **changes: object) -> list[dict]:
    """Trains a model; gives its log."""
    train.run(dataclasses.replace(BASE, name=name, **changes), sky)
    return read_metrics(sky.model(name) / "metrics.jsonl")


def accuracy(sky: Workspace, name: str) -> float:
    """At 20 %, by image, on what was trained on."""
    return evaluate.run(EvaluateConfig(model=name, dataset="seen"), sky).result.accuracy.by_image[20] or 0.0


def weights_of(sky: Workspace, name: str, file: str = "model.safetensors") -> dict[str, np.ndarray]:
    return load_file(sky.model(name) / file)


def test_full_training_learns_and_its_control_does_not(sky: Workspace) -> None:
    trained(sky, "control", shuffle_pairs=True)
    assert accuracy(sky, "full") > 0.5
    assert accuracy(sky, "control") < CHANCE + 0.1
    assert "This is a control" in (sky.model("control") / "README.md").read_text()


def test_the_sigmoid_loss_learns_and_keeps_its_bias(sky: Workspace) -> None:
    log = trained(sky, "sigmoid", loss="sigmoid", multi_positive=True)
    assert accuracy(sky, "sigmoid") > 0.4
    bias = weights_of(sky, "sigmoid", "heads.safetensors")
    assert set(bias) == {"logit_bias"} and float(bias["logit_bias"]) == pytest.approx(log[-1]["logit_bias"], abs=0.01) != -10
    assert resolve("sigmoid", sky).card["extras"] == {"head_size": None, "logit_bias": True}


def test_multi_positive_and_unique_batches_learn(sky: Workspace) -> None:
    """Both at once are the plain loss on unique batches: no proposal has a second pair."""
    both, unique = (trained(sky, name, unique_proposals=True, multi_positive=multi) for name, multi in (("both", True), ("unique", False)))
    assert [line["loss"] for line in both] == pytest.approx([line["loss"] for line in unique], rel=1e-3)
    assert accuracy(sky, "unique") > 0.4


def test_a_head_learns_and_nothing_else_changes(sky: Workspace) -> None:
    """On towers that were trained to be a control, so that what is learned is the head's."""
    trained(sky, "base", shuffle_pairs=True, steps=20)
    head = {"init": "base", "train": "head", "head_views": 3, "steps": 120}
    trained(sky, "head", **head)
    before, after = weights_of(sky, "base"), weights_of(sky, "head")
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {"logit_scale"}
    heads = weights_of(sky, "head", "heads.safetensors")
    assert heads["image_head.fc1.weight"].shape == (1024, 32) and heads["text_head.fc2.weight"].shape == (24, 1024)
    assert accuracy(sky, "head") > accuracy(sky, "base") + 0.15
    assert "heads.safetensors" in (sky.model("head") / "README.md").read_text()
    (features,) = (sky.dataset("sky") / ".store").glob("features-*")
    stamps = {path: path.stat().st_mtime_ns for path in features.iterdir()}
    assert len(stamps) == 6
    trained(sky, "again", **head)
    assert {path: path.stat().st_mtime_ns for path in features.iterdir()} == stamps, "computed once"
    assert (sky.model("again") / "heads.safetensors").read_bytes() == (sky.model("head") / "heads.safetensors").read_bytes()


def test_how_it_is_computed_does_not_change_what_is_trained(sky: Workspace) -> None:
    """Parts, layers computed twice, and images from memory that is not the store's, against the plain training's losses."""
    plain = [line["loss"] for line in read_metrics(sky.model("full") / "metrics.jsonl")][:12]
    parts = trained(sky, "parts", accumulate=3, remat=True, cache="none", steps=12)
    assert [line["loss"] for line in parts] == pytest.approx(plain, rel=1e-3)
    kept = trained(sky, "kept", cache="device", steps=12)
    assert [line["loss"] for line in kept] == plain


def test_the_papers_recipe(sky: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scale is the parameter itself, and captions are runs of at most 77 words."""
    given: list = []
    real = preparation.Texts
    monkeypatch.setattr(preparation, "Texts", lambda captions, tokenize, room, *rest: (given.append((captions, room)),
                                                                                      real(captions, tokenize, room, *rest))[1])
    log = trained(sky, "paper", recipe="paper", steps=2, batch_size=None)
    ((captions, room),) = given
    assert room == 77 and all(tokens == len(piece.split()) for caption in captions for piece, tokens in zip(
        caption.pieces, caption.tokens, strict=True))
    scale = float(weights_of(sky, "paper")["logit_scale"])
    assert log[0]["logit_scale"] == pytest.approx(2.6592, abs=1e-3) and scale == pytest.approx(log[-1]["logit_scale"], abs=0.01)
    card = json.loads((sky.model("paper") / "paperclip.json").read_text())
    assert card["training"]["logit_scale"] == "reference" and card["training"]["batch_size"] == 32
    assert training_recipe(TrainConfig(recipe="paper")).keep == "best"


def test_a_head_needs_a_start_that_knows_something() -> None:
    with pytest.raises(UsageError, match="--train head"):
        TrainConfig(init="scratch:tiny", train="head")


def test_parts_divide_the_batch(sky: Workspace) -> None:
    with pytest.raises(UsageError, match="--accumulate 5 does not divide --batch-size 12"):
        dataclasses.replace(BASE, accumulate=5)
    with pytest.raises(UsageError, match="does not divide a batch of 24"):
        train.run(dataclasses.replace(BASE, name="new", batch_size=100, accumulate=10), sky)


def test_the_best_is_chosen_as_asked(sky: Workspace, tmp_path: Path) -> None:
    """By accuracy the highest, of equal ones the last; where captions are too few to have one, that is told."""
    build_dataset.run(BuildDatasetConfig(val_fraction=0.5, test_fraction=0, name="half"), sky)
    best = {"dataset": "half", "keep": "best", "steps": 40, "eval_every": 5, "learning_rate": 0.01}
    log = [line for line in trained(sky, "accurate", best_by="accuracy", **best) if "validation_loss" in line]
    kept = resolve("accurate", sky).card["training"]["kept_step"]
    scores = {line["step"]: line["validation_accuracy_10"] for line in log}
    assert scores[kept] == max(scores.values()) and kept == max(step for step, score in scores.items() if score == scores[kept])
    rows = (sky.model("accurate") / "metrics.csv").read_text().splitlines()
    assert rows[0].startswith("step,loss,") and len(rows) == 1 + 40 + 8
    build_dataset.run(BuildDatasetConfig(val_fraction=0.15, test_fraction=0, name="few"), sky)
    with pytest.raises(PaperclipError, match="captions, of which 10 % are less than one"):
        trained(sky, "new", best_by="accuracy", **best | {"dataset": "few"})
