"""The images of rows: read by content, made into our canvas, and never from outside."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paperclip_cli.dataset import row_images
from paperclip_cli.dataset.columns import LeftOut
from paperclip_cli.dataset.row_images import Places, jpeg_of, name_of, parts
from paperclip_cli.errors import BadItem
from paperclip_cli.images.pictures import decode_jpeg, make_canvas, read_picture
from tests.foreign_datasets import encoded, picture


@pytest.fixture
def places(tmp_path: Path) -> Places:
    folder = tmp_path / "theirs"
    folder.mkdir()
    picture(1).save(folder / "1.png")
    picture(2).save(tmp_path / "private.png")
    return Places(folder, folder)


def pixels(data: bytes) -> np.ndarray:
    return decode_jpeg(data).astype(int)


def of_mode(mode: str) -> Image.Image:
    """A picture of 600 x 400 pixels."""
    ramp = np.add.outer(np.arange(400), np.arange(600))
    if mode == "I;16":
        return Image.fromarray((ramp * 64).astype(np.uint16))
    grey = Image.fromarray((ramp // 4).astype(np.uint8))
    if mode == "RGBA":
        grey.putalpha(Image.fromarray(np.where(ramp < 300, 0, 255).astype(np.uint8)))
        return grey.convert("RGBA")
    return Image.merge("RGB", [grey, grey.point(lambda v: v // 2), grey]) if mode == "RGB" else grey


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_bytes_and_files_become_the_canvas_of_fetch(places: Places, mode: str) -> None:
    file = places.folder / "there.png"
    of_mode(mode).save(file)
    wanted = make_canvas(read_picture(file), 512)
    assert wanted.shape == (512, 512) + ((3,) if mode == "RGB" else ())
    made = jpeg_of(file.read_bytes(), "", places)
    assert made == jpeg_of(None, "there.png", places) == jpeg_of(None, str(file), places)
    np.testing.assert_allclose(pixels(made), wanted.astype(int), atol=16)
    assert np.abs(pixels(made) - wanted).mean() < 1


def test_fits_bytes_are_read_like_the_file(places: Places) -> None:
    from astropy.io import fits

    values = np.random.default_rng(0).normal(10, 1, (60, 80)).astype(np.float32)
    file = places.folder / "a.fits"
    fits.PrimaryHDU(values).writeto(file)
    assert jpeg_of(file.read_bytes(), "", places) == jpeg_of(None, "a.fits", places)


def test_a_jpeg_that_is_a_canvas_is_kept_and_no_other(places: Places) -> None:
    square = Image.fromarray(np.asarray(picture(0))[:, :36])
    grey, colour = encoded(square, "JPEG"), encoded(square.convert("RGB"), "JPEG")
    tinted = encoded(Image.merge("RGB", [square, square, square.point(lambda v: v // 2)]), "JPEG")
    assert jpeg_of(grey, "", places) == grey and jpeg_of(tinted, "", places) == tinted
    assert len(decode_jpeg(jpeg_of(colour, "", places)).shape) == 2, "three equal channels"
    assert Image.open(io.BytesIO(jpeg_of(colour, "", places))).mode == "L"
    ballast = grey + b"\0" * 2**20
    assert len(jpeg_of(ballast, "", places)) < 2**16
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 3
    square.save(turned, "JPEG", exif=exif)
    assert jpeg_of(turned.getvalue(), "", places) != turned.getvalue()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("/etc/passwd", "outside the dataset"),
        ("../private.png", "outside the dataset"),
        ("link.png", "outside the dataset"),
        ("sub/../../private.png", "outside the dataset"),
        ("round.png", "no such file"),
        ("a" * 300, "no such file"),
        ("https://example.org/a.png", "an address"),
        ("file:///etc/passwd", "an address"),
        ("hf://datasets/org/name/a.png", "an address"),
        ("zip://a.png::../theirs.zip", "outside the dataset"),
        ("zip://a.png::https://example.org/a.zip", "an address"),
        ("zip://gone.png::there.zip", "cannot be read from there.zip"),
        ("zip://a.png::1.png", "cannot be read from 1.png"),
        ("a\0.png", "an address"),
        ("gone.png", "no such file"),
        (".", "no such file"),
        ("1.png/x", "no such file"),
    ],
)
def test_an_image_elsewhere_is_refused(places: Places, said: str, reason: str) -> None:
    (places.folder / "link.png").symlink_to(places.folder.parent / "private.png")
    (places.folder / "round.png").symlink_to("round.png")
    with zipfile.ZipFile(places.folder / "there.zip", "w") as archive:
        archive.write(places.folder / "1.png", "a.png")
    with pytest.raises(BadItem, match=reason):
        jpeg_of(None, said, places)


def test_images_in_zip_files_and_behind_links_of_the_hubs_cache(places: Places) -> None:
    with zipfile.ZipFile(places.folder / "there.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(places.folder / "1.png", "in/a.png")
    plain = jpeg_of(None, "1.png", places)
    inside = f"zip://in/a.png::{places.folder}/there.zip"
    assert jpeg_of(None, inside, places) == plain
    (places.folder / "snapshot").mkdir()
    (places.folder / "snapshot" / "a.png").symlink_to("../1.png")
    snapshot = Places(places.folder / "snapshot", places.folder)
    assert jpeg_of(None, "a.png", snapshot) == plain


def test_a_zip_file_that_unpacks_to_too_much(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_images, "MOST_BYTES", 1000)
    with zipfile.ZipFile(places.folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(2000))
    with pytest.raises(BadItem, match="unpacks to more than"):
        jpeg_of(None, "zip://a.png::bomb.zip", places)


@pytest.mark.parametrize("data", [b"not an image", b"GIF89a" + bytes(99), encoded(picture(1))[:99]])
def test_other_bytes_are_no_image(places: Places, data: bytes) -> None:
    with pytest.raises(BadItem):
        jpeg_of(data, "1.png", places)


def test_what_a_cell_holds() -> None:
    assert parts("a.png") == (None, "a.png") and parts(b"x") == (b"x", "")
    assert parts({"bytes": b"x", "path": "a"}) == (b"x", "a")
    assert parts({"bytes": None, "path": "a"}) == (None, "a")
    for none in (None, "", b"", {}, {"bytes": None, "path": None}, {"bytes": "x"}, 5, [b"x"]):
        with pytest.raises(LeftOut, match="rows without an image"):
            parts(none)


def test_names_lead_nowhere(places: Places) -> None:
    for path, name in {
        "hst/proposal_1/a.jpg": "hst/proposal_1/a.jpg",
        str(places.folder / "train" / "a.png"): "train/a.png",
        "/etc/passwd": "passwd",
        "../../a.png": "a.png",
        "zip://in/a.png::/x/there.zip": "in/a.png",
        "https://example.org/a.png": "a.png",
        "": "train-7",
    }.items():
        assert name_of(path, places, "train-7") == name
