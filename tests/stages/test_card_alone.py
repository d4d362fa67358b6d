"""A trained model's card is enough: its lines of Python, with transformers alone, do as we do."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from paperclip_cli.config import BuildDatasetConfig, EvaluateConfig, TrainConfig
from paperclip_cli.dataset.pairs import Pair, stream_split
from paperclip_cli.dataset.texts import PairTexts, texts_of
from paperclip_cli.evaluation.held_out import HeldOut, held_out
from paperclip_cli.images.reading import Reading
from paperclip_cli.indexes.reader import image_view
from paperclip_cli.records import Key
from paperclip_cli.stages import build_dataset, evaluate, train
from paperclip_cli.towers import scratch
from paperclip_cli.towers.card import readme
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import resolve
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.towers.tokenizer import ENDS, Tokenizer
from paperclip_cli.workspace import Workspace
from tests import factories
from tests.clip_models import write_model
from tests.small_trainings import SMALL

torch = pytest.importorskip("torch")

BASE = TrainConfig(
    init="scratch:tiny",
    dataset="all",
    steps=60,
    batch_size=12,
    learning_rate=0.003,
    warmup_steps=5,
    schedule="constant",
    ema_decay=0.0,
    keep="last",
)
# How each model is trained. "elsewhere" is a folder without a card, whose view is not painted.
MODELS: dict[str, dict] = {
    "tiny": {},
    "short": {"caption_tokens": 12, "view": "whole", "loss": "sigmoid"},
    "head": {"init": "tiny", "train": "head", "head_views": 2, "steps": 20},
    "fine": {"init": "elsewhere"},
}
draw_square = factories.draw
# With the number first: no two captions are equal where they are cut.
KINDS = [(kind, title, f"Field {{n}} is observed. {text}") for kind, title, text in factories.KINDS]


def draw_tilted(kind: str, side: int, rng: np.random.Generator) -> np.ndarray:
    """A picture of a detector that stands askew on a white ground."""
    square = Image.fromarray(draw_square(kind, side, rng))
    angle = float(rng.uniform(10, 80))
    return np.asarray(square.rotate(angle, Image.Resampling.BICUBIC, fillcolor=255))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """24 proposals to train on, searched again as the dataset `seen`, and all models of MODELS."""
    workspace = Workspace(tmp_path_factory.mktemp("archive"), offline=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factories, "draw", draw_tilted)
        patch.setattr(factories, "KINDS", KINDS)
        factories.write_fetched(workspace, proposals=24, side=48)
        for name, share in (("all", 0), ("seen", 1)):
            config = BuildDatasetConfig(val_fraction=share, test_fraction=0, name=name)
            build_dataset.run(config, workspace)
        patch.setitem(scratch.SHAPES, "scratch:tiny", SMALL)
        elsewhere = write_model(workspace.root / "elsewhere").path
        (elsewhere / "paperclip.json").unlink()
        for name, changes in MODELS.items():
            init = {"init": str(elsewhere)} if changes.get("init") == "elsewhere" else {}
            train.run(dataclasses.replace(BASE, name=name, **changes | init), workspace)
        yield workspace


def lines(folder: Path) -> dict[str, Callable]:
    """What the lines of Python in a model's card define."""
    return executed((folder / "README.md").read_text(), folder)


def executed(card: str, folder: Path) -> dict[str, Callable]:
    (block,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert "paperclip_cli" not in block and max(map(len, block.splitlines())) <= 100
    defined: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(block, "card", "exec"), defined)
    return defined


def held(archive: Workspace, name: str) -> tuple[list[Pair], HeldOut]:
    """The images that `evaluate` ranks captions for, and these captions as the model reads them."""
    model, dataset = resolve(name, archive), archive.dataset("seen")
    length = MODELS[name].get("caption_tokens") or model.config.text.max_position_embeddings
    pairs = list(stream_split(dataset, "validation"))
    encode = Tokenizer.load(model).encode
    return pairs, held_out(texts_of(pairs), encode, length - ENDS).split


def opened(pair: Pair) -> Image.Image:
    return Image.open(io.BytesIO(pair.image))


