"""`evaluate`: the choice of splits, the measurements, and the errors."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from paperclip_cli.cli import app
from paperclip_cli.config import BuildDatasetConfig, EvaluateConfig
from paperclip_cli.config.evaluation import DIRECTIONS
from paperclip_cli.dataset.pairs import read_split, write_split
from paperclip_cli.errors import MissingStage, PaperclipError, UsageError
from paperclip_cli.evaluation import retrieval
from paperclip_cli.evaluation.embed_split import embed_pairs
from paperclip_cli.images import alternative_views
from paperclip_cli.images.pictures import centre_view, decode_jpeg
from paperclip_cli.images.view import View
from paperclip_cli.progress import SilentProgress
from paperclip_cli.records import Key
from paperclip_cli.stages import build_dataset, evaluate
from paperclip_cli.towers import augment, clip, weights
from paperclip_cli.towers.folder import resolve
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.towers.tokenizer import Tokenizer
from paperclip_cli.training.losses import Objective
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model
from tests.factories import write_fetched


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two models, and 30 proposals in three datasets.

    `default` has three splits, `no-test` has train and validation, and `plain` only train.
    """
    workspace = Workspace(tmp_path_factory.mktemp("ready"), offline=True)
    write_fetched(workspace, proposals=30, side=72)
    for name, val, test in (("default", 0.2, 0.4), ("no-test", 0.3, 0), ("plain", 0, 0)):
        build_dataset.run(
            BuildDatasetConfig(val_fraction=val, test_fraction=test, name=name), workspace
        )
    tests = read_split(workspace.dataset("default"), "test")
    flags = (
        (False, False),
        (False, True),
        (True, False),
        (False, None),
        (None, True),
        (False, False),
    )
    write_split(
        workspace.dataset("default"),
        "test",
        [
            replace(pair, seen_sky=flags[place % 6][0], seen_text=flags[place % 6][1])
            for place, pair in enumerate(tests)
        ],
    )
    (
        workspace.dataset("default") / "manifest.json"
    ).unlink()  # as another's dataset, which has none
    write_model(
        workspace.model("one"),
        "one",
        view=View(crop=0.9, size=64),
        card={"data": {"splits": {"train": ["local:3"]}}, "training": {"caption_tokens": 30}},
    )
    write_model(workspace.model("two"), "two", seed=1, view=View(kind="whole", size=64))
    return workspace


def first_sentences(caption: str, tokenizer: Tokenizer, room: int) -> str:
    """Any category, and as many of the first sentences as fit beside it, but at least one."""
    parts = caption.split(". ")
    least = 2 if parts[0].startswith("Category: ") else 1
    while len(parts) > least and tokenizer.count([". ".join(parts)])[0] > room:
        parts.pop()
    assert len(parts) < len(caption.split(". ")), "the caption is too short to be cut"
    return ". ".join(parts).rstrip(".") + "."


def test_it_measures_the_true_view_and_caption_of_every_image(ready: Workspace) -> None:
    """Compares with towers, views and loss combined by hand."""
    done = evaluate.run(EvaluateConfig(model="one", batch_size=5), ready)
    result = done.result
    pairs, model = read_split(ready.dataset("default"), "test"), resolve("one", ready)
    graph, params = weights.load(model)
    views = np.stack([centre_view(decode_jpeg(pair.image), model.view) for pair in pairs])
    images = clip.image_embeddings(
        graph, params, augment.normalise(views, jnp.asarray(model.mean), jnp.asarray(model.std))
    )
    tokenizer = Tokenizer.load(model)
    captions = [first_sentences(pair.caption, tokenizer, 28) for pair in pairs]
    texts = clip.text_embeddings(
        graph,
        params,
        jnp.asarray(tokenizer.batch(captions, 30)),  # a longer one is cut
    )
    assert done.splits == ("test",) and result.n_images == len(pairs) < 100
    assert result.n_proposals == len({pair.key for pair in pairs}) and result.n_captions == len(
        set(captions)
    ) < len(pairs)
    found = embed_pairs(model, ready.dataset("default"), ("test",), pairs, 5, SilentProgress())
    np.testing.assert_allclose(found.images, images, atol=1e-5)
    np.testing.assert_allclose(found.texts[found.caption], texts, atol=1e-5)
    assert result.loss == pytest.approx(float(Objective()(params, images, texts)), rel=1e-4)


