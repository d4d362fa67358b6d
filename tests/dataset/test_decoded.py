"""Decoded images of a split: how they are stored, and when they are decoded again."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paperclip_cli.dataset.decoded import centre, open_store
from paperclip_cli.dataset.pairs import Pair
from paperclip_cli.errors import PaperclipError
from paperclip_cli.images.pictures import centre_view, decode_jpeg, encode_jpeg, store_image
from paperclip_cli.images.view import View
from paperclip_cli.progress import SilentProgress
from paperclip_cli.records import Key, Observation

VIEW = View(crop=0.8, size=16)


def pair(number: int, grey: bool = False, image: bytes | None = None) -> Pair:
    rng = np.random.default_rng(number)
    canvas = rng.integers(0, 256, (40, 40) if grey else (40, 40, 3), dtype=np.uint8)
    return Pair(
        key=Key("local", number),
        image=image or encode_jpeg(canvas),
        caption="",
        abstract="",
        summary=None,
        seen_sky=None,
        seen_text=None,
        observation=Observation(),
        title="",
        category="",
        path=f"{number}.jpg",
    )


def opened(pairs: list[Pair], folder: Path, view: View = VIEW) -> np.ndarray:
    return open_store(pairs, view, folder / "train", SilentProgress())


def test_the_store_is_what_views_are_cut_from(tmp_path: Path) -> None:
    pairs = [pair(i) for i in range(50)]
    store = opened(pairs, tmp_path)
    assert isinstance(store, np.memmap) and not store.flags.writeable and store.dtype == np.uint8
    for image, one in zip(store, pairs, strict=True):
        np.testing.assert_array_equal(image, store_image(decode_jpeg(one.image), VIEW))
    views = centre(store, VIEW.size)
    np.testing.assert_array_equal(views[3], centre_view(decode_jpeg(pairs[3].image), VIEW))


def test_grey_images_take_one_channel_unless_one_has_colour(tmp_path: Path) -> None:
    grey = [pair(i, grey=True) for i in range(3)]
    assert opened(grey, tmp_path / "grey").shape == (3, 20, 20, 1)
    mixed = opened([*grey, pair(9)], tmp_path / "mixed")
    assert mixed.shape == (4, 20, 20, 3)
    np.testing.assert_array_equal(mixed[0], store_image(decode_jpeg(grey[0].image), VIEW))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"a comment"}])
def test_grey_is_told_from_the_header_whatever_comes_before_it(
    tmp_path: Path, options: dict
) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(file, "JPEG", **options)
    assert opened([pair(0, image=file.getvalue())], tmp_path).shape == (1, 20, 20, 1)


def test_it_is_decoded_once_and_again_when_images_or_view_change(tmp_path: Path) -> None:
    pairs = [pair(i) for i in range(4)]
    opened(pairs, tmp_path)
    (first,) = tmp_path.iterdir()
    stamp = first.stat().st_mtime_ns
    opened(pairs, tmp_path)
    assert [file.stat().st_mtime_ns for file in tmp_path.iterdir()] == [stamp]
    opened(pairs[::-1], tmp_path)
    (second,) = tmp_path.iterdir()
    assert second != first
    assert opened(pairs, tmp_path, View(size=16)).shape[1] == 37
    assert len(list(tmp_path.iterdir())) == 1


def test_a_store_in_use_outlives_its_replacement(tmp_path: Path) -> None:
    old = opened([pair(0)], tmp_path)
    before = old.copy()
    opened([pair(1)], tmp_path)
    np.testing.assert_array_equal(old, before)


def test_a_damaged_image_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    whole = pair(1).image
    with pytest.raises(PaperclipError, match=r"2\.jpg.*damaged"):
        opened([pair(1), pair(2, image=whole[: len(whole) // 2])], tmp_path)
    assert not list(tmp_path.iterdir())
