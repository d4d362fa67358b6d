"""`train` and `evaluate` on datasets that others made: a folder, and the Hub."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paperclip_cli.config import EvaluateConfig, TrainConfig
from paperclip_cli.errors import PaperclipError
from paperclip_cli.stages import evaluate, train
from paperclip_cli.towers import scratch
from paperclip_cli.workspace import Workspace
from tests.conftest import REPOSITORY
from tests.foreign_datasets import rows, write_image_folder, write_parquet
from tests.small_trainings import PROGRAM, SMALL
from tests.standin.hub import hub_standin

QUICK = TrainConfig(
    init="scratch:tiny",
    name="small",
    steps=2,
    batch_size=4,
    eval_every=1,
    learning_rate=0.01,
    warmup_steps=0,
    schedule="constant",
    keep="last",
    ema_decay=0.0,
)
ITEMS = ("train row 3 (train/2.png)", "not a JPEG, PNG, TIFF or FITS file")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 pictures to train on, one of them damaged, and 4 held out, of which one text is trained."""
    folder = tmp_path_factory.mktemp("data") / "theirs"
    members = rows(0, 8)
    members[2]["image"] = b"GIF89a"
    write_image_folder(folder, members)
    return write_image_folder(folder, rows(7, 4), "validation")


@pytest.fixture(scope="module")
def trained(theirs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A cache with a model trained on them."""
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scratch.SHAPES, "scratch:tiny", SMALL)
        report = train.run(dataclasses.replace(QUICK, dataset=str(theirs)), workspace)
        assert [(one.item, one.reason) for one in report.failures] == [ITEMS]
        assert report.exit_code == 3 and report.counts["images"] == 7
        assert "held-out groups that are in training, too: 1 of 4" in report.notes
        yield workspace


def test_a_second_training_does_nothing(trained: Workspace, theirs: Path) -> None:
    again = train.run(dataclasses.replace(QUICK, dataset=str(theirs)), trained)
    assert again.unchanged and again.exit_code == 0 and "1 image could not be read" in again.notes


def test_the_model_says_what_it_was_trained_on(trained: Workspace, theirs: Path) -> None:
    folder = trained.model("small")
    said = json.loads((folder / "paperclip.json").read_text())["data"]
    assert said["origin"]["name"] == "theirs" and len(said["origin"]["revision"]) == 16
    assert len(said["splits"]["train"]) == 7 and len(said["splits"]["validation"]) == 4
    readme = (folder / "README.md").read_text()
    assert f"- Data: theirs at {said['origin']['revision']}; proposals: 7 in train" in readme
    assert str(theirs.parent) not in readme + (folder / "paperclip.json").read_text()


def test_evaluate_measures_it(trained: Workspace, theirs: Path) -> None:
    found = evaluate.run(EvaluateConfig(model="small", dataset=str(theirs)), trained)
    assert found.splits == ("validation",) and found.result.n_images == 4
    assert found.result.trained_on == 1, "the pair whose group is in training"
    assert any(note.startswith("theirs at ") for note in found.report.notes)
    config = EvaluateConfig(model="small", dataset=str(theirs), group_column="source")
    assert evaluate.run(config, trained).result.trained_on == 0, "other groups, other keys"


def test_a_dataset_without_held_out_pairs(trained: Workspace, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "alone", train=rows(0, 6))
    report = train.run(dataclasses.replace(QUICK, name="alone", dataset=str(folder)), trained)
    assert report.notes[-1] == "the model is from step 2, the last one; there was no validation"
    with pytest.raises(PaperclipError, match="only a training split"):
        evaluate.run(EvaluateConfig(model="alone", dataset=str(folder)), trained)
    whole = EvaluateConfig(model="alone", dataset=str(folder), split="all")
    assert evaluate.run(whole, trained).result.n_images == 6


def test_the_program_trains_on_a_dataset_of_the_hub(tmp_path: Path) -> None:
    options = "--init scratch:tiny --steps 2 --batch-size 4 --keep last --name hub".split()
    columns = ["--image-column", "image", "--text-column", "caption", "--group-column", "source"]
    with hub_standin() as server:
        made = write_parquet(tmp_path / "made", train=rows(0, 6), validation=rows(6, 4))
        files = {f"data/{path.name}": path.read_bytes() for path in made.rglob("*.parquet")}
        commit = server.put("org/galaxies", files, kind="dataset")

        def program(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", PROGRAM, "--cache-dir", str(tmp_path / "cache")]
            return subprocess.run(
                [*command, *words],
                capture_output=True,
                text=True,
                env=server.environment(tmp_path / "hf"),
                cwd=REPOSITORY,
            )

        said = program("train", "--dataset", "org/galaxies", *columns, *options)
        assert said.returncode == 0, said.stderr
        assert "images from image, texts from caption; groups by source" in said.stderr
        server.log.clear()
        again = ("--offline", "train", "--dataset", "org/galaxies", *columns, *options)
        assert "nothing to do" in program(*again).stderr and server.log == []
        measured = program("--offline", "evaluate", "--dataset", "org/galaxies", *columns, "--json")
    assert json.loads(measured.stdout)["n_images"] == 4, measured.stderr
    readme = (tmp_path / "cache" / "models" / "hub" / "README.md").read_text()
    assert "datasets:\n- org/galaxies\n" in readme and f"org/galaxies at {commit}" in readme
