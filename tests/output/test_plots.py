"""Figures: each is drawn as PNG and PDF, whatever its names and titles contain."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paperclip_cli.config.evaluation import PAPER_BATCH, TEXT_TO_IMAGE, UNIQUE
from paperclip_cli.errors import PaperclipError
from paperclip_cli.evaluation.plot_data import (
    Curve,
    Figures,
    Gallery,
    Picture,
    Similarities,
    TrainingLog,
    curve,
    similarities,
)
from paperclip_cli.evaluation.retrieval import Embeddings, measure, similarity, standing
from paperclip_cli.evaluation.table import CONTROL, MODEL, Contestant
from paperclip_cli.install import extra_line
from paperclip_cli.output import plots

NASTY = "cost $5_a$ \\frac{ \x1b[31m and " + "a long title " * 8


def drawn() -> Figures:
    rng = np.random.default_rng(0)
    lines = [
        {
            "step": step,
            "loss": 5 - step / 100,
            "validation_loss": 4.0,
            "validation_accuracy_10": None,
        }
        for step in range(1, 40)
    ]
    steps = np.linspace(0.01, 1, 30)
    curves = [
        Curve(
            name=name,
            role=role,
            protocol=PAPER_BATCH,
            direction=TEXT_TO_IMAGE,
            fraction=steps,
            accuracy=steps,
            low=steps * 0.9,
            high=steps,
        )
        for name, role in ((NASTY, MODEL), ("control", CONTROL))
    ]
    pictures = [
        Picture(rng.integers(0, 255, (32, 32, *colours), np.uint8), "hst:1", NASTY)
        for colours in ((), (3,))
    ]
    gallery = Gallery(
        NASTY,
        [(NASTY, [(pictures[0], 0.4), (pictures[1], -0.1)]), ("one only", [(pictures[1], 0.2)])],
        [(picture, [("dust", 0.3), (NASTY, -0.2)]) for picture in pictures],
    )
    cosines = rng.normal(size=(2, 50))
    return Figures(
        [TrainingLog(NASTY, lines, True)],
        [Similarities(NASTY, *cosines), Similarities("other", *cosines)],
        curves,
        [gallery],
    )


@pytest.mark.filterwarnings("error:constrained_layout")
def test_every_figure_is_drawn_in_both_formats_and_the_same_again(tmp_path: Path) -> None:
    files = plots.draw(drawn(), tmp_path / "one")
    names = (
        "training",
        "similarity",
        "retrieval-text-to-image",
        "images-by-text",
        "texts-by-image",
    )
    assert sorted(path.name for path in files) == sorted(
        f"{name}.{form}" for name in names for form in ("png", "pdf")
    )
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(
        path.name for path in files
    )
    for path in files:
        if path.suffix == ".png":
            pixels = np.asarray(Image.open(path).convert("RGB"))
            assert min(pixels.shape[:2]) > 300
            assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
        else:
            content = path.read_bytes()
            assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")

    # Figures without data are not drawn, and equal data give equal files.
    again = plots.draw(Figures([], [], drawn().curves, []), tmp_path / "two")
    assert [path.name for path in again] == [
        "retrieval-text-to-image.png",
        "retrieval-text-to-image.pdf",
    ]
    assert all(path.read_bytes() == (tmp_path / "one" / path.name).read_bytes() for path in again)


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plots.require_matplotlib()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PaperclipError) as caught:
        plots.require_matplotlib()
    assert caught.value.hint == extra_line("plots")


def test_a_curve_goes_through_what_the_table_says() -> None:
    rng = np.random.default_rng(1)
    found = Embeddings(
        rng.normal(size=(80, 8)).astype(np.float32),
        rng.normal(size=(40, 8)).astype(np.float32),
        np.arange(80) % 40,
        np.arange(80) % 40,
    )
    contestant = Contestant(name="random", role=MODEL, found=found, trained_on=np.zeros(80, bool))
    made, table = (
        curve(contestant, UNIQUE, TEXT_TO_IMAGE),
        measure(standing(found, UNIQUE, TEXT_TO_IMAGE), found.proposal),
    )
    for percent in (5, 10, 20):
        place = int(np.flatnonzero(np.isclose(made.fraction, percent / 100))[0])
        assert made.accuracy[place] == pytest.approx(table.by_image[percent])
        assert (made.low[place], made.high[place]) == pytest.approx(table.interval[percent])
    assert made.accuracy[-1] == 1.0 and made.fraction[-1] == 1.0
    assert (np.diff(made.accuracy) >= 0).all()

    histogram = similarities(contestant)
    cosines = (found.images * found.texts[found.caption]).sum(axis=1)
    np.testing.assert_allclose(histogram.true, cosines, atol=1e-5)
    assert len(histogram.shuffled) == 80 * 39
    means = histogram.true.mean(), histogram.shuffled.mean()
    assert means == pytest.approx(similarity(found), abs=1e-5), "as `evaluate` prints them"


def test_a_histogram_of_too_many_pairs_is_one_of_some_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(2)
    found = Embeddings(
        rng.normal(size=(90, 8)).astype(np.float32),
        rng.normal(size=(30, 8)).astype(np.float32),
        np.arange(90) % 30,
        np.arange(90) % 30,
    )
    monkeypatch.setattr("paperclip_cli.evaluation.plot_data._MOST_PAIRS", 1_000)
    histogram = similarities(
        Contestant(name="random", role=MODEL, found=found, trained_on=np.zeros(90, bool))
    )
    assert len(histogram.true) == 90 and len(histogram.shuffled) == 30 * 29


def test_one_caption_has_no_other() -> None:
    found = Embeddings(
        np.eye(3, dtype=np.float32),
        np.eye(3, dtype=np.float32)[:1],
        np.zeros(3, int),
        np.zeros(3, int),
    )
    histogram = similarities(
        Contestant(name="lonely", role=MODEL, found=found, trained_on=np.zeros(3, bool))
    )
    assert not len(histogram.shuffled)
    legend = plots._similarity([histogram]).axes[0].get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == [
        "true pairs, mean 0.333"
    ]
