"""Columns as catalogues name them: each is read for what it is, or named as not read."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.votable import from_table
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.columns import (
    ALIASES,
    PAIRS,
    POSITIONS,
    halves_of,
    heading,
    pairs_of,
    passed_over,
)
from paperclip_cli.archives.observation_table import ObservationTable, read_observations
from paperclip_cli.archives.row_values import HALF, UNREADABLE
from paperclip_cli.records import Observation
from paperclip_cli.sky.footprint import observed_footprint
from paperclip_cli.sky.region import parse_region

M51 = SkyCoord(202.469575, 47.195258, unit="deg")


def table(folder: Path, *lines: str) -> ObservationTable:
    (folder / "observations.csv").write_text("\n".join(lines))
    return read_observations(folder)


def place(observation: Observation) -> tuple[float, float]:
    assert observation.s_ra is not None and observation.s_dec is not None
    return observation.s_ra, observation.s_dec


def apart(observation: Observation, wanted: SkyCoord) -> float:
    """The distance of an observation from a place, in arcsec."""
    return SkyCoord(*place(observation), unit="deg").separation(wanted).arcsec


@pytest.mark.parametrize(
    ("ra", "dec", "unit"),
    [
        ("RAJ2000", "DEJ2000", "deg"),
        ("_RAJ2000", "_DEJ2000", "deg"),
        ("RA_ICRS", "DE_ICRS", "deg"),
        ("RA (J2000)", "Dec (J2000)", "deg"),
        ("ra_deg", "dec_deg", "deg"),
        ("RAdeg", "DEdeg", "deg"),
        ("ra_d", "dec_d", "deg"),
        ("ra-deg", "dec-deg", "deg"),
        ("_RA.icrs", "_DE.icrs", "deg"),
        ("s_ra", "s_dec", "deg"),
        ("targ_ra", "targ_dec", "deg"),
        ("ALPHA_J2000", "DELTA_J2000", "deg"),
        ("Right Ascension", "Declination", "deg"),
        ("RA", "DE", "deg"),
        ("ra [deg]", "dec_degrees", "deg"),
        ("ra [h]", "dec [deg]", "hourangle"),
        ("ra (hours)", "dec", "hourangle"),
        ("RA_h", "Dec_deg", "hourangle"),
        ("ra [rad]", "dec [rad]", "rad"),
        ("RAJ2000 [h:m:s]", "DEJ2000 [d:m:s]", "sexagesimal"),
        ("ra_hms", "dec_dms", "sexagesimal"),
        ("ra[arcmin]", "dec[arcsec]", "small"),
    ],
)
def test_coordinates_by_the_names_and_units_of_catalogues(
    tmp_path: Path, ra: str, dec: str, unit: str
) -> None:
    values: dict[str, tuple[object, object]] = {
        "deg": (M51.ra.deg, M51.dec.deg),
        "hourangle": (M51.ra.hourangle, M51.dec.deg),
        "rad": (M51.ra.rad, M51.dec.rad),
        "small": (M51.ra.arcmin, M51.dec.arcsec),
    }
    values["sexagesimal"] = (
        M51.ra.to_string(u.hourangle, sep=" ", precision=4, pad=True),
        M51.dec.to_string(u.deg, sep=" ", precision=3, alwayssign=True, pad=True),
    )
    found = table(tmp_path, f"image,{ra},{dec}", "a.jpg,{},{}".format(*values[unit]))
    assert apart(found.rows[0].observation, M51) < 0.001
    assert not found.notes and not found.oddities


def test_hours_that_no_day_has_are_named(tmp_path: Path) -> None:
    found = table(tmp_path, "image,ra [h],dec", "a.jpg,25,1", "b.jpg,-1.5,1", "c.jpg,1.5e0,1")
    assert [row.observation.s_ra for row in found.rows] == [None, None, 22.5]
    assert [odd.text for odd in found.oddities] == [
        "observations.csv, line 2: s_ra '25h' is not a right ascension",
        "observations.csv, line 3: s_ra '-1.5h' is not a right ascension",
    ]


def test_names_that_say_a_frame_are_in_it(tmp_path: Path) -> None:
    for (ra, dec), frame in (
        (("RAB1950", "DEB1950"), "fk4"),
        (("_RAB1950", "_DEB1950"), "fk4"),
        (("GLON", "GLAT"), "galactic"),
    ):
        there = M51.transform_to(frame).spherical
        found = table(tmp_path, f"image,{ra},{dec}", f"a.jpg,{there.lon.deg},{there.lat.deg}")
        assert apart(found.rows[0].observation, M51) < 0.001 and not found.notes


def test_dates_and_exposures_by_other_names_and_units(tmp_path: Path) -> None:
    wanted = Time("2015-03-20T12:00:00", scale="utc").mjd
    for name, text in (
        ("mjd", "57101.5"),
        ("MJD-OBS", "57101.5"),
        ("t_min [d]", "57101.5"),
        ("expstart", "57101.5"),
        ("DATE-OBS", "2015-03-20T12:00:00"),
        ("date_obs", "2015-03-20 12:00:00"),
        ("obs_date", "2015-03-20T13:00:00+01:00"),
        ("dateobs", "57101.5"),
    ):
        found = table(tmp_path, f"image,{name}", f"a.jpg,{text}", "b.jpg,null")
        assert [row.observation.t_min for row in found.rows] == [wanted, None]
        assert not found.notes and not found.oddities
    for unit, value in (("s", 120), ("min", 2), ("ms", 120_000), ("h", 1 / 30)):
        for name in (f"exptime [{unit}]", f"t_exptime_{unit}"):
            found = table(tmp_path, f"image,{name}", f"a.jpg,{value!r}")
            assert found.rows[0].observation.t_exptime == pytest.approx(120)


@pytest.mark.parametrize("text", ["soon", "1850-01-01", "9999-01-01", "2457101.5", "2015"])
def test_what_is_no_date_is_named(tmp_path: Path, text: str) -> None:
    found = table(tmp_path, "image,date_obs", f"a.jpg,{text}")
    assert found.rows[0].observation == Observation()
    (odd,) = found.oddities
    assert odd.text.startswith(f"observations.csv, line 2: date_obs '{text}' is ")


def test_halves_of_two_positions_are_never_one(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "image,ra,dec,RAJ2000,DEJ2000",
        "a.jpg,1,,3,4",
        "b.jpg,1,,,4",
        "c.jpg,,2,east,4",
        "d.jpg,1,2,,4",
    )
    assert [row.observation for row in found.rows] == [
        Observation(s_ra=3.0, s_dec=4.0),
        Observation(),
        Observation(),
        Observation(s_ra=1.0, s_dec=2.0),
    ]
    assert [(odd.kind, odd.text.partition(": ")[2]) for odd in found.oddities] == [
        (HALF, "s_ra '1' is half of a position: s_dec is blank"),
        (HALF, "s_ra '1' is half of a position: s_dec is blank"),
        (HALF, "dej2000 '4' is half of a position: raj2000 is blank"),
        (HALF, "s_dec '2' is half of a position: s_ra is blank"),
        (UNREADABLE, "raj2000 'east' is not a right ascension"),
    ]


def test_a_column_without_its_other_half_places_nothing(tmp_path: Path) -> None:
    found = table(tmp_path, "image,RA [deg],s_region", *("a.jpg,1,CIRCLE 5 5 1",) * 3, "b.jpg,,")
    assert all(row.observation.s_ra is None for row in found.rows) and not found.oddities
    half = "3 rows have half of a position: no column is the other half of ra"
    assert found.notes == (f"observations.csv: {half}",)
    crossed = table(tmp_path, "image,ra,DEJ2000", "a.jpg,1,2")  # but there is only one of each
    assert place(crossed.rows[0].observation) == (1.0, 2.0)
    other = table(tmp_path, "image,ra,GLAT", "a.jpg,1,2")
    assert other.rows[0].observation == Observation() and len(other.notes) == 1


def test_a_column_of_both_counts_where_ra_and_dec_say_nothing(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "image,ra,dec,position,radec",
        "a.jpg,,,1 2,5 6",
        "b.jpg,--,null,,5 6",
        "c.jpg,3,4,1 2,5 6",
        "d.jpg,3,,1 2,5 6",
        "e.jpg,-99,-99,1 2,",
        "f.jpg,,,M 51,",
    )
    assert [(row.observation.s_ra, row.observation.s_dec) for row in found.rows] == [
        (1.0, 2.0),
        (5.0, 6.0),
        (3.0, 4.0),
        (1.0, 2.0),
        (1.0, 2.0),
        (None, None),
    ]
    assert [odd.text.partition(": ")[2] for odd in found.oddities] == [
        "s_ra '3' is half of a position: s_dec is blank",
        "s_dec '-99' is not a declination",
        "position 'M 51' is not a position",
    ]


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    found = table(tmp_path, "image,alpha_deg,lat,JD,remark,site", "a.jpg,1,2,3,4,5")
    assert found.notes == (
        "observations.csv: no position is read from column lat; "
        "name the columns ra and dec (degrees, ICRS)",
        "observations.csv: no date is read from column jd; name the column t_min (MJD) or date_obs",
        "observations.csv: not used: columns alpha_deg, remark, site",
    )
    plain = table(tmp_path, "image,ra,dec,e_ra,t_min,date,update", "a.jpg,1,2,3,57101,5,6")
    assert plain.notes == ("observations.csv: not used: columns e_ra, date, update",)
    many = table(tmp_path, "image," + ",".join(f"c{i}" for i in range(30)), "a.jpg")
    assert many.notes[0].endswith("c10, c11 and 18 more columns")


@pytest.mark.parametrize(
    "names",
    [
        "ra [furlong],dec",
        "ra[s],dec[deg]",
        "ra (B1950),dec (B1950)",
        "ra_2016,dec_2016",
        "lon,lat",
        "xra,coord_1",
        "meanRA_x,meanDEC_x",
        "ELON,ELAT",
        "ra1,dec1",
    ],
)
def test_a_table_whose_positions_are_not_understood_says_so(tmp_path: Path, names: str) -> None:
    found = table(tmp_path, f"image,{names}", "a.jpg,1,2")
    assert found.rows[0].observation.s_ra is None
    assert any("position" in note for note in found.notes)


@pytest.mark.parametrize("name", ["jd", "HJD", "date", "start_time", "mjd_mid", "t_min [jd]"])
def test_a_table_whose_dates_are_not_understood_says_so(tmp_path: Path, name: str) -> None:
    found = table(tmp_path, f"image,{name}", "a.jpg,57101")
    assert found.rows[0].observation.t_min is None
    (note,) = found.notes
    assert note.startswith(f"observations.csv: no date is read from column {name.lower()};")


def test_every_name_is_known_as_what_it_is() -> None:
    for pair in PAIRS:
        assert pairs_of(["image", pair.dec, pair.ra]) == (pair,)
        assert halves_of([pair.ra]) == [pair.ra] and not pairs_of([pair.ra])
    names = [*ALIASES, *POSITIONS, *(name for pair in PAIRS for name in (pair.ra, pair.dec))]
    assert not passed_over(names) and len({*names}) > 90
    assert all(heading(name.upper()).name == name for name in names)


@given(st.lists(st.text("radecghlon_ []mjs", max_size=9), max_size=6))
def test_any_names_are_read_or_named_once(names: list[str]) -> None:
    columns = [heading(name).name for name in names]
    said = " ".join(passed_over(columns))
    assert len(pairs_of(columns)) <= len(columns) ** 2 and len(said) < 1000


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        ("hourangle", "ecsv"),  # which VOTable does not have
        *product(["h", "deg", "rad", "h:m:s", None], ["ecsv", "vot"]),
    ],
)
def test_units_of_astropy_s_tables(tmp_path: Path, unit: str | None, kind: str) -> None:
    ra: object = {
        "h": M51.ra.hourangle,
        "hourangle": M51.ra.hourangle,
        "rad": M51.ra.rad,
        "h:m:s": M51.ra.to_string(u.hourangle, sep=" ", precision=5, pad=True),
    }.get(str(unit), M51.ra.deg)
    made = Table({"image": ["a.jpg"], "RAJ2000": Column([ra]), "DEJ2000": [M51.dec.deg]})
    path = tmp_path / f"observations.{kind}"
    text = io.BytesIO()
    if kind == "ecsv":
        made["RAJ2000"].unit = None if unit == "h:m:s" else unit
        made.write(path, format="ascii.ecsv")
    else:
        tree = from_table(made)
        tree.to_xml(text)
        said = text.getvalue().decode()
        unit_of = f'name="RAJ2000" unit="{unit}"' if unit else 'name="RAJ2000"'
        path.write_text(said.replace('name="RAJ2000"', unit_of))
    assert apart(read_observations(tmp_path).rows[0].observation, M51) < 0.001


def test_a_suffix_is_the_unit_of_a_column_without_one(tmp_path: Path) -> None:
    made = QTable({"image": ["a.jpg"], "ra_h": [1.0], "dec_rad": [0.5]})
    made["exptime_min"] = [2.0] * u.s  # its own unit counts
    made.write(tmp_path / "observations.ecsv", format="ascii.ecsv")
    found = read_observations(tmp_path).rows[0].observation
    assert (found.s_ra, found.t_exptime) == (15.0, 2.0)
    assert found.s_dec == pytest.approx(np.degrees(0.5))


def test_a_column_of_coordinates_counts_where_ra_and_dec_say_nothing(tmp_path: Path) -> None:
    made = QTable({"image": ["a.jpg", "b.jpg"]})
    made["ra"] = made["dec"] = MaskedColumn([1.0, 2.0], mask=[True, False])
    made["place"] = SkyCoord([M51.ra, M51.ra], [M51.dec, M51.dec])
    made.write(tmp_path / "observations.ecsv", format="ascii.ecsv")
    first, second = read_observations(tmp_path).rows
    assert apart(first.observation, M51) < 0.001
    assert place(second.observation) == (2.0, 2.0)


SQUARE = [10.0, 10.0, 11.0, 10.0, 11.0, 11.0, 10.0, 11.0]
NAN = float("nan")
ARRAYS = [
    # What the cells hold, DALI's name for it, and the same footprint in words.
    ([SQUARE], "polygon", "POLYGON ICRS 10 10 11 10 11 11 10 11"),
    ([[*SQUARE[:6], NAN, NAN]], "polygon", "POLYGON ICRS 10 10 11 10 11 11"),
    ([[10.0, 10.0, 0.5]], "circle", "CIRCLE ICRS 10 10 0.5"),
    ([[10.0, 10.0]], "point", "POSITION ICRS 10 10"),
    ([[10.0, 12.0, -1.0, 1.0]], "range", "RANGE 10 12 -1 1"),
    (
        [[*SQUARE[:6], NAN, NAN, 20.0, 0.0, 21.0, 0.0, 21.0, 1.0]],
        "multipolygon",
        "POLYGON 10 10 11 10 11 11 POLYGON 20 0 21 0 21 1",
    ),
    ([SQUARE], "", "POLYGON ICRS 10 10 11 10 11 11 10 11"),
    ([[10.0, 10.0, 0.5]], "", "CIRCLE ICRS 10 10 0.5"),
]


def masked(values: list[float]) -> np.ma.MaskedArray:
    """An array as astropy's writer wants it, with a mask of as many values."""
    return np.ma.array(values, float, mask=[False] * len(values))


