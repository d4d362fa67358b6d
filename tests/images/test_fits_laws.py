"""Laws of the readers of FITS: good files are read as astropy reads them."""

from __future__ import annotations

import io
import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from paperclip_cli.images.fits_cards import Cards, card_of
from paperclip_cli.images.fits_hdus import read_hdus
from paperclip_cli.images.fits_pixels import read_pixels
from paperclip_cli.images.fits_wcs_full import full_sky
from paperclip_cli.images.fits_wcs_plain import plain_sky
from tests.images.test_odd_headers import arcseconds

fits = pytest.importorskip("astropy.io.fits")

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=150)
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1, max_size=8)
RESERVED = {"END", "COMMENT", "HISTORY", "CONTINUE", "SIMPLE", "XTENSION", "BITPIX"}


@settings(max_examples=300)
@given(st.dictionaries(NAMES, VALUES, max_size=12))
def test_cards_are_astropys(values: dict) -> None:
    assume(not values.keys() & RESERVED)
    header = fits.Header([(name, value, "a comment") for name, value in values.items()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)  # a comment that is cut
        data = header.tostring()
    cards, read = Cards(data.encode()), fits.Header.fromstring(data)
    for name, value in values.items():
        # A text against what was written: astropy reads its own card of `'/` as `'`.
        expected = value.rstrip() if isinstance(value, str) else read[name]
        assert cards.value(name) == expected and type(cards.value(name)) is type(expected)


@given(NAMES, VALUES)
def test_a_card_that_is_written_is_read(name: str, value: object) -> None:
    assume(name not in RESERVED and not (isinstance(value, str) and len(value) > 30))
    cards = Cards(card_of(name, value))  # type: ignore[arg-type]
    assert cards.value(name) == (value.rstrip() if isinstance(value, str) else value)


@given(
    st.sampled_from(["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]),
    st.sampled_from([(), (1,), (1, 1)]),
    st.sampled_from([None, (0.5, 0.0), (1.0, 32.0), (-2.5, 1e5)]),
    st.booleans(),
    st.integers(0, 99),
)
def test_pixels_are_astropys(
    dtype: str, leading: tuple, scaling: tuple | None, has_blank: bool, seed: int
) -> None:
    raw = np.random.default_rng(seed).bytes(12 * 17 * np.dtype(dtype).itemsize)
    with np.errstate(all="ignore"):
        values = np.nan_to_num(np.frombuffer(raw, dtype).reshape(*leading, 12, 17))
    hdu = fits.PrimaryHDU(values)
    if scaling is not None and dtype in ("i2", "i4", "f4", "f8"):
        hdu.header["BSCALE"], hdu.header["BZERO"] = scaling
    if has_blank and dtype in ("u1", "i2", "i4", "i8"):
        hdu.header["BLANK"] = int(values.flat[5])
    file = io.BytesIO()
    hdu.writeto(file)
    (mine,) = read_hdus(file)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        file.seek(0)
        theirs = fits.open(file)[0].data.reshape(12, 17)
    np.testing.assert_array_equal(read_pixels(file, mine), theirs)


def numbers(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, allow_nan=False).map(lambda value: round(value, 9))


PLAIN = st.fixed_dictionaries(
    {
        "CRVAL1": numbers(0, 360),
        "CRVAL2": numbers(-90, 89.999),
        "CRPIX1": numbers(-2000, 2000),
        "CRPIX2": numbers(-2000, 2000),
    }
)
SCALE = st.sampled_from([1e-6, 1e-5, 2.5e-4])
MATRIX = st.one_of(
    st.tuples(SCALE, numbers(-3, 3)).map(
        lambda g: {
            "CD1_1": -g[0] * math.cos(g[1]),
            "CD1_2": g[0] * math.sin(g[1]),
            "CD2_1": g[0] * math.sin(g[1]),
            "CD2_2": g[0] * math.cos(g[1]),
        }
    ),
    st.tuples(SCALE, numbers(-180, 180)).map(
        lambda g: {"CDELT1": -g[0], "CDELT2": g[0], "CROTA2": g[1]}
    ),
    st.tuples(SCALE, numbers(-0.9, 0.9)).map(
        lambda g: {"CDELT1": -g[0], "CDELT2": 2 * g[0], "PC1_2": g[1], "PC2_1": -g[1]}
    ),
)
FRAME = st.sampled_from(
    [
        {},
        {"RADESYS": "ICRS"},
        {"RADESYS": "FK5"},
        {"EQUINOX": 2000.0},
        {"RADECSYS": "FK5", "EPOCH": 2000},
    ]
)
TERMS = st.dictionaries(
    st.sampled_from(["A_2_0", "A_1_1", "A_0_2", "B_2_0", "B_1_1", "B_0_2", "A_3_0", "B_1_2"]),
    numbers(-1e-6, 1e-6),
)


@settings(max_examples=150)
@given(PLAIN, MATRIX, FRAME, st.none() | TERMS)
def test_plain_headers_are_placed_as_astropy_does(
    plain: dict, matrix: dict, frame: dict, terms: dict | None
) -> None:
    suffix = "" if terms is None else "-SIP"
    orders = {} if terms is None else {"A_ORDER": 3, "B_ORDER": 3}
    types = {"CTYPE1": f"RA---TAN{suffix}", "CTYPE2": f"DEC--TAN{suffix}"}
    given = types | plain | matrix | frame | orders | (terms or {})
    cards = Cards(b"".join(card_of(name, value) for name, value in given.items()))
    sky = plain_sky(cards)
    assert sky is not None, "the formulas should do"

    points = [(1.0, 1.0), (1500.5, 700.25), (4000.0, 4000.0)]
    for mine, theirs in zip(sky(points), full_sky(cards)(points), strict=True):
        assert arcseconds(mine, theirs) < 1e-4
