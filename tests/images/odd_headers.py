"""Odd FITS headers that are good in all but a card, each with an independent truth.

The truth is where astropy puts the header as it stands, or, where astropy misreads or refuses it,
where it puts a header that says the same in the standard's words.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SHAPE = (48, 64)  # height and width
STRUCTURE = (
    "SIMPLE  =                    T",
    "BITPIX  =                  -32",
    "NAXIS   =                    2",
    "NAXIS1  =                   64",
    "NAXIS2  =                   48",
)
PLAIN = (
    "CTYPE1  = 'RA---TAN'",
    "CTYPE2  = 'DEC--TAN'",
    "CRVAL1  =             202.4696",
    "CRVAL2  =              47.1952",
    "CRPIX1  =                 32.5",
    "CRPIX2  =                 24.5",
    "CD1_1   =              -0.0001",
    "CD1_2   =                2E-05",
    "CD2_1   =                2E-05",
    "CD2_2   =               0.0001",
)
CD = ("CD1_1", "CD1_2", "CD2_1", "CD2_2")
CDELT = ("CDELT1  =              -0.0002", "CDELT2  =               0.0001")
SIP = (
    "A_ORDER =                    2",
    "B_ORDER =                    2",
    "A_2_0   = 1E-4",
    "B_0_2   = 2E-4",
)
SIP_TYPES = ("CTYPE1  = 'RA---TAN-SIP'", "CTYPE2  = 'DEC--TAN-SIP'")
AS_ASTROPY = ("as astropy",)
UNPLACED = ("unplaced",)
NO_AXES = ("no axes",)


@dataclass(frozen=True)
class Odd:
    """A header: the plain one with `cards`, and without those named in `drop`.

    `truth` holds the cards of the header that says the same, or one of the words above.
    """

    name: str
    cards: tuple[str, ...] = ()
    truth: tuple[str, ...] = AS_ASTROPY
    drop: tuple[str, ...] = ()
    truth_drop: tuple[str, ...] = field(default=())
    has_region: bool = True

    def text(self) -> bytes:
        return written(self.cards, self.drop)

    def true_text(self) -> bytes:
        return self.text() if self.truth == AS_ASTROPY else written(self.truth, self.truth_drop)


def written(cards: tuple[str, ...], drop: tuple[str, ...] = ()) -> bytes:
    """The bytes of a header: the plain one, with cards that replace those of the same name."""
    names = {card[:8].strip().upper() for card in cards} | {*drop}
    lines = [*STRUCTURE, *(card for card in PLAIN if card[:8].strip() not in names), *cards, "END"]
    text = "".join(line[:80].ljust(80) for line in lines).encode("latin-1")
    return text + b" " * (-len(text) % 2880)


def _types(code: str, names: tuple[str, str] = ("RA", "DEC")) -> tuple[str, str]:
    one, other = (name.ljust(5 if len(code) == 3 else 4, "-") for name in names)
    return f"CTYPE1  = '{one}{code}'", f"CTYPE2  = '{other}{code}'"


def _frame(*cards: str) -> tuple[str, ...]:
    return cards


FK5, FK4 = "RADESYS = 'FK5     '", "RADESYS = 'FK4     '"
GALACTIC = _types("TAN", ("GLON", "GLAT"))
ZPN = ("PV2_1   =                  1.0", "PV2_3   =                 50.0")
TPV = (
    "PV1_0   = 1E-5",
    "PV1_1   = 1.01",
    "PV1_4   = 0.5",
    "PV2_1   = 0.99",
    "PV2_2   = 0.01",
    "PV2_4   = 0.2",
)

FRAMES = [
    Odd("epoch 1950", ("EPOCH   =               1950.0",)),
    Odd("equinox 1950", ("EQUINOX =               1950.0",)),
    Odd("equinox 1950 as an integer", ("EQUINOX =                 1950",)),
    Odd("epoch 1975", ("EPOCH   =               1975.0",)),
    Odd("epoch 2000", ("EPOCH   =               2000.0",)),
    Odd("equinox 2015.5", ("EQUINOX =               2015.5",)),
    Odd("FK4", (FK4,)),
    Odd("FK4 of 1975", (FK4, "EQUINOX =               1975.0")),
    Odd("FK4 without E-terms", ("RADESYS = 'FK4-NO-E'",)),
    Odd("FK5", (FK5,)),
    Odd("FK5 of 1980", (FK5, "EQUINOX =               1980.0")),
    Odd("ICRS with an equinox", ("RADESYS = 'ICRS'", "EQUINOX =               2000.0")),
    Odd("RADECSYS FK4", ("RADECSYS= 'FK4     '",)),
    Odd("RADECSYS FK5", ("RADECSYS= 'FK5     '",)),
    Odd("RADECSYS lower case", ("RADECSYS= 'fk4     '",), (FK4,)),
    Odd("lower-case fk5", ("RADESYS = 'fk5     '",), (FK5,)),
    Odd("lower-case icrs", ("RADESYS = 'icrs    '",), ("RADESYS = 'ICRS'",)),
    Odd("a frame J2000", ("RADESYS = 'J2000   '",), (FK5,)),
    Odd("a frame B1950", ("RADESYS = 'B1950   '",), (FK4,)),
    Odd("a frame without quotes", ("RADESYS = FK4",)),
    Odd("a frame without its end", ("RADESYS = 'FK4",), (FK4,)),
    Odd("a blank frame", ("RADESYS = '        '",)),
    Odd("an undefined frame", ("RADESYS =",), ()),
    Odd("an apparent frame", ("RADESYS = 'GAPPT   '",), UNPLACED),
    Odd("an unknown frame", ("RADESYS = 'DETECTOR'",), UNPLACED),
    Odd("equinox J2000 and FK5", ("EQUINOX = 'J2000   '", FK5)),
    Odd("equinox J2000 alone", ("EQUINOX = 'J2000   '",)),
    Odd("equinox B1950", ("EQUINOX = 'B1950.0 '",), ("EQUINOX =               1950.0",)),
    Odd("equinox 1950 in quotes", ("EQUINOX = '1950.0  '",), ("EQUINOX =               1950.0",)),
    Odd("an undefined equinox", ("EQUINOX =", FK5), (FK5,)),
    Odd("an equinox of NaN", ("EQUINOX =                  NaN", FK5), (FK5,)),
    Odd("an equinox of 0", ("EQUINOX =                  0.0", FK5), (FK5,)),
    Odd("an equinox before telescopes", ("EQUINOX =                500.0",), UNPLACED),
    Odd("galactic", GALACTIC),
    Odd("galactic with an equinox", (*GALACTIC, "EQUINOX = 2000.0", FK5), GALACTIC),
    Odd("lower-case galactic", _types("tan", ("glon", "glat")), GALACTIC),
]
CARDS = [
    Odd("degree", ("CUNIT1  = 'degree  '", "CUNIT2  = 'degree  '")),
    Odd("DEGREES", ("CUNIT1  = 'DEGREES '", "CUNIT2  = 'Degrees '"), ()),
    Odd("units without quotes", ("CUNIT1  = deg", "CUNIT2  = deg"), ()),
    Odd("blank units", ("CUNIT1  = '        '", "CUNIT2  = '        '")),
    Odd(
        "arcsec",
        (
            "CUNIT1  = 'arcsec'",
            "CUNIT2  = 'arcsec'",
            "CRVAL1  = 728890.56",
            "CRVAL2  = 169902.72",
            "CD1_1   = -0.36",
            "CD1_2   = 0.072",
            "CD2_1   = 0.072",
            "CD2_2   = 0.36",
        ),
    ),
    Odd("an unknown unit", ("CUNIT1  = 'furlong '",), UNPLACED),
    Odd("lower-case types", ("CTYPE1  = 'ra---tan'", "CTYPE2  = 'dec--tan'"), ()),
    Odd("types without quotes", ("CTYPE1  = RA---TAN", "CTYPE2  = DEC--TAN")),
    Odd("a type without its end", ("CTYPE1  = 'RA---TAN",), ()),
    Odd("types with too few dashes", ("CTYPE1  = 'RA--TAN'", "CTYPE2  = 'DEC-TAN'"), ()),
    Odd(
        "lower-case keywords", ("crval1  = 202.4696", "crval2  = 47.1952"), (), ("CRVAL1", "CRVAL2")
    ),
    Odd("an exponent D", ("CRVAL1  = 2.024696D+02", "CRVAL2  = 4.71952D1"), ()),
    Odd("a lower-case exponent", ("CD1_1   = -1e-4",), ()),
    Odd("a number in quotes", ("CRVAL1  = '202.4696'", "CRVAL2  = '47.1952 '"), ()),
    Odd("a negative right ascension", ("CRVAL1  = -157.5304",)),
    Odd("a right ascension beyond 360", ("CRVAL1  = 562.4696",)),
    Odd("right ascension 0", ("CRVAL1  = 0.0",)),
    Odd("integers", ("CRVAL1  = 202", "CRVAL2  = 47", "CRPIX1  = 32", "CRPIX2  = 24")),
    Odd("NaN", ("CRVAL1  = NaN",), UNPLACED),
    Odd("a comma", ("CRVAL2  = 47,1952",), UNPLACED),
    Odd("an undefined position", ("CRVAL1  =",), UNPLACED),
    Odd("no position", (), UNPLACED, ("CRVAL1", "CRVAL2")),
    Odd("an infinite position", ("CRVAL1  = INF",), UNPLACED),
    Odd("a reference pixel with a comma", ("CRPIX1  = 32,5",), UNPLACED),
    Odd("a scale of NaN", ("CD1_1   = NaN",), UNPLACED),
    Odd("no scale", (), UNPLACED, CD),
    Odd("no rotation and no size", ("CD1_1   = 0.0", "CD1_2   = 0.0"), UNPLACED),
    Odd("beyond the pole", ("CRVAL2  = 95.0",), UNPLACED),
    Odd("an unknown projection", _types("XYZ"), UNPLACED),
    Odd("twice right ascension", ("CTYPE2  = 'RA---TAN'",), UNPLACED),
    Odd("pixels", ("CTYPE1  = 'LINEAR'", "CTYPE2  = 'LINEAR'"), NO_AXES),
    Odd("a slit", ("CTYPE2  = 'WAVE'",), NO_AXES),
    Odd("no types", (), NO_AXES, ("CTYPE1", "CTYPE2")),
    Odd("an exposure with a comma", ("EXPTIME =             1200,50 / s",)),
    Odd("an object without its end", ("OBJECT  = 'M 51",)),
    Odd("an object without quotes", ("OBJECT  = M 51",)),
    Odd("a date of no form", ("DATE-OBS= '99/99/99'", "MJD-OBS = soon")),
    Odd("a name that is not ASCII", ("OBJECT  = 'B\xf6\xf6tes'",), ()),
    Odd("a card of garbage", ("\x01\x02\x7f\xff = ?\x00\x00",), ()),
    Odd("a repeated position", ("CRVAL1  = 202.4696", "CRVAL1  = 100.0")),
    Odd("a reserved word", ("WCSAXES =                    2",)),
    Odd("absurdly many axes", ("WCSAXES =           1000000000",), ()),
]
MATRICES = [
    Odd("CDELT", CDELT, drop=CD),
    Odd("CDELT and CROTA2", (*CDELT, "CROTA2  = 30.0"), drop=CD),
    Odd("CDELT and CROTA1", (*CDELT, "CROTA1  = 30.0"), drop=CD),
    Odd(
        "CDELT and PC",
        (*CDELT, "PC1_1   = 0.8", "PC1_2   = -0.6", "PC2_1   = 0.6", "PC2_2   = 0.8"),
        drop=CD,
    ),
    Odd("CDELT and a part of PC", (*CDELT, "PC1_2   = -0.5"), drop=CD),
    Odd("PC and CROTA2", (*CDELT, "PC1_2   = -0.5", "CROTA2  = 30.0"), drop=CD),
    Odd(
        "PC001001",
        (*CDELT, "PC001001= 0.0", "PC001002= -1.0", "PC002001= 1.0", "PC002002= 0.0"),
        drop=CD,
    ),
    Odd(
        "PC01_01",
        (*CDELT, "PC01_01 = 0.0", "PC01_02 = -1.0", "PC02_01 = 1.0", "PC02_02 = 0.0"),
        drop=CD,
    ),
    Odd(
        "CD001001",
        ("CD001001= -1E-4", "CD001002= 2E-5", "CD002001= 2E-5", "CD002002= 1E-4"),
        drop=CD,
    ),
    Odd("an undefined term", ("CD1_2   =",)),
    Odd("CD and CDELT", CDELT),
    Odd("CD, CDELT and CROTA2", (*CDELT, "CROTA2  = 30.0")),
    Odd("CD and PC", (*CDELT, "PC1_1   = 1.0", "PC2_2   = 1.0")),
    Odd("CD without its zeros", (), drop=("CD1_2", "CD2_1")),
    Odd("PC alone", ("PC1_1   = -1E-4", "PC2_2   = 1E-4"), drop=CD),
    Odd("no reference pixel", (), drop=("CRPIX1", "CRPIX2")),
    Odd("LONPOLE 0", ("LONPOLE = 0.0",)),
    Odd("LONPOLE 180", ("LONPOLE = 180.0",)),
    Odd("LATPOLE", ("LATPOLE = 12.0",)),
    Odd("at the pole", ("CRVAL2  = 90.0",)),
    Odd("at the south pole", ("CRVAL2  = -90.0",)),
    Odd("near the pole", ("CRVAL2  = 89.9995",)),
    Odd(
        "declination first",
        ("CTYPE1  = 'DEC--TAN'", "CTYPE2  = 'RA---TAN'", "CRVAL1  = 47.1952", "CRVAL2  = 202.4696"),
    ),
    Odd("a third axis", ("CTYPE3  = 'FREQ'", "CRVAL3  = 1.4E9", "CRPIX3  = 1.0", "CDELT3  = 1E6")),
    Odd("a third axis without sense", ("CTYPE3  = 'VELO-XXX'", "CRVAL3  = NaN"), ()),
]
PROJECTIONS = [
    Odd("TPV", (*_types("TPV"), *TPV)),
    Odd("TPV without terms", _types("TPV")),
    Odd("TAN with PV, as SCAMP wrote it", TPV),
    Odd("ZPN", (*_types("ZPN"), *ZPN)),
    Odd("SIP", (*SIP_TYPES, *SIP)),
    Odd("SIP and FK5", ("CTYPE1  = 'RA---TAN-SIP'", "CTYPE2  = 'DEC--TAN-SIP'", *SIP, FK5)),
    Odd("SIP without its suffix", SIP),
    Odd("SIP and TPV", (*_types("TPV"), *TPV, *SIP)),
    Odd("SIP and SCAMP", (*TPV, "PV1_7   = 0.5", *SIP)),
    Odd("SIP and SCAMP, SIP named", (*SIP_TYPES, *TPV, "PV1_7   = 0.5", *SIP)),
    Odd("SIP and four parameters", (*SIP_TYPES, "PV1_1   = 10.0", "PV1_2   = 80.0", *SIP)),
    Odd("SIP without terms", ("CTYPE1  = 'RA---TAN-SIP'", "CTYPE2  = 'DEC--TAN-SIP'"), ()),
    Odd(
        "SIP of an absurd order",
        (
            "CTYPE1  = 'RA---TAN-SIP'",
            "CTYPE2  = 'DEC--TAN-SIP'",
            "A_ORDER = 1000000000",
            "B_ORDER = 2",
        ),
        (),
    ),
    Odd(
        "SIP with a comma",
        ("CTYPE1  = 'RA---TAN-SIP'", "CTYPE2  = 'DEC--TAN-SIP'", *SIP[:3], "B_0_2   = 0,1"),
        ("CTYPE1  = 'RA---TAN-SIP'", "CTYPE2  = 'DEC--TAN-SIP'", *SIP[:3]),
    ),
    *(
        Odd(code, _types(code))
        for code in (
            "SIN",
            "STG",
            "ARC",
            "ZEA",
            "CAR",
            "CEA",
            "MER",
            "SFL",
            "GLS",
            "AIT",
            "MOL",
            "NCP",
        )
    ),
    Odd("SIN with a slant", (*_types("SIN"), "PV2_1   = 0.1", "PV2_2   = 0.2")),
    Odd("COE", (*_types("COE"), "PV2_1   = 45.0", "PV2_2   = 10.0")),
    Odd("AZP", (*_types("AZP"), "PV2_1   = 2.0", "PV2_2   = 30.0")),
    Odd("PROJP", (*_types("ZPN"), "PROJP1  = 1.0", "PROJP3  = 50.0")),
    Odd("TNX", _types("TNX")),
    Odd("HPX", _types("HPX")),
    Odd("TSC", _types("TSC")),
    Odd("two projections", ("CTYPE1  = 'RA---SIN'",), UNPLACED),
    Odd("half of SIP", (*SIP_TYPES, SIP[0], SIP[2]), ()),
    Odd("linear RA and DEC", ("CTYPE1  = 'RA'", "CTYPE2  = 'DEC'")),
]
SKY = (
    "CRVAL1  = 0.0",
    "CRVAL2  = 0.0",
    "CD1_1   = -6.0",
    "CD1_2   = 0.0",
    "CD2_1   = 0.0",
    "CD2_2   = 4.0",
)
ALL_SKY = [
    *(
        Odd(f"all sky, {code}", (*_types(code), *SKY), has_region=False)
        for code in ("CAR", "AIT", "MOL", "ZEA")
    ),
    Odd("all sky, galactic", (*_types("AIT", ("GLON", "GLAT")), *SKY), has_region=False),
    Odd("half the sky", (*_types("SIN"), *SKY), has_region=False),
    Odd("a wide field", ("CD1_1   = -0.3", "CD1_2   = 0.0", "CD2_1   = 0.0", "CD2_2   = 0.3")),
]
HEADERS = [*FRAMES, *CARDS, *MATRICES, *PROJECTIONS, *ALL_SKY]