@pytest.mark.parametrize(("cells", "xtype", "words"), ARRAYS)
@pytest.mark.parametrize("form", ["tabledata", "binary", "binary2"])
@pytest.mark.parametrize("is_variable", [False, True])
def test_footprints_as_arrays_of_numbers(
    tmp_path: Path, cells: list[list[float]], xtype: str, words: str, form: str, is_variable: bool
) -> None:
    made = Table({"image": ["a.jpg", "b.jpg"]})
    empty = [NAN] * len(cells[0])
    if is_variable:
        made["s_region"] = np.empty(2, object)
        made["s_region"][0], made["s_region"][1] = masked(cells[0]), masked([])
    else:
        made["s_region"] = MaskedColumn(
            [cells[0], empty], mask=[[False] * len(empty), [True] * len(empty)]
        )
    made["s_region"].unit = "deg"
    tree = from_table(made)
    field = tree.get_first_table().fields[1]
    field.xtype = xtype or None
    if is_variable:
        field.datatype, field.arraysize = "double", "*"
    tree.to_xml(str(tmp_path / "observations.vot"), tabledata_format=form)
    found = read_observations(tmp_path)
    first, second = found.rows
    assert not found.oddities and second.observation.s_region is None
    mine, wanted = parse_region(first.observation.s_region or ""), parse_region(words)
    assert len(mine) == len(wanted) > 0
    for one, other in zip(mine, wanted, strict=True):
        assert np.allclose(one.vertices, other.vertices, atol=1e-12) and one.rim == other.rim
    assert observed_footprint(first.observation) is not None


