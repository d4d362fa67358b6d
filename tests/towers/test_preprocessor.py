"""The view in `preprocessor_config.json`."""

from __future__ import annotations

from pathlib import Path

import pytest

from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.view import View
from paperclip_cli.towers.preprocessor import CLIP_MEAN, CLIP_STD, Processor

CLIPS = View(kind="clip", crop=1.0, size=224)


@pytest.mark.parametrize(
    ("values", "view"),
    [
        ({}, CLIPS),
        ({"size": 224, "crop_size": 224, "resample": 3}, CLIPS),
        (
            {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}},
            View(kind="clip", crop=0.875, size=224),
        ),
        ({"resample": 2}, View(kind="clip", crop=1.0, size=224, resample="bilinear")),
        ({"do_resize": True, "do_center_crop": True, "do_normalize": True}, CLIPS),
    ],
)
def test_what_it_says_and_what_it_leaves_out(values: dict, view: View) -> None:
    found = Processor(values, Path("preprocessor_config.json")).own_view(224)
    assert found == view and found.store_side == round(224 / view.crop)


@pytest.mark.parametrize(
    "values",
    [
        {"size": {"height": 224, "width": 224}},
        {"size": {"shortest_edge": 200}},
        {"size": {"shortest_edge": 224, "longest_edge": 300}},
        {"size": "large"},
        {"size": None},
        {"size": True},
        {"crop_size": 200},
        {"crop_size": {"height": 224, "width": 200}},
        {"crop_size": {"height": 224}},
        {"do_resize": False},
        {"do_center_crop": None},
        {"do_pad": True, "pad_size": {"height": 300, "width": 300}},
        {"use_square_size": True},
        {"size": 224, "default_to_square": True},
        {"size": [224, 224]},
        {"resample": 6},
        {"resample": -1},
        {"resample": "bicubic"},
        {"resample": [3]},
    ],
)
def test_anything_else_is_refused_by_name(values: dict) -> None:
    with pytest.raises(PaperclipError, match=r"x/preprocessor_config\.json does not resample"):
        Processor(values, Path("x/preprocessor_config.json")).own_view(224)


def test_a_file_that_names_no_size_means_224_pixels_as_in_transformers() -> None:
    assert Processor().own_view(336) == View(kind="clip", crop=1.0, size=336)
    with pytest.raises(PaperclipError, match="central 336 x 336"):
        Processor({"crop_size": 336}, Path("x")).own_view(336)


@pytest.mark.parametrize(
    ("values", "pixel", "seen"),
    [
        ({"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.2, 0.1]}, 51, (-0.6, -1.0, -1.0)),
        ({"image_mean": 0.5, "image_std": 0.25}, 255, (2.0, 2.0, 2.0)),
        ({"do_normalize": False}, 51, (0.2, 0.2, 0.2)),
        ({"do_rescale": False, "do_normalize": False}, 51, (51.0, 51.0, 51.0)),
        ({"do_rescale": None, "do_normalize": None}, 51, (51.0, 51.0, 51.0)),
        ({"do_rescale": False, "image_mean": 100, "image_std": 50}, 150, (1.0, 1.0, 1.0)),
        ({"rescale_factor": 1 / 127.5, "image_mean": 1, "image_std": 1}, 0, (-1.0, -1.0, -1.0)),
    ],
)
def test_the_numbers_of_a_pixel(values: dict, pixel: int, seen: tuple[float, ...]) -> None:
    mean, std = Processor(values).normalisation()
    found = [(pixel / 255 - m) / s for m, s in zip(mean, std, strict=True)]
    assert found == pytest.approx(seen)


@pytest.mark.parametrize(
    "values", [{}, {"do_rescale": True, "do_normalize": True}, {"rescale_factor": 0.0039215686}]
)
def test_clips_own_numbers_are_the_usual_ones_to_the_last_digit(values: dict) -> None:
    assert Processor(values).normalisation() == (CLIP_MEAN, CLIP_STD)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"do_normalize": 1}, "do_normalize is 1, neither true nor false"),
        ({"image_mean": None}, "not three numbers each"),
        ({"do_rescale": "no"}, "do_rescale is 'no', neither true nor false"),
        ({"rescale_factor": None}, "rescale_factor is None, not a positive number"),
        ({"rescale_factor": 0}, "rescale_factor is 0, not a positive number"),
        ({"rescale_factor": float("nan")}, "rescale_factor is nan"),
        ({"image_mean": [0.5, 0.5]}, "not three numbers each"),
        ({"image_mean": [0.5, 0.5, float("nan")]}, "not three numbers each"),
        ({"image_std": [0.5, 0.5, 0]}, "not three numbers each"),
        ({"image_std": "wide"}, "not three numbers each"),
        ({"image_processor_type": "SiglipImageProcessor"}, "of a 'SiglipImageProcessor'"),
        ({"feature_extractor_type": "ViTFeatureExtractor"}, "of a 'ViTFeatureExtractor'"),
    ],
)
def test_what_means_nothing_here_is_named(values: dict, says: str) -> None:
    with pytest.raises(PaperclipError, match=says) as raised:
        Processor(values, Path("x/preprocessor_config.json")).normalisation()
    assert raised.value.message.startswith("x/preprocessor_config.json")
