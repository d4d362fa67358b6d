"""`evaluate`: which split, what it measures, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from paperclip_cli.cli import app
from paperclip_cli.config import BuildDatasetConfig, EvaluateConfig
from paperclip_cli.data.images import centre_view, decode_jpeg
from paperclip_cli.data.pairs import read_split
from paperclip_cli.data.view import View
from paperclip_cli.errors import MissingStage, PaperclipError, UsageError
from paperclip_cli.model import augment, clip, weights
from paperclip_cli.model.contrastive import contrastive_loss
from paperclip_cli.model.folder import resolve
from paperclip_cli.model.tokenizer import Tokenizer
from paperclip_cli.progress import SilentProgress
from paperclip_cli.records import Key
from paperclip_cli.stages import build_dataset, evaluate
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model
from tests.factories import write_fetched


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """30 proposals in three splits (`default`), in train and validation (`no-test`), in train only (`plain`), and two models."""
    workspace = Workspace(tmp_path_factory.mktemp("ready"), offline=True)
    write_fetched(workspace, proposals=30, side=72)
    for name, val, test in (("default", 0.2, 0.4), ("no-test", 0.3, 0), ("plain", 0, 0)):
        build_dataset.run(BuildDatasetConfig(val_fraction=val, test_fraction=test, name=name), workspace)
    write_model(workspace.model("one"), "one", view=View(crop=0.9, size=64),
                card={"data": {"splits": {"train": ["local:3"]}}, "training": {"caption_tokens": 40}})
    write_model(workspace.model("two"), "two", seed=1, view=View("whole", size=64))
    return workspace


def first_sentences(caption: str, tokenizer: Tokenizer, room: int) -> str:
    """As many sentences from the start as fit, at least one."""
    parts = caption.split(". ")
    while len(parts) > 1 and tokenizer.count([". ".join(parts)])[0] > room:
        parts.pop()
    assert len(parts) < len(caption.split(". ")), "the caption is too short to be cut"
    return ". ".join(parts).rstrip(".") + "."


def test_it_measures_the_true_view_and_caption_of_every_image(ready: Workspace) -> None:
    """Against towers, views and loss put together by hand."""
    result = evaluate.run(EvaluateConfig(model="one", batch_size=5), ready).result
    pairs, model = read_split(ready.dataset("default"), "test"), resolve("one", ready)
    graph, params = weights.load(model)
    views = np.stack([centre_view(decode_jpeg(pair.image), model.view) for pair in pairs])
    images = clip.image_embeddings(graph, params, augment.normalise(views, jnp.asarray(model.mean), jnp.asarray(model.std)))
    tokenizer = Tokenizer.load(model)
    captions = [first_sentences(pair.caption, tokenizer, 38) for pair in pairs]
    texts = clip.text_embeddings(graph, params, jnp.asarray(tokenizer.batch(captions, 64)))
    assert result.splits == ("test",) and result.n_images == len(pairs) < 100
    assert result.n_proposals == len({pair.key for pair in pairs}) and result.n_captions == len(set(captions)) < len(pairs)
    found, _ = evaluate.embed(model, 5, ready.dataset("default"), ("test",), SilentProgress())
    np.testing.assert_allclose(found.images, images, atol=1e-5)
    np.testing.assert_allclose(found.texts[found.caption], texts, atol=1e-5)
    assert result.loss == pytest.approx(float(contrastive_loss(images, texts, clip.logit_scale(params))), rel=1e-4)


def test_the_split_is_test_else_validation_and_is_named(ready: Workspace) -> None:
    for dataset, split in (("default", "test"), ("no-test", "validation")):
        done = evaluate.run(EvaluateConfig(model="one", dataset=dataset), ready)
        assert done.result.splits == (split,) and f"on the {split} split" in done.report.notes[0]
    with pytest.raises(PaperclipError, match="training split only"):
        evaluate.run(EvaluateConfig(model="one", dataset="plain"), ready)
    with pytest.raises(PaperclipError, match="no test split"):
        evaluate.run(EvaluateConfig(model="one", dataset="no-test", split="test"), ready)


def test_all_splits_count_and_training_images_are_told(ready: Workspace) -> None:
    done = evaluate.run(EvaluateConfig(model="one", split="all"), ready)
    trained = sum(pair.key == Key("local", 3) for split in done.result.splits for pair in read_split(ready.dataset("default"), split))
    assert set(done.result.splits) == {"train", "validation", "test"} and done.result.n_proposals == 30
    assert done.result.trained_on == trained > 0
    assert any("was trained on the proposals of" in note for note in done.report.notes)


def test_a_baseline_is_measured_on_the_same_pairs(ready: Workspace) -> None:
    done = evaluate.run(EvaluateConfig(model="one", baseline="two"), ready)
    assert done.baseline is not None and (done.baseline.model, done.baseline.n_images) == ("two", done.result.n_images)
    assert done.baseline == evaluate.run(EvaluateConfig(model="two"), ready).result


def test_json_is_what_was_promised(ready: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--cache-dir", str(ready.root), "evaluate", "--model", "one", "--baseline", "two", "--json"]
    assert app.run(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    for values in (printed, printed["baseline"]):
        assert values["protocol"] == "unique" and values["direction"] == "image-to-text" and values["split"] == "test"
        assert values["retrieval_accuracy"].keys() == values["interval"].keys() == values["chance"].keys() == {"1", "5", "10", "20"}
        captions = values["n_captions"]
        for k in (1, 5, 10, 20):
            top, share = k * captions // 100, values["retrieval_accuracy"][str(k)]
            assert values["chance"][str(k)] == pytest.approx(top / captions, abs=1e-6)
            assert (share is None) == (top == 0) == (values["interval"][str(k)] is None)
            assert share is None or values["interval"][str(k)][0] <= share <= values["interval"][str(k)][1]
        assert values["similarity"].keys() == {"true_mean", "shuffled_mean"} and values["loss"] > 0


def test_the_other_forms(ready: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["--cache-dir", str(ready.root), "evaluate", "--model", "one", "--direction", "text-to-image"]
    assert app.run(base) == 0
    table = capsys.readouterr().out
    assert "10 %" in table and "Chance" in table and "similarity of true pairs" in table
    assert app.run([*base, "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[0].startswith("model,split,protocol,direction") and "text-to-image" in lines[1]


def test_what_is_missing_is_named(ready: Workspace, workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 models"):
        evaluate.run(EvaluateConfig(), ready)
    with pytest.raises(MissingStage, match="no dataset"):
        evaluate.run(EvaluateConfig(), workspace)
    for config in ({"split": "train"}, {"protocol": "best"}, {"direction": "up"}, {"batch_size": 0}):
        with pytest.raises(UsageError):
            EvaluateConfig(**config)