def test_the_split_is_test_else_validation_and_is_named(ready: Workspace) -> None:
    for dataset, split, subsets in (
        ("default", "test", ["all", "unseen"]),
        ("no-test", "validation", ["all"]),
    ):
        done = evaluate.run(EvaluateConfig(model="one", dataset=dataset), ready)
        assert [row.subset for row in done.rows] == subsets
        assert done.splits == (split,) and f"on the {split} split" in done.report.notes[0]
    with pytest.raises(PaperclipError, match="has only a training split"):
        evaluate.run(EvaluateConfig(model="one", dataset="plain"), ready)
    with pytest.raises(PaperclipError, match="no test split"):
        evaluate.run(EvaluateConfig(model="one", dataset="no-test", split="test"), ready)


def test_all_splits_count_and_training_images_are_told(ready: Workspace) -> None:
    done = evaluate.run(EvaluateConfig(model="one", split="all"), ready)
    trained = sum(
        pair.key == Key("local", 3)
        for split in done.splits
        for pair in read_split(ready.dataset("default"), split)
    )
    assert set(done.splits) == {"train", "validation", "test"} and done.result.n_proposals == 30
    assert done.result.trained_on == trained > 0
    assert any("was trained on the proposals of" in note for note in done.report.notes)


def test_all_models_are_measured_on_the_same_pairs(ready: Workspace) -> None:
    done = evaluate.run(EvaluateConfig(model="one", baseline="two"), ready)
    alone = evaluate.run(EvaluateConfig(model="two"), ready)
    assert [row for row in done.rows if row.role == "baseline"] == [
        replace(row, role="baseline") for row in alone.rows
    ]
    both = evaluate.run(EvaluateConfig(model="two", others=("one",)), ready)
    assert [row.name for row in both.rows if row.subset == "all"] == ["two", "one"]


def test_what_training_gives_away_is_counted_apart(ready: Workspace) -> None:
    """Of every six images of the test split, two are unseen, three seen and one unknown."""
    done = evaluate.run(EvaluateConfig(model="one", direction="both"), ready)
    total = done.result.n_images
    unseen = sum(place % 6 in (0, 5) for place in range(total))
    assert [(row.direction, row.subset, row.n_images) for row in done.rows] == [
        (direction, *part)
        for direction in DIRECTIONS
        for part in (("all", total), ("unseen", unseen))
    ]
    assert (
        done.rows[1].accuracy.chance == done.rows[0].accuracy.chance
        and done.rows[1].n_captions == done.rows[0].n_captions
    )
    seen = sum(place % 6 in (1, 2, 4) for place in range(total))
    assert (
        f"{unseen} of {total} images (unseen), and either of {seen}; "
        f"unknown for {total - unseen - seen}" in done.report.notes[1]
    )


def test_the_papers_protocols(ready: Workspace) -> None:
    """In paper-full every pair is a candidate; paper-batch refuses 60 images.

    After its last two batches are dropped, no image is left.
    """
    full = evaluate.run(EvaluateConfig(model="one", protocol="paper-full"), ready).result
    found = embed_pairs(
        resolve("one", ready),
        ready.dataset("default"),
        ("test",),
        read_split(ready.dataset("default"), "test"),
        32,
        SilentProgress(),
    )
    assert full.accuracy == retrieval.measure(
        retrieval.standing(found, "paper-full"), found.proposal
    )
    assert full.accuracy.chance[10] == full.n_images // 10 / full.n_images
    with pytest.raises(PaperclipError, match="images are too few for the protocol paper-batch"):
        evaluate.run(EvaluateConfig(model="one", protocol="paper-batch", split="all"), ready)


