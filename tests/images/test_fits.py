"""FITS files as pictures: the array that is shown, and the files that are refused."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.errors import BadItem
from paperclip_cli.images import fits as fits_files
from paperclip_cli.images.pictures import quiet_decoders, read_picture
from paperclip_cli.images.stretch import preview_stretch
from tests.images.test_stretch import sky

fits = pytest.importorskip("astropy.io.fits")

TABLE = fits.BinTableHDU.from_columns([fits.Column("flux", "E", array=np.arange(5.0))])


@pytest.fixture
def reading(tmp_path: Path):  # type: ignore[no-untyped-def]
    def read(*hdus, name: str = "image.fits") -> np.ndarray:  # type: ignore[no-untyped-def]
        fits.HDUList(list(hdus)).writeto(tmp_path / name, overwrite=True)
        return read_picture(tmp_path / name)

    return read


def shown(values: np.ndarray) -> np.ndarray:
    """Values as an archive's preview shows them: with the first row at the bottom."""
    return preview_stretch(values)[::-1]


def test_the_first_image_is_the_science_array(reading) -> None:  # type: ignore[no-untyped-def]
    values = sky()
    drizzled = (
        fits.PrimaryHDU(),
        fits.ImageHDU(values, name="SCI"),
        fits.ImageHDU(np.ones_like(values), name="WHT"),
        TABLE,
    )
    assert np.array_equal(reading(*drizzled), shown(values))
    assert np.array_equal(reading(fits.PrimaryHDU(values)), shown(values))


def test_the_first_row_is_at_the_bottom(reading) -> None:  # type: ignore[no-untyped-def]
    values = sky()
    values[:10] = np.nan
    assert (reading(fits.PrimaryHDU(values))[-10:] == 255).all()


def test_what_is_no_image_is_passed_over(reading) -> None:  # type: ignore[no-untyped-def]
    values = sky()
    spectrum, cube = fits.ImageHDU(np.arange(100.0)[None]), fits.ImageHDU(np.ones((3, 20, 20)))
    assert np.array_equal(
        reading(fits.PrimaryHDU(), TABLE, spectrum, cube, fits.ImageHDU(values)), shown(values)
    )


def test_axes_of_length_one_do_not_count(reading) -> None:  # type: ignore[no-untyped-def]
    assert np.array_equal(reading(fits.PrimaryHDU(sky()[None, None])), shown(sky()))


@pytest.mark.parametrize("dtype", ["i2", "u2", "i4", "f8"])
def test_scaled_integers_and_doubles(reading, dtype: str) -> None:  # type: ignore[no-untyped-def]
    values = (sky() * 1e4).clip(0, 60_000).astype(dtype)
    if dtype == "i2":
        values = values.clip(0, 30_000)
    assert np.array_equal(reading(fits.PrimaryHDU(values)), shown(values))


def test_blank_integers_are_white(reading) -> None:  # type: ignore[no-untyped-def]
    hdu = fits.PrimaryHDU((sky() * 1e4).astype("i4"))
    hdu.data[:5] = -999
    hdu.header["BLANK"] = -999
    assert (reading(hdu)[-5:] == 255).all()


def test_scaled_counts_of_zero_are_dark_and_not_blank(reading) -> None:  # type: ignore[no-untyped-def]
    counts = np.random.default_rng(2).poisson(3, (60, 60)).astype("i2")
    counts[20:22, 20:22] = 400
    hdu = fits.PrimaryHDU(counts)
    hdu.scale("int16", bscale=0.5, bzero=0)
    picture = reading(hdu)[::-1]
    assert (picture[counts == 0] < 30).all() and (picture[20:22, 20:22] == 255).all()


def test_big_endian_floats_with_nan(reading, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    values = sky().astype(">f4")
    values[:9, :9] = np.nan
    picture = reading(fits.PrimaryHDU(values))
    assert b"BITPIX  =                  -32" in (tmp_path / "image.fits").read_bytes()
    assert np.array_equal(picture, shown(values)) and (picture[-9:, :9] == 255).all()


@pytest.mark.parametrize("name", ["image.fits.gz", "image.fits"])
def test_gzipped_files_told_by_their_content(reading, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    expected = reading(fits.PrimaryHDU(), fits.ImageHDU(sky()))
    (tmp_path / name).write_bytes(gzip.compress((tmp_path / "image.fits").read_bytes()))
    assert np.array_equal(read_picture(tmp_path / name), expected)


def test_what_unpacks_to_too_much_is_refused_at_the_bound(
    tmp_path: Path, good: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits_files, "MAX_UNPACKED", 2**21)
    (tmp_path / "bomb.fits.gz").write_bytes(gzip.compress(good + bytes(2**24)))
    with pytest.raises(BadItem, match="unpacks to more than"):
        read_picture(tmp_path / "bomb.fits.gz")


def test_gzipped_files_that_are_no_fits_files_are_refused(tmp_path: Path, good: bytes) -> None:
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"no picture"))
    with pytest.raises(BadItem, match="no FITS file inside"):
        read_picture(tmp_path / "text.gz")
    (tmp_path / "cut.fits.gz").write_bytes(gzip.compress(good)[:-100])
    with pytest.raises(BadItem, match="cut short: the gzip file has no end"):
        read_picture(tmp_path / "cut.fits.gz")


