"""The observation in FITS headers: checked against astropy, and with headers that make no sense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.images.fits_header import header_observation, linear_wcs
from paperclip_cli.images.pictures import quiet_decoders
from paperclip_cli.sky.footprint import parse_region
from paperclip_cli.sky.wcs import pixel_to_sky

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


def header(**cards: object) -> fits.Header:
    return fits.Header(list({**PLACE, **cards}.items()))


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
    observation, wcs = header_observation([primary, header()], SHAPE)
    assert wcs is not None and observation.s_ra is not None
    assert (observation.target, observation.obs_id) == ("NGC5194", "j97c51080")
    assert (observation.instrument, observation.detector) == ("ACS", "WFC")
    assert observation.filters == ("F814W",) and observation.moving is False
    assert (observation.t_min, observation.t_exptime) == (53386.25, 680.0)
    assert (observation.s_ra, observation.s_dec) == pytest.approx((202.47, 47.195), abs=1e-3)
    assert len(parse_region(observation.s_region or "")) == 1


def test_the_standard_s_headers_and_none() -> None:
    observation, _ = header_observation(
        [fits.Header([("OBJECT", "M 51"), ("DATE-OBS", "2015-03-20T12:00:00"), ("FILTER", "r")])],
        SHAPE,
    )
    assert (observation.target, observation.filters, observation.t_min) == ("M 51", ("r",), 57101.5)

    split = fits.Header([("DATE-OBS", "2015-03-20"), ("TIME-OBS", "06:00:00")])
    assert header_observation([split], SHAPE)[0].t_min == 57101.25

    senseless = fits.Header([("OBJECT", None), ("DATE-OBS", "soon"), ("EXPTIME", "long")])
    empty, wcs = header_observation([senseless], SHAPE)
    assert wcs is None and empty == type(empty)()


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"CRVAL1": 0.0001},
        {"CRVAL2": 89.9999},
        {"CRVAL2": -90.0},
        {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 10**9},
        {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRVAL2": 0.0},
        {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "RADESYS": "FK5"},
        {"RADESYS": "FK4", "EQUINOX": 1950.0},
        {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": 47.0, "CRVAL2": 202.0},
    ],
)
def test_the_linear_coordinates_agree_with_astropy(cards: dict) -> None:
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS

    made = header(**cards)
    wcs = linear_wcs(made, SHAPE)
    assert wcs is not None

    linear = {name: value for name, value in cards.items() if not name.startswith("A_")}
    for name in linear.keys() & {"CTYPE1", "CTYPE2"}:
        linear[name] = str(linear[name]).removesuffix("-SIP")
    theirs = WCS(header(**linear))
    for x, y in [(0.5, 0.5), (120.5, 0.5), (120.5, 90.5), (0.5, 90.5), (60, 45)]:
        found = SkyCoord(*pixel_to_sky(wcs, x, y), unit="deg")
        assert found.separation(theirs.pixel_to_world(x - 1, y - 1).icrs).arcsec < 0.01


@pytest.mark.parametrize(
    "cards",
    [
        {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"},
        {"CTYPE1": "RA---TAN", "CTYPE2": "WAVE"},
        {"CD1_1": 0.0, "CD1_2": 0.0},
        {"CRVAL2": 1e300},
        {"CTYPE1": "RA---XYZ"},
        {"CUNIT1": "furlong"},
        {"CD1_1": "x"},
    ],
)
def test_headers_without_sense_have_no_place(cards: dict) -> None:
    assert linear_wcs(header(**cards), SHAPE) is None


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
    with quiet_decoders():
        observation, wcs = header_observation([header(**cards)], SHAPE)
    assert (wcs is None) == (observation.s_ra is None)
    if wcs is not None:
        assert np.isfinite([*wcs.crval, *wcs.crpix, *wcs.cd]).all()