@pytest.mark.parametrize(
    ("cell", "xtype"),
    [
        ([10.0, 10.0, 0.5], "polygon"),
        ([10.0, NAN, 0.5], "circle"),
        (SQUARE, "circle"),
        (SQUARE, "blob"),
    ],
)
def test_arrays_that_are_no_footprint_are_named(
    tmp_path: Path, cell: list[float], xtype: str
) -> None:
    made = Table({"image": ["a.jpg"], "s_region": [cell]})
    tree = from_table(made)
    tree.get_first_table().fields[1].xtype = xtype
    tree.to_xml(str(tmp_path / "observations.vot"))
    found = read_observations(tmp_path)
    assert found.rows[0].observation.s_region is None
    (odd,) = found.oddities
    assert odd.text.endswith("is not a footprint that can be read") and odd.kind == UNREADABLE


def test_arrays_in_ecsv_and_lists_in_text_are_footprints_too(tmp_path: Path) -> None:
    made = QTable({"image": ["a.jpg"], "s_region": [[10.0, 10.0, 0.5]] * u.deg})
    made.write(tmp_path / "observations.ecsv", format="ascii.ecsv")
    wanted = parse_region("CIRCLE 10 10 0.5")
    assert parse_region(read_observations(tmp_path).rows[0].observation.s_region or "") == wanted
    (tmp_path / "observations.ecsv").unlink()
    for text in ("10;10;0.5", "[10, 10, 0.5]", "(10 10 0.5)"):
        found = table(tmp_path, "image,s_region", f'a.jpg,"{text}"')
        assert parse_region(found.rows[0].observation.s_region or "") == wanted