def test_another_image_can_be_asked_for_by_number_and_name(reading, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    values, weights = sky(), sky(seed=1)
    reading(
        fits.PrimaryHDU(),
        fits.ImageHDU(values, name="SCI"),
        fits.ImageHDU(weights, name="WHT"),
        TABLE,
    )
    for hdu in (2, "WHT", "wht"):
        assert np.array_equal(read_picture(tmp_path / "image.fits", hdu), shown(weights))

    there = r"no HDU ERR in the FITS file \(it has: 0 PRIMARY, 1 SCI, 2 WHT, 3\)"
    with pytest.raises(BadItem, match=there):
        read_picture(tmp_path / "image.fits", "ERR")
    a_table = "HDU 3 of the FITS file is a table, not an image of at least 8 x 8 pixels"
    with pytest.raises(BadItem, match=a_table):
        read_picture(tmp_path / "image.fits", 3)


def test_zscale_is_astropys(reading, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from astropy.visualization import ZScaleInterval

    values = sky()
    values[:5] = np.nan
    reading(fits.PrimaryHDU(values))
    picture = read_picture(tmp_path / "image.fits", stretch="zscale")[::-1].astype(int)
    expected = np.floor(255 * ZScaleInterval()(values[5:].astype(float)))
    assert (picture[:5] == 255).all() and np.abs(picture[5:] - expected).max() <= 1


def test_tile_compressed_images(reading) -> None:  # type: ignore[no-untyped-def]
    counts = (sky() * 1e4).astype("i4")
    assert np.array_equal(reading(fits.PrimaryHDU(), fits.CompImageHDU(counts)), shown(counts))


@pytest.mark.parametrize(
    "hdus, reason",
    [
        ((fits.PrimaryHDU(), TABLE), "no two-dimensional image .*: it holds a table$"),
        ((fits.PrimaryHDU(),), "no two-dimensional image .*: it holds nothing$"),
        (
            (fits.PrimaryHDU(np.ones(900)),),
            "no two-dimensional image .*: it holds a spectrum of 900$",
        ),
        (
            (fits.PrimaryHDU(np.ones((3, 20, 30))), TABLE),
            "no two-dimensional image .*: it holds an array of 30 x 20 x 3, a table$",
        ),
        ((fits.PrimaryHDU(np.ones((1, 1))),), "no two-dimensional image"),
        ((fits.PrimaryHDU(np.full((30, 30), np.nan)),), "no pixel has a value"),
        ((fits.PrimaryHDU(np.zeros((30, 30))),), "no pixel has a value"),
        ((fits.PrimaryHDU(np.ones((30, 30))),), "the same value"),
    ],
)
def test_files_without_a_picture_are_refused(reading, hdus: tuple, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadItem, match=reason):
        reading(*hdus)


def card(data: bytes, name: str, value: object) -> bytes:
    """A FITS file with another value in one of its header cards."""
    place = data.index(name.ljust(8).encode() + b"=")
    return data[: place + 10] + str(value).rjust(20).encode() + data[place + 30 :]


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    fits.PrimaryHDU(sky()).writeto(tmp_path / "good.fits")
    return (tmp_path / "good.fits").read_bytes()


@pytest.mark.parametrize(
    "damage, reason",
    [
        (
            lambda data: card(card(data, "NAXIS1", 30_000), "NAXIS2", 30_000),
            "too many pixels: 30,000 x 30,000",
        ),
        (
            lambda data: card(card(data, "NAXIS1", 9_000), "NAXIS2", 9_000),
            "cut short: 7,200 of 81,000,000 pixels",
        ),
        (lambda data: card(data, "BITPIX", 999), "damaged FITS file: BITPIX is 999$"),
        (lambda data: card(data, "BITPIX", "x"), "damaged FITS file: BITPIX cannot be read$"),
        (lambda data: card(data, "NAXIS1", -90), "damaged FITS file: NAXIS1 is -90$"),
        (lambda data: card(data, "NAXIS", 10**9), "damaged FITS file: NAXIS is 1000000000$"),
        (lambda data: data[:5_000], r"cut short: 530 of 7,200 pixels\)$"),
        (lambda data: data[:100], r"cut short: 1 card of its header, and no END\)$"),
        (lambda data: card(data, "SIMPLE", "F"), r"does not keep to FITS \(SIMPLE = F\)$"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, good: bytes, damage, reason: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "bad.fits").write_bytes(damage(good))
    with quiet_decoders(), pytest.raises(BadItem, match=reason) as caught:
        read_picture(tmp_path / "bad.fits")
    assert "\n" not in str(caught.value)


def test_nothing_but_bad_item_comes_out_of_damaged_headers(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "fuzzed.fits"

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(9, 800), st.integers(32, 126)), min_size=1, max_size=6),
        st.integers(80, len(good)),
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
