"""The observation in FITS headers: checked against astropy, and with headers that make no sense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperclip_cli.images.fits_cards import Cards
from paperclip_cli.images.fits_header import Described, header_observation
from paperclip_cli.records import Key, Observation
from paperclip_cli.sky.footprint import parse_region

fits = pytest.importorskip("astropy.io.fits")

SHAPE = (90, 120)
PLACE = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRPIX1": 31.0,
    "CRPIX2": 44.5,
    "CRVAL1": 202.47,
    "CRVAL2": 47.195,
    "CD1_1": -1e-5,
    "CD1_2": 2e-6,
    "CD2_1": 2e-6,
    "CD2_2": 1e-5,
}


def header(**cards: object) -> Cards:
    return as_cards(fits.Header(list({**PLACE, **cards}.items())))


def as_cards(made: fits.Header) -> Cards:
    return Cards(made.tostring().encode("latin-1"))


def test_hubble_s_headers() -> None:
    primary = fits.Header(
        [
            ("TARGNAME", "NGC5194"),
            ("INSTRUME", "ACS"),
            ("DETECTOR", "WFC"),
            ("FILTER1", "F814W"),
            ("FILTER2", "CLEAR2L"),
            ("EXPSTART", 53386.25),
            ("EXPTIME", 680.0),
            ("ROOTNAME", "j97c51080"),
            ("MTFLAG", " "),
        ]
    )
    said = header_observation([as_cards(primary), header()], SHAPE)
    observation = said.observation
    assert said.wcs is not None and observation.s_ra is not None
    assert (observation.target, observation.obs_id) == ("NGC5194", "j97c51080")
    assert (observation.instrument, observation.detector) == ("ACS", "WFC")
    assert observation.filters == ("F814W",) and observation.moving is False
    assert (observation.t_min, observation.t_exptime) == (53386.25, 680.0)
    assert (observation.s_ra, observation.s_dec) == pytest.approx((202.47, 47.195), abs=1e-3)
    assert len(parse_region(observation.s_region or "")) == 1


def observed(*cards: tuple[str, object]) -> Described:
    return header_observation([as_cards(fits.Header(list(cards)))], SHAPE)


def test_the_standard_s_headers_and_none() -> None:
    observation = observed(
        ("OBJECT", "M 51"), ("DATE-OBS", "2015-03-20T12:00:00"), ("FILTER", "r")
    ).observation
    assert (observation.target, observation.filters, observation.t_min) == ("M 51", ("r",), 57101.5)

    split = observed(("DATE-OBS", "2015-03-20"), ("TIME-OBS", "06:00:00"))
    assert split.observation.t_min == 57101.25

    assert observed(("DATE-OBS", "20/03/95")).observation.t_min == 49796
    assert observed(("EXPSTART", 0.0), ("DATE-OBS", "2015-03-20")).observation.t_min == 57101

    senseless = observed(("OBJECT", None), ("DATE-OBS", "soon"), ("EXPTIME", "long"))
    assert senseless == Described(Observation())


JWST = (
    ("TELESCOP", "JWST"),
    ("TARGTYPE", "MOVING"),
    ("OBS_ID", "V01373003001P0000000002101"),
    ("FILENAME", "jw01373-o003_t001_nircam_clear-f444w_i2d.fits"),
    ("EFFEXPTM", 418.7),
    ("PROGRAM", "01373"),
)


def test_jwst_s_headers() -> None:
    said = observed(*JWST)
    assert said.key == Key("jwst", 1373)
    observation = said.observation
    assert observation.moving is True and observation.t_exptime == 418.7
    assert observation.obs_id == "jw01373-o003_t001_nircam_clear-f444w"

    fixed = observed(("TARGTYPE", "FIXED"), ("XPOSURE", 12.5), ("EFFEXPTM", 13.0)).observation
    assert fixed.moving is False and fixed.t_exptime == 12.5
    assert observed(("PROGRAM", "01373"), ("TELESCOP", "UKIRT")).key is None
    assert observed(("PROGRAM", "COM/NIRCAM"), ("TELESCOP", "JWST")).key is None
    exposure = observed(("FILENAME", "jw02731001001_02101_00001_nrcb1_cal.fits")).observation
    assert exposure.obs_id == "jw02731001001_02101_00001_nrcb1"


@pytest.mark.parametrize("name", ["image.fits", "jw1.fits", "JWST.fits", "jw01373", "../jw01373_x"])
def test_other_file_names_are_no_observations(name: str) -> None:
    observation = observed(("FILENAME", name), ("OBS_ID", "own")).observation
    assert observation.obs_id == "own"


def test_what_is_no_duration_is_unknown() -> None:
    assert observed(("EXPTIME", -1.0)).observation.t_exptime is None
    assert observed(("EXPTIME", -1.0), ("XPOSURE", 5.0)).observation.t_exptime == 5.0
    assert observed(("EXPTIME", True)).observation.t_exptime is None


@given(
    st.dictionaries(
        st.sampled_from(
            [*PLACE, "RADESYS", "EQUINOX", "MTFLAG", "DATE-OBS", "EXPSTART", "FILTER", "TARGNAME"]
        ),
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(10**9), 10**9),
            st.booleans(),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
        ),
    )
)
def test_no_header_breaks_the_reader(cards: dict) -> None:
    said = header_observation([header(**cards)], SHAPE)
    assert (said.observation.s_ra is None) >= (said.wcs is None and bool(said.unplaced))
    if said.wcs is not None:
        assert said.observation.s_ra is not None
        assert np.isfinite([*said.wcs.crval, *said.wcs.crpix, *said.wcs.cd]).all()


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 10 * 80 - 1), st.integers(0, 255)), max_size=12))
def test_no_bytes_break_the_reader(changes: list[tuple[int, int]]) -> None:
    data = bytearray(fits.Header(list(PLACE.items())).tostring().encode("latin-1"))
    for place, value in changes:
        data[place] = value
    said = header_observation([Cards(bytes(data))], SHAPE)
    assert (said.observation.s_ra is None) == (said.observation.s_dec is None)


NO_DATES = [2455000.5, 1e10, -1.0, 0.0, 2015.2, 300_000.0, 0]


@pytest.mark.parametrize("number", NO_DATES)
@pytest.mark.parametrize("keyword", ["EXPSTART", "MJD-OBS", "MJD-BEG"])
def test_a_number_that_is_no_date_gives_way_to_one_that_is(keyword: str, number: float) -> None:
    from astropy.time import Time

    assert observed((keyword, number)).observation.t_min is None
    for name, text in (("DATE-OBS", "2015-03-20T12:00:00"), ("DATE-BEG", "1995-03-20T01:02:03.5")):
        found = observed((keyword, number), (name, text)).observation.t_min
        assert found == pytest.approx(Time(text, scale="utc").mjd, abs=1e-8)
    both = [as_cards(fits.Header([(keyword, 57101.5)])), as_cards(fits.Header([(keyword, number)]))]
    assert header_observation(both, SHAPE).observation.t_min == 57101.5


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31T23:59:59", "1850-01-01", "N/A", "T"])
def test_a_date_that_is_none_gives_way_to_one_that_is(text: str) -> None:
    assert observed(("DATE-OBS", text)).observation.t_min is None
    assert observed(("MJD-OBS", 57101.25), ("DATE-OBS", text)).observation.t_min == 57101.25
    later = observed(("DATE-OBS", text), ("DATE-BEG", "2015-03-20"))
    assert later.observation.t_min == 57101


def test_a_time_that_cannot_be_read_leaves_the_day() -> None:
    for time in ("N/A", "noon", "", "25:00:00"):
        said = observed(("DATE-OBS", "2015-03-20"), ("TIME-OBS", time))
        assert said.observation.t_min == 57101
    whole = observed(("DATE-OBS", "2015-03-20T12:00:00"), ("TIME-OBS", "06:00:00"))
    assert whole.observation.t_min == 57101.5


@pytest.mark.parametrize("blank", [True, False, "N/A", "none", "NULL", "-", "--", "nan", " "])
def test_what_says_nothing_is_no_name(blank: str | bool) -> None:
    names = ("OBJECT", "FILTER", "INSTRUME", "DETECTOR", "ROOTNAME")
    assert observed(*((name, blank) for name in names)) == Described(Observation())
    assert observed(("TARGNAME", blank), ("OBJECT", "M 51")).observation.target == "M 51"
    assert observed(("FILTER1", blank), ("FILTER2", "r")).observation.filters == ("r",)
    assert observed(("OBJECT", 1181)).observation.target == "1181"  # the supernova of that year
