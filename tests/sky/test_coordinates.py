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
        "(202.469575, 47.195258)",
        "[202.469575; 47.195258]",
        "202.469575° +47.195258°",
        "202.469575 deg, 47.195258 degrees",
        "2.02469575e2 47.195258",
        "13 29 52.698 +47 11 42.93",
        "13 29 52.698, 47 11 42.93",
        "13 29 52.698 47 11 42.93 (J2000)",
        "13 29.8783 +47 11.7155",
        "13hr 29min 52.698sec +47deg 11arcmin 42.93arcsec",
        "13ʰ29ᵐ52.698ˢ +47º11’42.93”",
        "J132952.698+471142.93",
        "J 13 29 52.698 +47 11 42.93",
        "J13:29:52.698+47:11:42.93",
        "'202.469575 47.195258'",
        "j132952698+47114293",
        "132952.698 +471142.93",
        "RA=202.469575, Dec=47.195258",
        "RA: 13:29:52.698 Dec: +47:11:42.93",
        "ra 13h29m52.698s dec +47d11m42.93s",
        "R.A. (J2000) = 13:29:52.698, Decl. = +47:11:42.93",
        "α = 13:29:52.698 δ = +47:11:42.93",
        "ICRS 202.469575 47.195258",
        "l=104.85158439 b=68.56070209",
        "l 104.85158439, b +68.56070209",
        "104.85158439l 68.56070209b",
        "galactic 104.85158439 68.56070209",
        "104 51 05.7038 +68 33 38.5275 gal",
        "glon 104d51m05.7038s glat 68d33m38.5275s",
        "13:27:46.3209 +47:27:10.58425 B1950",
        "FK4 201.94300376 47.45294007",
        "B132746.3209+472710.58425",
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
        "PSR B1937+21",
        "B1950+32",
        "J0437-4715",
        "G1.9+0.3",
        "NGC 4038–39",
        "Galactic Center",
        "GAL 5",
        "J2000",
        "lon 10 lat 20",
        "L 134",
        "LBN 777",
        "BD+30 3639",
        "Abell 2218",
        "HD 209458 b",
        "M 51 dec",
        "RA 13",
        "0106+013",
        "0014+813",
        "1226+023",
        "2200+420",
        "0235−164",
        "0957+5608",
        "1937+21",
        "0106 +013",
        "0106+013 (B1950)",
        "'0716+714'",
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
        "13 29 52 47",
        "13 29 47 11",
        "202.47 47 11 43",
        "13 29 60 +47 11 43",
        "25 29 52 +47 11 43",
        "-1:29:52 +47:11:43",
        "J132952+951143",
        "J136152+471143",
        "l 400 b 20",
        "(202.47)",
        "13h29m52s fk4 13h29m52s",
        "13.5:10:00 20",
        "10",
        "",
        "1 2 3",
        "0106 13",
        "0106, +13",
        "2400+100",
        "0160+100",
        "0106+913",
        "05 +30",
        "0010.68 +41.27",
        "12345.6 +20",
    ],
)
def test_what_is_no_place_on_the_sky_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a place on the sky"):
        parse_position(text)


@pytest.mark.parametrize(
    ("text", "ra", "dec"),
    [
        ("10.68 +41.27", 10.68, 41.27),
        ("10.68+41.27", 10.68, 41.27),
        ("083.63 +22.01", 83.63, 22.01),
        ("083.63 +022.01", 83.63, 22.01),
        ("083+22", 83.0, 22.0),
        ("05.5 -00.5", 5.5, -0.5),
        ("0 0", 0.0, 0.0),
        ("00h42m44s+41d16m", 10.683333333, 41.266666667),
        ("00 42 44 +41 16 00", 10.683333333, 41.266666667),
        ("00:42 +41:16", 10.5, 41.266666667),
        ("J004244.3+411608", 10.684583333, 41.268888889),
        ("0106.5d +13", 106.5, 13.0),
    ],
)
def test_zeros_in_front_are_no_harm_where_the_form_is_clear(
    text: str, ra: float, dec: float
) -> None:
    assert parse_position(text) == pytest.approx((ra, dec))


def test_two_frames_are_one_too_many() -> None:
    with pytest.raises(UsageError, match="several frames: fk5, galactic"):
        parse_position("l 10 b 20", frame="fk5")
    assert parse_position("l 10 b 20", frame="galactic") == parse_position("gal 10 20")
    assert parse_position("Galactic Center", frame="fk5") is None


FRAMES = {
    "icrs": "icrs",
    "fk5": "fk5",
    "fk4": "fk4",
    "galactic": "galactic",
    "supergalactic": "supergalactic",
    "ecliptic": "barycentricmeanecliptic",
}
POSITIONS = 600
DASHES = ["-", "−", "–", "—"]


@pytest.mark.parametrize("frame", FRAMES)
def test_positions_in_a_frame_are_those_of_astropy(frame: str) -> None:
    """Each is written in one of eleven ways, with one of four minus signs."""
    import numpy as np
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(1)
    count = POSITIONS // len(FRAMES)
    lon, lat = rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    places = SkyCoord(lon, lat, unit="deg", frame=FRAMES[frame])
    ways = [
        lambda at: f"{at[0]:.8f} {at[1]:.8f}",
        lambda at: f"({at[0]:.8f}, {at[1]:+.8f})",
        lambda at: f"{at[0]:.8f}d{at[1]:+.8f}d",
        lambda at: f"{at[0]:.8f}° , {at[1]:.8f}°",
        lambda at: place(at).to_string("dms", precision=4),
        lambda at: place(at).to_string("dms", precision=4).replace(" ", ", "),
    ]
    if frame in ("icrs", "fk5", "fk4"):
        ways += [
            lambda at: place(at).to_string("hmsdms", precision=4),
            lambda at: place(at).to_string("hmsdms", sep=":", precision=4),
            lambda at: place(at).to_string("hmsdms", sep=" ", precision=4),
            lambda at: "J" + place(at).to_string("hmsdms", sep="", precision=4).replace(" ", ""),
            lambda at: "RA {} Dec {}".format(
                *place(at).to_string("hmsdms", precision=4).split(" ")
            ),
        ]

    def place(at: tuple[float, float]) -> SkyCoord:
        return SkyCoord(*at, unit="deg")

    for at, there in zip(zip(lon, lat, strict=True), places.icrs, strict=True):
        text = rng.choice(ways)(at).replace("-", rng.choice(DASHES))
        found = parse_position(text, frame)
        assert found is not None
        assert SkyCoord(*found, unit="deg").separation(there).arcsec < 0.01, text


@given(
    st.lists(
        st.one_of(st.sampled_from("ra dec l b gal fk4 13 52.7 +47 -0 : h d m s ( ) , J".split())),
        max_size=9,
    ).map(" ".join)
    | st.text(max_size=20)
)
def test_any_text_is_a_position_a_name_or_refused(text: str) -> None:
    try:
        found = parse_position(text)
    except UsageError as error:
        assert error.hint
        return
    assert found is None or (0 <= found[0] < 360 and -90 <= found[1] <= 90)


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
