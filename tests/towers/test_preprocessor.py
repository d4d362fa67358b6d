"""The view in `preprocessor_config.json`."""

from __future__ import annotations

from pathlib import Path

import pytest

from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.view import View
from paperclip_cli.towers.preprocessor import own_view

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
    found = own_view(values, Path("preprocessor_config.json"), 224)
    assert found == view and found.store_side == round(224 / view.crop)


@pytest.mark.parametrize(
    "values",
    [
        {"size": {"height": 224, "width": 224}},
        {"size": {"shortest_edge": 200}},
        {"size": {"shortest_edge": 224, "longest_edge": 300}},
        {"size": "large"},
        {"size": True},
        {"crop_size": 200},
        {"crop_size": {"height": 224, "width": 200}},
        {"crop_size": {"height": 224}},
        {"do_resize": False},
        {"do_center_crop": None},
        {"resample": 6},
        {"resample": -1},
        {"resample": "bicubic"},
        {"resample": [3]},
    ],
)
def test_anything_else_is_refused_by_name(values: dict) -> None:
    with pytest.raises(PaperclipError, match=r"x/preprocessor_config\.json does not resample"):
        own_view(values, Path("x/preprocessor_config.json"), 224)
