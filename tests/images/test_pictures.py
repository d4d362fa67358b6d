"""The path from a file to a model's view, and the files that are refused."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from paperclip_cli.errors import BadItem
from paperclip_cli.images.pictures import (
    View,
    centre_view,
    decode_jpeg,
    encode_jpeg,
    fill_no_data,
    make_canvas,
    no_data,
    picture_of,
    quiet_decoders,
    read_picture,
    store_image,
)

GREY = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(picture: np.ndarray | Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, form, **options)
    return file.getvalue()


def png(width: int, height: int) -> bytes:
    """A PNG whose header claims this size, with hardly any pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


@pytest.fixture
def reading(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A function that reads bytes as if they were a file of that name."""

    def read(data: bytes, name: str = "image") -> np.ndarray:
        (tmp_path / name).write_bytes(data)
        return read_picture(tmp_path / name)

    return read


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_lossless_pictures_are_read_as_they_are(reading, form: str) -> None:  # type: ignore[no-untyped-def]
    assert np.array_equal(reading(encoded(GREY, form)), GREY)
    assert np.array_equal(reading(encoded(COLOUR, form)), COLOUR)


def test_the_content_counts_and_not_the_name(reading) -> None:  # type: ignore[no-untyped-def]
    assert np.array_equal(reading(encoded(GREY, "PNG"), "really.jpg"), GREY)


def test_three_equal_channels_become_one(reading) -> None:  # type: ignore[no-untyped-def]
    three = np.repeat(GREY[..., None], 3, axis=2)
    assert np.array_equal(reading(encoded(three, "PNG")), GREY)
    assert reading(encoded(three, "JPEG")).shape == GREY.shape
    three[0, 0, 2] ^= 1
    assert reading(encoded(three, "PNG")).shape == three.shape


@pytest.mark.parametrize(
    "scale, dtype",
    [(257, np.uint16), (16, np.uint16), (1, np.uint16), (1, np.int32), (1 / 255, np.float32)],
)
def test_deeper_pictures_are_scaled_to_the_same(reading, scale: float, dtype: type) -> None:  # type: ignore[no-untyped-def]
    """16 bits, 12 in 16 (255 * 16 is not quite 4095), 8 in 16 and in 32, and floats up to 1."""
    form = "PNG" if dtype is np.uint16 else "TIFF"
    read = reading(encoded((GREY * np.float64(scale)).astype(dtype), form))
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - GREY).max() <= (1 if scale == 16 else 0)


def test_floats_without_a_white_are_stretched(reading) -> None:  # type: ignore[no-untyped-def]
    counts = np.random.default_rng(2).normal(100, 1, (40, 60)).astype(np.float32)
    counts[10, 10], counts[0] = 1e5, np.nan
    read = reading(encoded(counts, "TIFF"))
    assert (read[0] == 255).all() and read[10, 10] == 255 and np.median(read[1:]) < 128


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_gives_8_bits(reading, mode: str) -> None:  # type: ignore[no-untyped-def]
    read = reading(
        encoded(Image.fromarray(COLOUR).convert(mode), "TIFF" if mode == "CMYK" else "PNG")
    )
    assert read.dtype == np.uint8 and read.shape[:2] == (40, 60)


def test_what_is_transparent_is_white(reading) -> None:  # type: ignore[no-untyped-def]
    half = Image.fromarray(GREY).convert("RGBA")
    alpha = np.where(np.arange(60) < 30, 255, 0).astype(np.uint8)[None].repeat(40, 0)
    half.putalpha(Image.fromarray(alpha))
    read = reading(encoded(half, "PNG"))
    assert np.array_equal(read[:, :30], GREY[:, :30]) and (read[:, 30:] == 255).all()


def test_pictures_are_turned_the_right_way_up(reading) -> None:  # type: ignore[no-untyped-def]
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    assert np.array_equal(reading(encoded(GREY, "PNG", exif=exif)), np.rot90(GREY, -1))


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "an empty file"),
        (b"a text", "not a JPEG, PNG, TIFF or FITS file"),
        (b"<html><body>503</body></html>", "not a JPEG, PNG, TIFF or FITS file"),
        (b"\x1f\x8b\x08\x00", "damaged FITS file .cut short: the gzip file has no end.$"),
        (encoded(GREY, "GIF"), "not a JPEG, PNG, TIFF or FITS file"),
        (encoded(COLOUR, "JPEG")[:-200], "damaged: .*truncated"),
        (encoded(COLOUR, "JPEG")[:-1], "damaged: .*truncated"),
        (encoded(COLOUR, "JPEG", progressive=True)[:-200], "damaged: .*truncated"),
        (encoded(COLOUR, "JPEG")[:40], "damaged"),
        (encoded(COLOUR, "PNG")[:-200], "damaged"),
        (encoded(COLOUR, "TIFF")[:-200], "damaged"),
        (png(1, 1), "too few pixels: 1 x 1"),
        (png(30_000, 30_000), "too many pixels: 30,000 x 30,000"),
        (png(2**31 - 1, 2**31 - 1), "too many pixels"),
        (png(0, 100), "damaged"),
        (png(100, 100), "damaged"),
    ],
)
def test_bad_files_are_refused_with_a_reason(reading, data: bytes, reason: str) -> None:  # type: ignore[no-untyped-def]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadItem, match=reason) as caught:
            reading(data, "image.jpg")
    assert "\n" not in str(caught.value)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadItem, match="cannot be read"):
        read_picture(tmp_path / "missing.jpg")
    with pytest.raises(BadItem, match="cannot be read"):
        read_picture(tmp_path)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_nothing_but_bad_item_comes_out_of_damaged_files(tmp_path: Path, form: str) -> None:
    good = encoded(COLOUR, form)
    path = tmp_path / "fuzzed"

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), min_size=1, max_size=8
        ),
        st.integers(8, len(good)),
    )
    def check(changes: list[tuple[int, int]], length: int) -> None:
        data = bytearray(good)
        for place, value in changes:
            data[place] = value
        path.write_bytes(data[:length])
        with contextlib.suppress(BadItem):
            assert read_picture(path).dtype == np.uint8

    with quiet_decoders():
        check()


def test_large_archive_previews_pass_without_a_warning(reading) -> None:  # type: ignore[no-untyped-def]
    """Drizzled mosaics are larger than the size at which Pillow itself warns."""
    data = encoded(Image.new("L", (12_000, 8_000), 7), "PNG", compress_level=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reading(data).shape == (8_000, 12_000)


def test_the_real_full_size_preview(real_sample: Path) -> None:
    (path,) = (real_sample / "hst" / "observations" / "proposal_15354").iterdir()
    picture = read_picture(path)
    canvas = make_canvas(picture, 512)
    assert picture.shape == (4423, 4543) and canvas.shape == (512, 512)
    assert (canvas[:5] == 255).all()  # the white around the field, and the padding
    assert abs(canvas.mean() - (picture.mean() * 498 + 255 * 14) / 512) < 1


@given(st.integers(1, 90), st.integers(1, 90), st.integers(16, 64), st.booleans())
def test_a_canvas_is_the_square_of_the_longest_side(
    height: int, width: int, size: int, colour: bool
) -> None:
    picture = np.zeros((height, width, 3) if colour else (height, width), np.uint8)
    canvas = make_canvas(picture, size)
    side = min(size, max(height, width))
    assert canvas.shape == (side, side, *picture.shape[2:])

    dark = np.argwhere((canvas if canvas.ndim == 2 else canvas[..., 0]) == 0)
    (top, left), (bottom, right) = dark.min(0), dark.max(0)
    assert abs(top - (side - 1 - bottom)) <= 1  # in the middle
    assert abs(left - (side - 1 - right)) <= 1
    assert max(bottom - top, right - left) == side - 1

    scale = min(1, size / max(height, width))
    assert abs((bottom - top + 1) - height * scale) <= 1
    assert abs((right - left + 1) - width * scale) <= 1


def test_small_pictures_are_not_enlarged() -> None:
    canvas = make_canvas(GREY, 512, pad=9)
    assert np.array_equal(canvas[10:50], GREY)
    assert (canvas[:10] == 9).all() and (canvas[50:] == 9).all()


@pytest.mark.parametrize("picture", [GREY[:, :40], COLOUR[:, :40]])
def test_jpegs_keep_their_channels(picture: np.ndarray) -> None:
    data = encode_jpeg(picture)
    assert decode_jpeg(data).shape == picture.shape
    assert Image.open(io.BytesIO(data)).mode == ("L" if picture.ndim == 2 else "RGB")
    assert np.abs(decode_jpeg(data).astype(int) - picture).mean() < 4


def test_decode_jpeg_refuses_what_is_none() -> None:
    for data in (b"", encoded(GREY, "PNG"), encoded(GREY, "JPEG")[:100]):
        with pytest.raises(BadItem):
            decode_jpeg(data)


def test_the_centre_view_is_the_middle_of_the_canvas() -> None:
    """The paper's view: 224 of 512 pixels, here without any resampling."""
    canvas = np.arange(512 * 512, dtype=np.uint32).reshape(512, 512).astype(np.uint8)
    view = centre_view(canvas, View())
    assert view.shape == (224, 224, 3)
    assert np.array_equal(view[..., 0], canvas[144:368, 144:368])
    assert np.array_equal(view[..., 0], view[..., 2])


def test_the_whole_view_is_the_canvas() -> None:
    canvas = make_canvas(COLOUR, 60)
    assert np.array_equal(centre_view(canvas, View(kind="whole", size=60)), canvas)
    assert centre_view(canvas, View(kind="whole", size=32)).shape == (32, 32, 3)


@given(
    st.sampled_from([16, 31, 64]),
    st.sampled_from([8, 15, 32]),
    st.sampled_from([0.3, 0.4375, 0.875, 1.0]),
    st.booleans(),
)
def test_a_flat_canvas_stays_flat(side: int, size: int, crop: float, colour: bool) -> None:
    view = View(kind="centre", crop=crop, size=size)
    store = store_image(np.full((side, side, 3) if colour else (side, side), 77, np.uint8), view)
    assert store.shape == (view.store_side, view.store_side, 3) and (store == 77).all()


@given(st.integers(0, 234), st.integers(2, 20), st.booleans())
def test_no_data_becomes_the_sky_and_what_has_data_stays(
    sky: int, margin: int, colour: bool
) -> None:
    canvas = np.full((64, 64), 255, np.uint8)
    canvas[margin:-margin, margin:-margin] = sky
    canvas[31:33, 31:33] = 255  # a saturated star: white, but not at the border
    canvas[20, margin:-margin] = 255  # a gap between two chips, which reaches the border
    if colour:
        canvas = np.stack([canvas, canvas // 2 + 127, canvas], axis=2)

    filled = fill_no_data(canvas)
    assert (filled[31:33, 31:33] == canvas[31:33, 31:33]).all()
    assert (filled[23:31, 23:41] == canvas[23:31, 23:41]).all()
    assert (filled[20, 5] == filled[0, 0]).all() and (filled[0, 0] == canvas[25, 25]).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([(24, 24), (24, 24, 3)]), st.floats(0, 0.9))
def test_what_is_painted_and_with_what_is_as_scipy_and_numpy_have_it(
    seed: int, shape: tuple[int, ...], share: float
) -> None:
    rng = np.random.default_rng(seed)
    white = rng.random((24, 24, *[1] * (len(shape) - 2))) < share
    canvas = np.where(white, 255, rng.integers(0, 256, shape)).astype(np.uint8)

    empty = ndimage.binary_dilation(no_data(canvas), iterations=2)
    expected = canvas.copy()
    if empty.any() and not empty.all():
        expected[empty] = np.median(canvas[~empty], axis=0).astype(np.uint8)
    np.testing.assert_array_equal(fill_no_data(canvas), expected)


def test_a_white_canvas_stays_white() -> None:
    canvas = np.full((16, 16), 255, np.uint8)
    assert fill_no_data(canvas) is canvas
    assert fill_no_data(np.zeros((16, 16), np.uint8)).max() == 0


def test_a_view_can_be_filled() -> None:
    canvas = make_canvas(np.full((40, 100), 50, np.uint8), 100)
    assert (centre_view(canvas, View(kind="whole", size=50, fill="sky")) == 50).all()
    assert centre_view(canvas, View(kind="whole", size=50))[0, 0, 0] == 255


def test_an_image_in_memory_is_treated_as_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = {
        "grey.png": rng.integers(0, 256, (19, 17), np.uint8),
        "colour.png": rng.integers(0, 256, (19, 17, 3), np.uint8),
        "transparent.png": rng.integers(0, 256, (19, 17, 4), np.uint8),
        "deep.png": rng.integers(0, 65536, (19, 17), np.uint16),
        "float.tiff": rng.normal(size=(19, 17)).astype(np.float32),
        "unit.tiff": rng.random((19, 17), np.float32),
    }
    for name, values in files.items():
        Image.fromarray(values).save(tmp_path / name)
        from_file = read_picture(tmp_path / name)
        np.testing.assert_array_equal(picture_of(values), from_file, name)
        with Image.open(tmp_path / name) as opened:
            np.testing.assert_array_equal(picture_of(opened), from_file, name)
    np.testing.assert_array_equal(picture_of(files["grey.png"][..., None]), files["grey.png"])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros(5), r"an array \[5\] of float64 is not an image"),
        (np.zeros((2, 2, 2), np.uint8), r"\[2, 2, 2\] of uint8 is not an image"),
        (np.zeros((0, 4), np.uint8), "is not an image"),
        (np.zeros((16, 16), complex), "complex128 is not an image"),
        (np.zeros((16, 16), bool), "bool is not an image"),
        (np.zeros((16, 16, 3), np.float32), "a colour image is an array of uint8"),
        (np.full((16, 16), np.nan), "no pixel has a value"),
        (np.broadcast_to(np.uint8(0), (2**15, 2**15)), "pixels"),
    ],
)
def test_an_array_that_is_no_image_is_refused(values: np.ndarray, reason: str) -> None:
    with pytest.raises(BadItem, match=reason):
        picture_of(values)
