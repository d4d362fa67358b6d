"""`train` on a tiny archive: its files, second runs, resumed trainings and errors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from paperclip_cli.config import BuildDatasetConfig, EvaluateConfig, TrainConfig, training_recipe
from paperclip_cli.dataset.pairs import available_splits, read_split, split_files
from paperclip_cli.errors import MissingStage, PaperclipError, UsageError
from paperclip_cli.progress import SilentProgress
from paperclip_cli.records import Key
from paperclip_cli.stages import build_dataset, evaluate, train
from paperclip_cli.towers.folder import resolve
from paperclip_cli.training.metrics import read_metrics
from paperclip_cli.workspace import Workspace, read_manifest
from tests.factories import write_fetched

# A constant rate does not depend on the number of steps, so most tests share one compiled step.
QUICK = TrainConfig(
    init="scratch:tiny",
    steps=4,
    batch_size=8,
    eval_every=2,
    learning_rate=0.02,
    warmup_steps=0,
    schedule="constant",
    keep="best",
    ema_decay=0.5,
)


class Notes(SilentProgress):
    """Keeps the notes that a user would see."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def make_dataset(workspace: Workspace, **config: Any) -> Path:
    build_dataset.run(BuildDatasetConfig(**config), workspace)
    return workspace.dataset(str(config.get("name", "default")))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A cache with 24 proposals, two datasets and a trained model.

    The dataset `default` has a validation split; `plain`, of 8 proposals, has none.
    """
    workspace = Workspace(tmp_path_factory.mktemp("trained"), offline=True)
    write_fetched(workspace, proposals=24, side=96)
    write_fetched(workspace, "few", proposals=8, side=96)
    make_dataset(workspace, missions=("local",), val_fraction=0.3, test_fraction=0.2)
    make_dataset(workspace, missions=("few",), val_fraction=0, test_fraction=0, name="plain")
    train.run(QUICK, workspace)
    return workspace


def tensors(workspace: Workspace, name: str = "default") -> dict[str, np.ndarray]:
    return load_file(workspace.model(name) / "model.safetensors")


def same_tensors(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name]) for name in one
    )


def test_what_a_training_leaves(trained: Workspace) -> None:
    import torch
    from transformers import CLIPModel

    folder = trained.model("default")
    model, loading = CLIPModel.from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values()) and torch.isfinite(model.logit_scale)
    card = json.loads((folder / "paperclip.json").read_text())
    assert card["view"] == {
        "kind": "centre",
        "crop": training_recipe(QUICK).crop,
        "size": 64,
        "pad": 255,
        "fill": "sky",
        "resample": "bicubic",
    }
    assert card["training"]["init"] == "scratch:tiny" and card["training"]["steps"] == 4
    splits = {
        split: {Key.parse(key) for key in keys} for split, keys in card["data"]["splits"].items()
    }
    assert (
        set(splits) == {"train", "validation", "test"}
        and len(set.union(*splits.values())) == sum(map(len, splits.values())) == 24
    )
    readme = (folder / "README.md").read_text()
    assert (
        readme.startswith("---\nlicense: other\n")
        and "validation_loss" in readme
        and '"learning_rate": 0.02' in readme
    )
    log = read_metrics(folder / "metrics.jsonl")
    assert [line["step"] for line in log if "loss" in line] == [1, 2, 3, 4]
    assert [line["step"] for line in log if "validation_loss" in line] == [2, 4]
    assert all(
        line["images_per_second"] > 0 and line["logit_scale"] > 1 for line in log if "loss" in line
    )


def test_the_model_is_the_best_by_validation_loss_as_evaluate_measures_it(
    trained: Workspace,
) -> None:
    losses = {
        line["step"]: line["validation_loss"]
        for line in read_metrics(trained.model("default") / "metrics.jsonl")
        if "validation_loss" in line
    }
    manifest = read_manifest(trained.model("default"))
    assert manifest is not None and manifest.extra["kept_step"] == min(
        losses, key=losses.__getitem__
    )
    measured = evaluate.run(EvaluateConfig(split="validation"), trained).result
    assert measured.loss == pytest.approx(min(losses.values()), abs=1e-4)
    assert measured.trained_on == 0


def test_a_finished_training_is_recognised(trained: Workspace) -> None:
    stamp = (trained.model("default") / "model.safetensors").stat().st_mtime_ns
    report = train.run(QUICK, trained)
    assert (
        report.unchanged
        and (trained.model("default") / "model.safetensors").stat().st_mtime_ns == stamp
    )


def test_other_settings_do_not_replace_a_model_unasked(trained: Workspace) -> None:
    before = tensors(trained)
    with pytest.raises(PaperclipError, match=r"learning_rate \(0.02, now 0.5\)") as caught:
        train.run(dataclasses.replace(QUICK, learning_rate=0.5), trained)
    assert "--force" in str(caught.value.hint) and same_tensors(before, tensors(trained))
    assert train.run(QUICK, trained).unchanged, "the refused plan left no trace"


def test_force_trains_again_and_finds_the_same(trained: Workspace) -> None:
    before = tensors(trained)
    assert not train.run(dataclasses.replace(QUICK, force=True), trained).unchanged
    assert same_tensors(before, tensors(trained))


def test_more_steps_by_resume_are_those_of_a_longer_training(trained: Workspace) -> None:
    config = dataclasses.replace(QUICK, name="longer", keep="last", steps=3)
    train.run(config, trained)
    notes = Notes()
    train.run(dataclasses.replace(config, steps=5, resume=True), trained, notes)
    assert "continuing from step 3 of 5" in notes.notes
    train.run(dataclasses.replace(config, name="straight", steps=5), trained)
    assert same_tensors(tensors(trained, "longer"), tensors(trained, "straight"))


def test_resume_takes_everything_else_from_the_training_it_resumes(trained: Workspace) -> None:
    """The warm-up too, which would be derived from the number of steps."""
    begun = TrainConfig(
        init="scratch:tiny",
        dataset="plain",
        name="begun",
        recipe="paper",
        steps=20,
        batch_size=4,
        learning_rate=0.01,
        seed=7,
        accumulate=2,
        multi_positive=True,
    )
    train.run(begun, trained)
    plan = json.loads((trained.training("begun") / "plan.json").read_text())
    assert plan["config"]["warmup_steps"] == 2 and plan["config"]["decays_all"] is True
    train.run(TrainConfig(name="begun", steps=24, resume=True), trained)
    straight = dataclasses.replace(begun, name="at-once", steps=24, warmup_steps=2)
    train.run(straight, trained)
    assert same_tensors(tensors(trained, "begun"), tensors(trained, "at-once"))
    after = json.loads((trained.training("begun") / "plan.json").read_text())
    assert after["config"] == plan["config"] | {"steps": 24} and after["asked"] == plan["asked"]
    assert train.run(TrainConfig(name="begun", resume=True), trained).unchanged
    with pytest.raises(PaperclipError, match="seed"):
        train.run(TrainConfig(name="begun", resume=True, seed=8), trained)


def test_without_validation_the_last_step_is_kept_and_said(trained: Workspace) -> None:
    notes = Notes()
    report = train.run(
        dataclasses.replace(QUICK, name="plain", dataset="plain", steps=2, batch_size=500),
        trained,
        notes,
    )
    assert report.notes == ("the model is from step 2, the last one; there was no validation",)
    reduced = "batch size reduced to 8, the number of proposals"
    assert any(note.startswith("training on 1 x cpu") and reduced in note for note in notes.notes)
    assert "no validation split" in (trained.model("plain") / "README.md").read_text()


def test_fine_tuning_keeps_the_view_of_a_model_of_ours(trained: Workspace) -> None:
    """No weight changes by more than one step of Adam, whose length is the learning rate.

    The moving average halves it.
    """
    base = resolve("default", trained)
    adam = {"optimiser": "adamw", "weight_decay": 0.0}
    config = dataclasses.replace(QUICK, init="default", name="tuned", steps=1, **adam)
    train.run(config, trained)
    tuned = resolve("tuned", trained)
    assert tuned.view == base.view and tuned.config == base.config
    assert tuned.card["base"] == {"name": "default", "license": "other"}
    for name, array in tensors(trained, "tuned").items():
        np.testing.assert_allclose(array, tensors(trained)[name], atol=0.0101, rtol=0.001)


def test_a_loss_that_is_not_finite_stops_with_the_step(trained: Workspace) -> None:
    config = dataclasses.replace(QUICK, name="wild", learning_rate=1e30)
    with pytest.raises(PaperclipError, match=r"step 2: the loss is nan") as caught:
        train.run(config, trained)
    assert "--learning-rate" in str(caught.value.hint)
    assert "wild" not in trained.names("models")


def test_a_second_training_reads_no_jpeg_and_leaves_the_dataset_alone(workspace: Workspace) -> None:
    """The JPEGs are gone, though size, time and manifest of their file are the same."""
    write_fetched(workspace, proposals=12)
    dataset = make_dataset(workspace, val_fraction=0.3, test_fraction=0)
    before = {path.relative_to(dataset) for path in dataset.rglob("*")}
    train.run(QUICK, workspace)
    for split in available_splits(dataset):
        (file,) = split_files(dataset, split)
        data = file.read_bytes()
        for pair in read_split(dataset, split):
            data = data.replace(pair.image, bytes(len(pair.image)))
        file.write_bytes(data)
    train.run(dataclasses.replace(QUICK, name="again"), workspace)
    assert same_tensors(tensors(workspace), tensors(workspace, "again"))
    assert {path.relative_to(dataset) for path in dataset.rglob("*")} == before
    with pytest.raises(PaperclipError, match="not a JPEG"):
        train.run(dataclasses.replace(QUICK, name="new", crop=0.5), workspace)


def test_a_dataset_that_is_rebuilt_leaves_no_old_images_behind(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=12)
    make_dataset(workspace, val_fraction=0, test_fraction=0)
    train.run(dataclasses.replace(QUICK, steps=1), workspace)
    (old,) = workspace.decoded().iterdir()
    make_dataset(workspace, val_fraction=0.3, test_fraction=0, force=True)
    train.run(dataclasses.replace(QUICK, steps=1, name="again"), workspace)
    (new,) = workspace.decoded().iterdir()
    assert new != old
    assert {path.name for path in new.iterdir()} == {"datasets.json", "train.npy", "validation.npy"}


def test_nothing_to_train_on(workspace: Workspace, trained: Workspace) -> None:
    with pytest.raises(MissingStage, match="no dataset") as caught:
        train.run(QUICK, workspace)
    assert "build-dataset" in str(caught.value.hint)
    with pytest.raises(PaperclipError, match="no training of model 'new' to resume"):
        train.run(dataclasses.replace(QUICK, name="new", resume=True), trained)
    with pytest.raises(UsageError, match="caption-tokens 1000"):
        train.run(dataclasses.replace(QUICK, name="new", caption_tokens=1000), trained)
    with pytest.raises(UsageError, match="devices 64"):
        train.run(dataclasses.replace(QUICK, name="new", devices=64), trained)


def test_one_proposal_is_too_few(workspace: Workspace) -> None:
    write_fetched(workspace, proposals=1)
    make_dataset(workspace, val_fraction=0, test_fraction=0)
    with pytest.raises(PaperclipError, match="one proposal is too few"):
        train.run(QUICK, workspace)


@pytest.mark.parametrize(
    "config",
    [
        {"steps": 0},
        {"batch_size": 1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"crop": 1.5},
        {"ema_decay": 1.0},
        {"schedule": "linear"},
        {"keep": "first"},
        {"view": "tiles"},
        {"resume": True, "force": True},
    ],
)
def test_settings_that_make_no_sense(config: dict) -> None:
    with pytest.raises(UsageError):
        TrainConfig(**config)


def test_presets_and_explicit_options() -> None:
    paper, tiny = training_recipe(TrainConfig()), training_recipe(TrainConfig(init="scratch:tiny"))
    assert (paper.steps, paper.batch_size, paper.learning_rate, paper.warmup_steps, paper.keep) == (
        20_000,
        32,
        1e-5,
        2_000,
        "best",
    )
    assert tiny.keep == "last" and tiny.ema_decay > 0
    assert training_recipe(TrainConfig(init="scratch:base")) == paper
    assert training_recipe(TrainConfig(steps=500)).warmup_steps == 50
    assert (
        training_recipe(TrainConfig(steps=500, warmup_steps=400, ema_decay=0.5)).warmup_steps == 400
    )
    with pytest.raises(UsageError, match="scratch:huge"):
        training_recipe(TrainConfig(init="scratch:huge"))
