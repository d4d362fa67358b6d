"""Controls find what they are told about, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from paperclip_cli.evaluation import controls, retrieval
from paperclip_cli.evaluation.held_out import HeldOut
from paperclip_cli.images.pictures import make_canvas

KNOWN = [
    "comet tail dust",
    "comet tail gas",
    "comet dust gas tail",
    "galaxy arms disk",
    "galaxy disk bulge",
    "galaxy bulge arms disk",
]
SPLIT = HeldOut(
    ["a comet with a tail", "the disk of a galaxy"],
    np.asarray([0, 1, 0, 1]),
    np.asarray([0, 1, 2, 3]),
)


def first_hits(found: retrieval.Embeddings) -> list[float]:
    return retrieval.standing(found).rank.tolist()


def test_neighbours_lead_to_their_captions() -> None:
    """Statistics that tell two kinds apart find the caption; one that is always equal is chance."""
    kinds = np.asarray([[0.0], [10.0], [1.0], [11.0]])
    known = np.asarray([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    assert controls.NEIGHBOURS == 5  # of six: all but one, so that the sixth decides
    assert first_hits(controls.by_neighbours(SPLIT, kinds, KNOWN, known)) == [1.0] * 4
    assert first_hits(controls.by_neighbours(SPLIT, -kinds, KNOWN, known)) != [1.0] * 4


def test_a_group_leads_to_the_captions_of_training_and_an_unknown_one_nowhere() -> None:
    known = ["WFC3"] * 3 + ["ACS"] * 3
    right, wrong = ["WFC3", "ACS"] * 2, ["ACS", "WFC3"] * 2
    assert first_hits(controls.by_group(SPLIT, right, KNOWN, known)) == [1.0] * 4
    assert first_hits(controls.by_group(SPLIT, wrong, KNOWN, known)) == [2.0] * 4
    assert first_hits(controls.by_group(SPLIT, ["NIRCam"] * 4, KNOWN, known)) == [1.5] * 4
    assert first_hits(controls.by_group(SPLIT, ["all"] * 4, KNOWN, ["all"] * 6)) == [1.5] * 4


def test_a_header_leads_to_the_captions_that_hold_its_words() -> None:
    found = controls.by_header(
        SPLIT, [["comet"], ["galaxy"], ["f814w"], ["comet"]], [text.split() for text in SPLIT.texts]
    )
    assert first_hits(found) == [1.0, 1.0, 1.5, 2.0]


def test_statistics_of_a_picture_are_those_of_its_canvas_without_padding() -> None:
    """Width, height, mean, saturation, border, deviation, dark pixels; padding does not count."""
    picture = np.zeros((30, 50, 3), np.uint8)
    picture[10:20, 10:30, 0] = 255
    found = controls.statistics(picture)
    red = 200 / 1500 / 3
    assert found == pytest.approx(
        [50, 30, red, 3 * red, 0, np.sqrt(200 / 1500 / 9 - red**2), 1 - 200 / 1500], rel=1e-4
    )
    np.testing.assert_array_equal(controls.without_padding(make_canvas(picture, 512)), picture)
    grey = np.full((20, 20), 128, np.uint8)
    assert controls.statistics(grey) == pytest.approx(
        [20, 20, 128 / 255, 0, 128 / 255, 0, 0], abs=1e-6
    )
    white = np.full((20, 20), 255, np.uint8)
    np.testing.assert_array_equal(controls.without_padding(white), white)
