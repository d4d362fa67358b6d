"""Random headers of all projections, matrices, frames and distortions lie where astropy says."""

from __future__ import annotations

import math
import warnings
from random import Random

import numpy as np
import pytest

from paperclip_cli.images.fits_cards import Cards, Value, card_of
from paperclip_cli.images.fits_header import header_observation
from tests.images.odd_headers import SHAPE
from tests.images.test_odd_headers import CENTRE, CORNERS, PIXELS, arcseconds, corners_of

fits = pytest.importorskip("astropy.io.fits")

Given = list[tuple[str, Value]]

CODES = [
    *["TAN"] * 6,
    *"TPV ZPN SIN STG ARC ZEA SZP AIR AZP CYP CEA CAR MER SFL PAR MOL AIT".split(),
    *"COP COE COD COO BON PCO TSC CSC QSC HPX XPH NCP GLS TNX".split(),
]
FRAMES: list[Given] = [
    [],
    [("RADESYS", "ICRS")],
    [("RADESYS", "FK5")],
    [("RADESYS", "FK4")],
    [("RADESYS", "FK4-NO-E")],
    [("EQUINOX", 1950.0)],
    [("EPOCH", 1950.0)],
    [("EQUINOX", 2000.0)],
    [("RADECSYS", "FK4"), ("EQUINOX", 1950.0)],
    [("RADECSYS", "FK5"), ("EQUINOX", 2015.5)],
    [("RADESYS", "FK4"), ("EQUINOX", 1975.0)],
]


def parameters(code: str, latitude: int, random: Random) -> Given:
    """What some projections need, and SCAMP's polynomials."""
    needed = {
        "COP": (1, 2),
        "COE": (1, 2),
        "COD": (1, 2),
        "COO": (1, 2),
        "BON": (1,),
        "CYP": (1, 2),
        "ZPN": (1, 3),
    }
    if code in ("TPV", "TAN") and (code == "TPV" or random.random() < 0.2):
        terms = {0: (-1e-4, 1e-4), 1: (0.98, 1.02), 2: (-0.02, 0.02), 7: (-0.3, 0.3)}
        return [(f"PV{i}_{m}", random.uniform(*terms[m])) for i in (1, 2) for m in terms]
    ranges = (20, 60) if code.startswith("CO") or code == "BON" else (0.9, 1.1)
    return [(f"PV{latitude}_{m}", random.uniform(*ranges)) for m in needed.get(code, ())]


def matrix(random: Random) -> Given:
    scale, turn = random.choice([1e-5, 1e-4, 1e-3, 2e-2]), random.uniform(-3, 3)
    across, along = random.choice([-1, 1]) * math.cos(turn), math.sin(turn)
    terms = {"1_1": across, "1_2": along, "2_1": along, "2_2": -across}
    steps: Given = [("CDELT1", -scale), ("CDELT2", scale)]
    return random.choice(
        [
            [(f"CD{name}", scale * term) for name, term in terms.items()],
            [*steps, *((f"PC{name}", term) for name, term in terms.items())],
            [*steps, *((f"PC00{name.replace('_', '00')}", term) for name, term in terms.items())],
            [*steps, ("CROTA2", 50 * turn)],
            steps,
        ]
    )


def sip(random: Random) -> Given:
    order = random.choice([2, 3, 4])
    powers = [(p, q) for p in range(order + 1) for q in range(order + 1 - p) if p + q > 1]
    terms = [(f"{axis}_{p}_{q}", random.uniform(-1e-6, 1e-6)) for axis in "AB" for p, q in powers]
    return [("A_ORDER", order), ("B_ORDER", order), *terms]


def mixed(random: Random) -> Given:
    code, names = random.choice(CODES), random.choice([("RA", "DEC"), ("GLON", "GLAT")])
    place: list[float] = [
        random.uniform(0, 360),
        random.choice([random.uniform(-89, 89), 0.0, 90.0, -90.0, 89.999]),
    ]
    latitude = 2
    if random.random() < 0.15:
        names, place, latitude = names[::-1], place[::-1], 1
    polynomials = sip(random) if code == "TAN" and random.random() < 0.4 else []
    suffix = "-SIP" if polynomials and random.random() < 0.7 else ""
    given: Given = [
        (f"CTYPE{axis}", f"{name.ljust(4, '-')}-{code}{suffix}")
        for axis, name in enumerate(names, 1)
    ]
    given += [("CRVAL1", place[0]), ("CRVAL2", place[1])]
    given += [
        ("CRPIX1", random.choice([32.5, 1.0, -500.0])),
        ("CRPIX2", random.choice([24.5, 700.0])),
    ]
    given += [*parameters(code, latitude, random), *matrix(random), *polynomials]
    given += random.choice(FRAMES) if "RA" in names else []
    given += random.choice([[], [], [], [("LONPOLE", 33.0)], [("LATPOLE", -90.0)]])
    given += random.choice([[], [], [], [("CUNIT1", "deg"), ("CUNIT2", "degree")]])
    return given


def true_places(header: bytes) -> np.ndarray | None:
    """Degrees [5, 2] in ICRS of the middle and the corners; None if astropy refuses the header."""
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            wcs = WCS(fits.Header.fromstring(header)).celestial
            places = SkyCoord(wcs.pixel_to_world(*(PIXELS - 1).T)).icrs
        except Exception:
            return None
    found = np.stack([places.ra.deg, places.dec.deg], axis=1)
    return found if np.isfinite(found[0]).all() else None


@pytest.mark.parametrize("seed", range(6))
def test_a_mixture_lies_where_astropy_says(seed: int) -> None:
    random, placed = Random(seed), 0
    for _ in range(100):
        given = [("SIMPLE", True), ("NAXIS", 2), ("NAXIS1", 64), ("NAXIS2", 48), *mixed(random)]
        header = b"".join(card_of(name, value) for name, value in given)
        said = header_observation([Cards(header)], SHAPE)
        found, true = said.observation, true_places(header)
        assert (found.s_ra is None) == (true is None), (said.unplaced, given)
        if true is None or found.s_ra is None or found.s_dec is None:
            continue
        placed += 1
        assert arcseconds((found.s_ra, found.s_dec), true[0]) < CENTRE, given
        corners = corners_of(found.s_region) if found.s_region else []
        for mine, theirs in zip(corners, true[1:], strict=bool(corners)):
            assert arcseconds(mine, theirs) < CORNERS, given
    assert placed > 80
