"""`train` and where a training comes from: earlier versions, earlier trainings, other captions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from paperclip_cli.config import (
    PAPER_PRESET,
    TINY_PRESET,
    BuildDatasetConfig,
    SummarizeConfig,
    TrainConfig,
)
from paperclip_cli.errors import PaperclipError
from paperclip_cli.progress import SilentProgress
from paperclip_cli.stages import build_dataset, summarize, train
from paperclip_cli.towers import scratch
from paperclip_cli.towers.folder import ModelFolder, resolve
from paperclip_cli.training.start import preset_of
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model
from tests.factories import write_fetched
from tests.small_trainings import SMALL

QUICK = TrainConfig(
    init="scratch:tiny",
    steps=3,
    batch_size=8,
    eval_every=1,
    learning_rate=0.02,
    warmup_steps=0,
    schedule="constant",
    weight_decay=1.0,
    keep="last",
)
CAPTIONS = ("abstract", "summary")
RULE = "an earlier version began this training: as then, weight decay acts on everything"


class Notes(SilentProgress):
    """Keeps the notes that a user would see."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A small archive with a dataset of abstracts and one of summaries."""
    workspace = Workspace(tmp_path_factory.mktemp("archive"), offline=True)
    write_fetched(workspace, proposals=16, side=48)
    summarize.run(SummarizeConfig(), workspace)
    for kind in CAPTIONS:
        build_dataset.run(
            BuildDatasetConfig(captions=kind, name=kind, val_fraction=0.3, test_fraction=0),  # type: ignore[arg-type]
            workspace,
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scratch.SHAPES, "scratch:tiny", SMALL)
        yield workspace


def go(workspace: Workspace, name: str, **changes: Any) -> list[str]:
    """Trains a model on abstracts, unless told otherwise. Returns all notes."""
    config = dataclasses.replace(QUICK, **{"name": name, "dataset": "abstract"} | changes)
    heard = Notes()
    return [*train.run(config, workspace, heard).notes, *heard.notes]


def by_an_earlier_version(workspace: Workspace, name: str, **changes: Any) -> None:
    """A training as earlier versions left it, whose plan does not say what is decayed."""

    def recipe(config: TrainConfig, base: ModelFolder | None, _: bool) -> Any:
        return as_now(config, base, True)

    as_now = train._recipe
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_recipe", recipe)
        go(workspace, name, **changes)
    for path in (workspace.training(name) / "plan.json", workspace.model(name) / "manifest.json"):
        said = json.loads(path.read_text())
        assert said["config"].pop("decays_all") is True
        path.write_text(json.dumps(said))


def tensors(workspace: Workspace, name: str) -> dict[str, np.ndarray]:
    return load_file(workspace.model(name) / "model.safetensors")


def same(workspace: Workspace, one: str, other: str) -> bool:
    first, second = tensors(workspace, one), tensors(workspace, other)
    return all(np.array_equal(array, second[name]) for name, array in first.items())


def test_a_training_of_an_earlier_version_keeps_its_optimiser(archive: Workspace) -> None:
    by_an_earlier_version(archive, "old")
    by_an_earlier_version(archive, "old-straight", steps=5)
    go(archive, "new-straight", steps=5)
    assert go(archive, "old")[0].startswith("the model is from step 3"), "it is finished"
    assert RULE in go(archive, "old", steps=5, resume=True)
    assert same(archive, "old", "old-straight")
    assert not same(archive, "old", "new-straight")
    assert RULE not in go(archive, "old", steps=5), "it is finished again"
    assert RULE in go(archive, "old", steps=6, resume=True), "it still knows what it was"
    with pytest.raises(PaperclipError, match=r"weight_decay \(1.0, now 0.5\)") as caught:
        go(archive, "old", weight_decay=0.5)
    assert "decays_all" not in caught.value.message
    assert RULE not in go(archive, "old", steps=5, force=True)
    assert same(archive, "old", "new-straight")


def test_a_resumed_training_of_this_version_is_exact_too(archive: Workspace) -> None:
    go(archive, "resumed")
    assert RULE not in go(archive, "resumed", steps=4, resume=True)
    go(archive, "whole", steps=4)
    assert same(archive, "resumed", "whole")


def card(workspace: Workspace, name: str) -> dict:
    return json.loads((workspace.model(name) / "paperclip.json").read_text())