@pytest.mark.parametrize("name", MODELS)
def test_the_card_gives_what_was_reported(name: str, archive: Workspace) -> None:
    reported = evaluate.run(EvaluateConfig(model=name, dataset="seen"), archive)
    pairs, split = held(archive, name)
    card = lines(archive.model(name))
    images = card["embed_images"]([opened(pair) for pair in pairs]).numpy()
    whole = {number: pair.caption for number, pair in zip(split.caption, pairs, strict=True)}
    texts = [whole[number] for number in range(len(split.texts))]
    scores = images @ card["embed_texts"](texts).numpy().T
    own = scores[np.arange(len(pairs)), split.caption]
    ranks = (scores > own[:, None]).sum(axis=1)
    measured = {k: share for k, share in reported.result.accuracy.by_image.items() if share}
    assert len(measured) > 1 and not {0.0, 1.0} >= {*measured.values()}
    for percent, share in measured.items():
        found = (ranks < percent * len(split.texts) // 100).mean()
        assert found == pytest.approx(share, abs=0.01), percent


ABSTRACTS = [
    "Category: Stellar Physics. We image NGC 1. Its arms are dusty, as Smith et al. 2010 say. Why?",
    "Category: Galaxies. " + "A very long first sentence about galaxies and their many arms " * 3,
    "J. Smith saw it (e.g. Paper I) in Fig. 3 and later. Is it there? 30 orbits will tell! We ask.",
    "Short.",
    "",
]
SUMMARIES = [
    "young open clusters, OB association, NGC 1; study open clusters, count blue stragglers",
    "spiral galaxies with very many long arms, dust",
    "dust",
    "",
]


@pytest.mark.parametrize("kind", ["abstract", "summary"])
@pytest.mark.parametrize("length", [8, 14, 20, 40])
def test_captions_are_cut_where_evaluate_cuts_them(
    kind: str, length: int, archive: Workspace
) -> None:
    model, texts = resolve("fine", archive), SUMMARIES if kind == "summary" else ABSTRACTS
    about = model.card | {"data": model.card["data"] | {"captions": kind}}
    about["training"] = about["training"] | {"caption_tokens": length}
    card = readme("fine", model.view, about, {}, most_tokens=40)
    defined = executed(card, model.path)
    own = np.arange(len(texts))
    pairs = PairTexts(
        captions=texts,
        caption=own,
        proposals=[Key("hst", number) for number in own],
        proposal=own,
        are_summaries=kind == "summary",
    )
    cut_texts = held_out(pairs, Tokenizer.load(model).encode, length - ENDS).split.texts
    assert [*map(defined["shortened"], texts)] == cut_texts
    assert length > 14 or cut_texts[0] != texts[0]


def photographs() -> Iterator[Image.Image]:
    """Pictures that are no squares, in colour, with an alpha channel, large, and turned by EXIF."""
    rng = np.random.default_rng(2)
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
    yield small.resize((120, 90), Image.Resampling.BICUBIC)
    yield small.resize((60, 161), Image.Resampling.BICUBIC).rotate(20, fillcolor=(255, 255, 255))
    yield small.resize((900, 640), Image.Resampling.BICUBIC).rotate(40, fillcolor="white")
    yield Image.fromarray(draw_tilted("ring", 90, rng))
    yield small.resize((90, 70)).convert("L")
    yield small.resize((90, 70)).convert("P")
    clear = small.resize((80, 50), Image.Resampling.BICUBIC)
    clear.putalpha(Image.fromarray(np.tile(np.arange(80, dtype=np.uint8) * 3, (50, 1))))
    yield clear
    yield Image.new("RGB", (70, 40), "white")
    turned = small.resize((120, 90), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    turned.save(file := io.BytesIO(), "PNG", exif=exif)
    yield Image.open(file)


@pytest.mark.parametrize("name", MODELS)
def test_any_picture_and_text_is_as_in_an_index(name: str, archive: Workspace) -> None:
    model, card = resolve(name, archive), lines(archive.model(name))
    pictures = list(photographs())
    views = np.stack([image_view(picture, model.view, Reading()) for picture in pictures])
    ours = ImageEmbedder(model, 4).embed(views)
    theirs = card["embed_images"](pictures).numpy()
    np.testing.assert_allclose((ours * theirs).sum(axis=1), 1, atol=1e-5)
    texts = ["a spiral galaxy", "Jupiter's storms", ""]
    both = TextTower.open(model).embed(texts) * card["embed_texts"](texts).numpy()
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-5)


def test_without_the_lines_a_painted_view_is_lost(archive: Workspace) -> None:
    """Otherwise the tests above would show nothing."""
    folder = archive.model("tiny")
    card, pictures = lines(folder), [opened(pair) for pair in held(archive, "tiny")[0]]
    with_lines = card["embed_images"](pictures)
    card["view"] = lambda picture: picture.convert("RGB")
    without = card["embed_images"](pictures)
    assert float((with_lines * without).sum(axis=1).mean()) < 0.95
    text = (folder / "README.md").read_text()
    assert "without `view` the embeddings are of little use" in " ".join(text.split())
    other = (archive.model("fine") / "README.md").read_text()
    assert "shows square pictures in the same way" in " ".join(other.split())
    assert "scipy" in text and "scipy" not in other


def test_clips_own_view_needs_no_canvas(archive: Workspace) -> None:
    model = resolve("fine", archive)
    view = dataclasses.replace(model.view, kind="clip", crop=1.0)
    card = readme("fine", view, model.card, {}, model.extras, most_tokens=40)
    defined = executed(card, model.path)
    (wide, *_) = photographs()
    assert defined["view"](wide).size == wide.size