def test_json_is_what_was_promised(ready: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "--cache-dir",
        str(ready.root),
        "evaluate",
        "--model",
        "one",
        "--baseline",
        "two",
        "--json",
    ]
    assert app.run(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    for values in (printed, printed["baseline"]):
        assert (
            values["protocol"] == "unique"
            and values["direction"] == "image-to-text"
            and values["split"] == "test"
        )
        assert (
            values["retrieval_accuracy"].keys()
            == values["interval"].keys()
            == values["chance"].keys()
            == {"1", "5", "10", "20"}
        )
        captions = values["n_captions"]
        for k in (1, 5, 10, 20):
            top, share = k * captions // 100, values["retrieval_accuracy"][str(k)]
            assert values["chance"][str(k)] == pytest.approx(top / captions, abs=1e-6)
            assert (share is None) == (top == 0) == (values["interval"][str(k)] is None)
            assert (
                share is None
                or values["interval"][str(k)][0] <= share <= values["interval"][str(k)][1]
            )
        assert values["similarity"].keys() == {"true_mean", "shuffled_mean"} and values["loss"] > 0
        names = {"recall_1", "recall_5", "recall_10", "median_rank", "mrr", "ndcg"}
        assert values["rank_interval"].keys() == values["rank_chance"].keys() == names
        for k, share in values["recall"].items():
            assert values["rank_chance"][f"recall_{k}"] == pytest.approx(
                int(k) / captions, abs=1e-6
            )
            assert 0 <= share <= 1 and int(k) in (1, 5, 10)
        for name in ("median_rank", "mrr", "ndcg"):
            low, high = values["rank_interval"][name]
            assert low <= values[name] <= high
    assert printed["rows"][0] == {
        name: value for name, value in printed.items() if name not in ("baseline", "rows")
    }
    assert [(row["model"], row["subset"]) for row in printed["rows"]] == list(
        itertools.product(("one", "two"), ("all", "unseen"))
    )


def test_the_other_forms(ready: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    base = [
        "--cache-dir",
        str(ready.root),
        "evaluate",
        "--model",
        "one",
        "--direction",
        "text-to-image",
    ]
    assert app.run(base) == 0
    table = capsys.readouterr().out
    assert (
        "10 %" in table
        and "Chance" in table
        and "unseen" in table
        and "similarity of true pairs" in table
    )
    ranks = table[table.index("ranks, text to image") :].splitlines()
    assert ranks[1].split() == ["Model", "Images", "R@1", "R@5", "R@10", "Median", "MRR", "nDCG"]
    assert [line.split()[0] for line in ranks[2:]] == ["one", "one", "chance:", "chance:"]
    assert [line.split()[-7] for line in ranks[4:]] == ["all", "unseen"], "other proposals differ"
    assert max(map(len, table.splitlines())) <= 80
    assert app.run([*base, "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        len(lines) == 1 + 2 * 4
        and lines[0].startswith("model,role,subset,split,protocol,direction")
        and "text-to-image" in lines[1]
    )


def test_what_is_missing_is_named(ready: Workspace, workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 models"):
        evaluate.run(EvaluateConfig(), ready)
    with pytest.raises(MissingStage, match="no dataset"):
        evaluate.run(EvaluateConfig(), workspace)
    for config in (
        {"split": "train"},
        {"protocol": "best"},
        {"direction": "up"},
        {"batch_size": 0},
        {"model": "one", "baseline": "one"},
    ):
        with pytest.raises(UsageError):
            EvaluateConfig(**config)


def test_controls_stand_in_the_same_table(ready: Workspace) -> None:
    """The controls by instrument and by image statistics need a training split.

    For the outline control, the model sees only the outline of an image.
    """
    rows = evaluate.run(EvaluateConfig(model="one", controls=True), ready).rows
    names = [
        "one",
        "outline only",
        "shuffled pairs",
        "header (BM25)",
        "instrument only",
        "image statistics",
    ]
    assert [row.name for row in rows if row.subset == "all"] == names and {
        row.role for row in rows[2:]
    } == {"control"}
    assert len({(row.subset, row.n_images, row.protocol) for row in rows}) == 2
    outline, header = rows[2], rows[6]
    found = embed_pairs(
        resolve("one", ready),
        ready.dataset("default"),
        ("test",),
        read_split(ready.dataset("default"), "test"),
        32,
        SilentProgress(),
        alternative_views.outline,
    )
    assert (
        outline.accuracy == retrieval.measure(retrieval.standing(found), found.proposal)
        and outline.similarity != rows[0].similarity
    )
    assert header.loss is None and header.similarity is None
    done = evaluate.run(EvaluateConfig(model="one", controls=True, split="all"), ready)
    assert [row.name for row in done.rows if row.subset == "all"] == names[
        :4
    ] and "training split" in done.report.notes[-1]


def test_figures_show_what_the_model_finds(
    ready: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Best images come first, one per proposal, and phrases are sorted by cosine.

    A model without a log has no training curve.
    """
    figures = evaluate.run(EvaluateConfig(model="one", plots=True), ready).figures
    assert (
        figures is not None
        and figures.logs == []
        and [gallery.name for gallery in figures.galleries] == ["one"]
    )
    gallery, model = figures.galleries[0], resolve("one", ready)
    pairs = read_split(ready.dataset("default"), "test")
    found = embed_pairs(model, ready.dataset("default"), ("test",), pairs, 32, SilentProgress())
    for query, pictures in gallery.by_text:
        cosines = [cosine for _, cosine in pictures]
        scores = found.images @ TextTower.open(model).embed([query])[0]
        assert cosines == sorted(cosines, reverse=True) and cosines[0] == pytest.approx(
            scores.max(), abs=1e-6
        )
        assert len({picture.key for picture, _ in pictures}) == len(pictures) == 4
    for _, phrases in gallery.by_image:
        assert len(phrases) == 4 and [cosine for _, cosine in phrases] == sorted(
            (cosine for _, cosine in phrases), reverse=True
        )
    command = [
        "--cache-dir",
        str(ready.root),
        "evaluate",
        "--model",
        "one",
        "--plots",
        str(tmp_path / "plots"),
        "--json",
    ]
    assert app.run(command) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "one"
    assert {path.name for path in (tmp_path / "plots").glob("*.png")} == {
        f"{name}.png"
        for name in ("similarity", "retrieval-image-to-text", "images-by-text", "texts-by-image")
    }


@pytest.fixture
def judging_server() -> Iterator[tuple[str, list[str]]]:
    """The URL of a server that judges texts, and the list of its requests.

    It calls texts about spiral galaxies relevant. About planets it gives no usable answer.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return None

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert request["response_format"]["json_schema"]["schema"]["required"] == ["relevant"]
            asked.append(request["messages"][0]["content"])
            text = (
                "perhaps"
                if "planet Jupiter" in asked[-1]
                else json.dumps({"relevant": "spiral galaxy" in asked[-1]})
            )
            body = json.dumps(
                {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
        server.shutdown()


def test_a_language_model_judges_and_is_not_asked_twice(
    ready: Workspace, judging_server: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, asked = judging_server
    command = [
        "--cache-dir",
        str(ready.root),
        "--offline",
        "evaluate",
        "--model",
        "one",
        "--judge",
        "--judge-backend",
        "openai",
        "--llm",
        "any",
        "--base-url",
        url,
        "--json",
    ]
    assert app.run(command) == 3  # what it said of planets is no verdict
    judged = json.loads(capsys.readouterr().out)["judge"]
    assert judged["by"] == "openai any" and "circular" in judged["circular"]
    rows = {row["model"]: row for row in judged["rows"]}
    assert (
        rows.keys() == {"one", "abstract (BM25)", "random images"}
        and rows["abstract (BM25)"]["by_query"]["spiral galaxies"] > 0.5
    )
    low, high = rows["random images"]["interval"]
    assert 0 < low <= rows["random images"]["relevance"] <= high < 1
    assert len(asked) == len(set(asked)) > 0
    useful = sum("planet Jupiter" not in text for text in asked)
    asked.clear()
    assert app.run(command) == 3
    assert (
        json.loads(capsys.readouterr().out)["judge"] == judged
        and all("planet Jupiter" in text for text in asked)
        and useful > 0
    )


def test_keywords_judge_without_a_model(
    ready: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--cache-dir", str(ready.root), "evaluate", "--model", "one", "--judge"]
    assert app.run(command) == 0
    table = capsys.readouterr().out
    assert "judged by keywords" in table and "abstract (BM25)" in table and "circular" in table
    assert not (ready.root / "verdicts" / "keywords.jsonl").exists()
    assert app.run([*command[:-1], "--llm", "x"]) == 2