def test_a_model_from_a_tiny_one_is_trained_like_a_tiny_one(archive: Workspace) -> None:
    """Also where there is another model between the two."""
    few = {"steps": 1, "batch_size": 8, "dataset": "abstract"}
    for name, init in (("first", "scratch:tiny"), ("second", "first"), ("third", "second")):
        train.run(TrainConfig(name=name, init=init, **few), archive)  # type: ignore[arg-type]
        said = card(archive, name)["training"]
        assert (said["init"], said["preset"]) == (init, "scratch:tiny")
        for setting in ("optimiser", "learning_rate", "schedule", "keep", "ema_decay"):
            assert said[setting] == getattr(TINY_PRESET, setting)
    train.run(TrainConfig(name="paper", init="first", recipe="paper", **few), archive)  # type: ignore[arg-type]
    assert card(archive, "paper")["training"]["learning_rate"] == PAPER_PRESET.learning_rate


@pytest.mark.parametrize(
    ("said", "preset"),
    [
        ({"training": {"init": "first", "preset": "scratch:tiny"}}, "scratch:tiny"),
        ({"training": {"init": "scratch:tiny"}}, "scratch:tiny"),
        ({"training": {"init": "scratch:base"}}, "scratch:base"),
        ({"training": {"init": "openai/clip-vit-base-patch16"}}, "pretrained"),
        ({"training": {"init": ["scratch:tiny"], "preset": {}}}, "pretrained"),
        ({"training": "scratch:tiny"}, "pretrained"),
        ({}, "pretrained"),
    ],
)
def test_the_card_names_the_preset(said: dict, preset: str, tmp_path: Path) -> None:
    assert preset_of("a folder", write_model(tmp_path, card=said)) == preset
    assert preset_of("scratch:tiny", None) == "scratch:tiny"


@pytest.mark.parametrize("kind", CAPTIONS)
def test_other_captions_than_those_of_the_start_are_told(archive: Workspace, kind: str) -> None:
    (other,) = {*CAPTIONS} - {kind}
    go(archive, f"of-{kind}", steps=1, dataset=kind)
    assert card(archive, f"of-{kind}")["data"]["captions"] == kind
    plural = {"abstract": "abstracts", "summary": "summaries"}
    warning = (
        f"warning: of-{kind} was trained on {plural[kind]}, and the captions of this dataset are "
        f"{plural[other]} (build-dataset --captions {kind} makes the others)"
    )
    for dataset, expected in ((kind, []), (other, [warning])):
        notes = go(archive, f"{kind}-{dataset}", init=f"of-{kind}", steps=1, dataset=dataset)
        assert [note for note in notes if note.startswith("warning")] == expected


@pytest.mark.parametrize("data", [{}, {"captions": "other"}, {"captions": ["summary"]}, []])
def test_a_start_that_does_not_say_its_captions_is_no_reason_to_warn(
    archive: Workspace, data: Any, tmp_path: Path
) -> None:
    base = write_model(tmp_path / "base", card={"data": data})
    assert train._other_captions(ModelFolder.open(base.path), "abstract") is None


def test_overfitting_is_told_where_the_last_step_is_kept(archive: Workspace) -> None:
    """The log is replaced by one with known losses; the model's report reads it again."""
    go(archive, "over")
    log = archive.model("over") / "metrics.jsonl"

    def told(*losses: float | None) -> list[str]:
        lines = [{"step": 10 * n, "validation_loss": loss} for n, loss in enumerate(losses, 1)]
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return [note for note in go(archive, "over") if note.startswith("perhaps overfitting")]

    assert told(3.0, 2.0, 2.5, 2.6) == [
        "perhaps overfitting: the validation loss was lowest at step 20 (2.000) and rose to 2.600 "
        "at step 40, which is kept; train again with --keep best or fewer --steps"
    ]
    assert told(3.0, 2.0, 2.5, 1.9) == told(3.0, 2.0, 2.01) == told(2.0) == told(None) == []
    assert told() == []
    log.unlink()
    assert not [note for note in go(archive, "over") if note.startswith("perhaps overfitting")]


def test_overfitting_happens_and_the_best_weights_are_an_answer(archive: Workspace) -> None:
    settings = {"steps": 40, "eval_every": 10, "learning_rate": 0.003, "shuffle_pairs": True}
    assert [
        note for note in go(archive, "last", **settings) if note.startswith("perhaps overfitting")
    ]
    best = go(archive, "best", **settings, keep="best")
    assert not [note for note in best if note.startswith("perhaps overfitting")]
    assert resolve("best", archive).card["training"]["kept_step"] < 40
