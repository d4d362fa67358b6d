"""Positions, angles and dates as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.config.quantities import parse_angle, parse_date
from paperclip_cli.errors import UsageError
from paperclip_cli.sky.coordinates import parse_position

M51 = (202.469575, 47.195258)


@pytest.mark.parametrize(
    "text",
    [
        "202.469575 47.195258",
        "202.469575,47.195258",
        " 202.469575 , +47.195258 ",
        "202.469575d 47.195258d",
        "13:29:52.698 +47:11:42.93",
        "13h29m52.698s +47d11m42.93s",
        "13h29m52.698s+47°11′42.93″",
        "13h 29m 52.698s 47° 11' 42.93\"",
        "202d28m10.47s 47d11m42.93s",
        "13:29:52.698 47.195258",
    ],
)
def test_the_same_place_in_many_forms(text: str) -> None:
    assert parse_position(text) == pytest.approx(M51, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "M 51",
        "M51",
        "NGC 4038",
        "NGC 4038/39",
        "3C 273",
        "47 Tuc",
        "SN 1987A",
        "2MASS J13295269+4711429",
    ],
)
def test_names_are_not_coordinates(text: str) -> None:
    assert parse_position(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "400 20",
        "-10 20",
        "10 91",
        "10 -90.1",
        "25:00:00 +10:00:00",
        "13:61:00 +10:00:00",
        "10h 20h",
        "13 29 52 +47 11 43",
        "13.5:10:00 20",
        "10",
        "",
        "1 2 3",
    ],
)
def test_what_is_no_place_on_the_sky_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a place on the sky"):
        parse_position(text)


def test_a_southern_declination_below_one_degree_keeps_its_sign() -> None:
    assert parse_position("0:0:0 -0:30:0") == (0.0, -0.5)
    assert parse_position("0 −0.5") == (0.0, -0.5)  # a typographic minus, as papers have it


@given(st.integers(0, 24 * 3600 * 100 - 1), st.integers(-90 * 3600 * 10, 90 * 3600 * 10))
def test_sexagesimal_text_means_what_astropy_reads(ra: int, dec: int) -> None:
    from astropy.coordinates import SkyCoord

    sign, south = "-" if dec < 0 else "+", abs(dec)
    hours = f"{ra // 360_000:02d}:{ra // 6000 % 60:02d}:{ra % 6000 / 100:05.2f}"
    degrees = f"{sign}{south // 36_000:02d}:{south // 600 % 60:02d}:{south % 600 / 10:04.1f}"
    text = f"{hours} {degrees}"

    theirs = SkyCoord(text, unit=("hourangle", "deg"))
    assert parse_position(text) == pytest.approx((theirs.ra.deg, theirs.dec.deg), abs=1e-9)


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("2arcmin", 2 / 60),
        ("2 arcmin", 2 / 60),
        ("30arcsec", 30 / 3600),
        ('30"', 30 / 3600),
        ("5'", 5 / 60),
        ("0.5deg", 0.5),
        (".5 degrees", 0.5),
        ("1°", 1.0),
        ("180deg", 180.0),
    ],
)
def test_angles_have_units(text: str, degrees: float) -> None:
    assert parse_angle(text, "--radius") == pytest.approx(degrees)


@pytest.mark.parametrize(
    "text",
    [
        "2",
        "2 parsec",
        "arcmin",
        "0arcmin",
        "-2arcmin",
        "181deg",
        "",
        "2arcmin 3",
        "nan deg",
        "1e3arcsec",
    ],
)
def test_other_angles_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--radius"):
        parse_angle(text, "--radius")


def test_dates_become_modified_julian_dates() -> None:
    from astropy.time import Time

    assert parse_date("2015-03-20", "--after") == Time("2015-03-20", scale="utc").mjd
    with pytest.raises(UsageError, match="--after 'yesterday' is not a date"):
        parse_date("yesterday", "--after")
