"""Celestial frames, turned into ICRS without astropy.

Importing astropy takes 0.2 s, too long for a query that only needs a position.
"""

from __future__ import annotations

from paperclip_cli.sky.vectors import Vector, direction, unit_vector

# The columns are the axes of the frame in ICRS: those of astropy 8, to 16 digits. FK4 (equinox and
# epoch B1950, without E-terms) is that of Murray 1989, A&A 218, 325, equation 28; ecliptic is the
# mean ecliptic of J2000.
_FK5 = (
    (0.9999999999999929, 1.1102233723050039e-07, 4.4118034269763267e-08),
    (-1.1102233297408336e-07, 0.9999999999999892, -9.6477927519581271e-08),
    (-4.4118044980967742e-08, 9.6477922460101316e-08, 0.9999999999999944),
)
_AXES = {
    "fk5": _FK5,
    "fk4": (
        (0.9999256794956877, -0.0111814832204662, -0.0048590038153592),
        (0.0111814832391717, 0.9999374848933135, -0.0000271625947142),
        (0.0048590037723143, -0.0000271702937440, 0.9999881946023742),
    ),
    "galactic": (
        (-0.0548756577125917, 0.4941094371927269, -0.8676661375596585),
        (-0.8734370519556163, -0.4448297212232953, -0.1980763372730007),
        (-0.4838350736167156, 0.7469821839866677, 0.4559838136873021),
    ),
    "supergalactic": (
        (0.3750155557030317, -0.8983204377276134, 0.2288749093754373),
        (0.3413588718562474, -0.0957271002488513, -0.935045690264907),
        (0.8618801851683193, 0.42878516000302, 0.2707504994924461),
    ),
    "ecliptic": (
        (1.0, 3.2897004077419653e-08, -1.0207044725484355e-07),
        (-7.0783689609715575e-08, 0.91748212991495848, -0.39777699944404304),
        (8.0562139776131874e-08, 0.39777699944404799, 0.91748212991495559),
    ),
}
# The elliptic part of the annual aberration, which FK4 positions contain: Explanatory Supplement
# to the Astronomical Almanac (1992), equation 3.53-1, for B1950.
_E_TERMS = (-1.6255741516894347e-06, -3.191905371563791e-07, -1.384290671929659e-07)

# How frames are named in footprints and by people, in lower case. The Guide Star Catalogue
# (GSC 1), in which the archive keeps older footprints, is in FK5 J2000.
FRAMES = {
    "icrs": "icrs",
    "fk5": "fk5",
    "j2000": "fk5",
    "j2000.0": "fk5",
    "gsc1": "fk5",
    "gsc2": "icrs",
    "fk4": "fk4",
    "b1950": "fk4",
    "b1950.0": "fk4",
    "galactic": "galactic",
    "galactic_ii": "galactic",
    "gal": "galactic",
    "super_galactic": "supergalactic",
    "supergalactic": "supergalactic",
    "ecliptic": "ecliptic",
}
HOURS = frozenset({"icrs", "fk5", "fk4"})  # the frames whose longitude is counted in hours, too


def to_icrs(frame: str, longitude: float, latitude: float) -> tuple[float, float]:
    """Right ascension [0, 360) and declination in degrees (ICRS), of a position in degrees."""
    if frame == "icrs":
        return longitude % 360, latitude
    return direction(icrs_vector(frame, unit_vector(longitude, latitude)))


def icrs_vector(frame: str, vector: Vector) -> Vector:
    """A unit vector of a frame, in ICRS."""
    if frame == "icrs":
        return vector
    if frame == "fk4":
        return _turned(_FK5, _turned(_AXES[frame], _without_e_terms(vector)))
    return _turned(_AXES[frame], vector)


def _turned(axes: tuple[Vector, ...], vector: Vector) -> Vector:
    x, y, z = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in axes)
    return x, y, z


def _without_e_terms(vector: Vector) -> Vector:
    along = sum(a * b for a, b in zip(_E_TERMS, vector, strict=True))
    x, y, z = (one - term + along * one for one, term in zip(vector, _E_TERMS, strict=True))
    return x, y, z
