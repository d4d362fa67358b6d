"""Tables of observations: units, blanks, and values that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from paperclip_cli.archives.observation_table import (
    WITHOUT_IMAGE,
    ObservationTable,
    Oddity,
    Row,
    read_observations,
)
from paperclip_cli.archives.row_values import UNREADABLE
from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import Observation

FULL = Observation(
    target="NGC 602",
    moving=False,
    s_ra=22.4,
    s_dec=-73.6,
    s_region="CIRCLE 22.4 -73.6 0.05",
    instrument="ACS",
    detector="WFC",
    filters=("F555W", "F814W"),
    cycle="12",
    obs_id="jdi601",
    t_min=53205.5,
    t_exptime=2156.0,
    access_url="https://x.y",
    preview_uri="mast:a",
    product_uri="mast:b",
    parallel=True,
)


def table(folder: Path, text: str | bytes, name: str = "observations.csv") -> ObservationTable:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_observations(folder)


def test_no_table_says_nothing(tmp_path: Path) -> None:
    assert read_observations(tmp_path) == ObservationTable()


def test_every_name_of_an_observation_is_a_column(tmp_path: Path) -> None:
    values = {name: getattr(FULL, name) for name in FULL.__slots__} | {
        "filters": "F555W; F814W",
        "moving": "no",
        "parallel": "True",
    }
    text = ",".join(["image", *values]) + "\n" + ",".join(["a.jpg", *map(str, values.values())])
    assert table(tmp_path, text).rows == (Row("a.jpg", None, FULL, "line 2"),)


@pytest.mark.parametrize(
    "text",
    [
        "image,proposal_id,target,ra,dec\r\nx/a.jpg,5,M 31,10.68,41.27\r\n",
        "\ufeffImage,Proposal_ID,Target_Name,RA,Dec\nx/a.jpg,005,M 31,1.068e1,+41.27\n\n",
        'image,proposal_id,target,ra,dec,unknown\n"x/a.jpg",5," M  31",10.68,41.27,1\n',
    ],
)
def test_plain_names_and_line_ends(tmp_path: Path, text: str) -> None:
    assert table(tmp_path, text).rows == (
        Row("x/a.jpg", 5, Observation(target="M 31", s_ra=10.68, s_dec=41.27), "line 2"),
    )


def test_blanks_are_unknown(tmp_path: Path) -> None:
    found = table(tmp_path, "image,ra,dec,moving,filters,target\na.jpg,,nan,--,,\nb.jpg\n,1,2,,,\n")
    assert found == ObservationTable(
        (Row("a.jpg", None, Observation(), "line 2"), Row("b.jpg", None, Observation(), "line 3")),
        (Oddity(WITHOUT_IMAGE, "observations.csv, line 4: image '' names no image"),),
    )


@pytest.mark.parametrize(
    "column, value, reason",
    [
        ("s_ra", "east", "is not a right ascension"),
        ("s_ra", "-361", "is not a right ascension"),
        ("s_ra", "-999", "is not a right ascension"),
        ("s_dec", "-91", "is not a declination"),
        ("s_dec", "inf", "is not a declination"),
        ("s_dec", "12h", "is not a declination"),
        ("s_region", "NOT (CIRCLE 1 1 1)", "is not a footprint that can be read"),
        ("moving", "perhaps", "is neither true nor false"),
        ("t_exptime", "-5", "is not an exposure time"),
        ("t_exptime", "1200 s", "is not a number"),
        ("t_min", "2004-07-18", "is not a number"),
        ("t_min", "2453205.5", "is a Julian Date, where a Modified Julian Date is due"),
        ("t_min", "2004.5", "is a year, where a Modified Julian Date is due"),
        ("t_min", "20040718", "is not a Modified Julian Date"),
        ("t_min", "-99", "is not a Modified Julian Date"),
        ("proposal_id", "GO-101", "is not the number of a proposal"),
    ],
)
def test_values_that_cannot_be_read_are_left_out_and_named(
    tmp_path: Path, column: str, value: str, reason: str
) -> None:
    found = table(tmp_path, f"image,target,{column}\na.jpg,M 31,{value}\n")
    said = f"observations.csv, line 2: {column} {value!r} {reason}"
    assert found == ObservationTable(
        (Row("a.jpg", None, Observation(target="M 31"), "line 2"),), (Oddity(UNREADABLE, said),)
    )


def test_stray_bytes_do_no_harm(tmp_path: Path) -> None:
    found = table(tmp_path, b"image,target\na.jpg,\xc5ngstr\xf6m \x00\xff\n")
    assert found.rows[0].observation.target == "Ångström ÿ"


@pytest.mark.parametrize("text", ["", "name,ra\na.jpg,1\n", "<html>\n"])
def test_a_table_without_images_is_one_clear_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(PaperclipError, match=r"observations\.csv has no column `image`"):
        table(tmp_path, text)


def test_a_cell_without_end_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PaperclipError, match=r"observations\.csv, line"):
        table(tmp_path, 'image,target\na.jpg,"' + "x" * 200_000)


def test_ecsv_with_other_units(tmp_path: Path) -> None:
    quantities = pytest.importorskip("astropy.table")
    units = pytest.importorskip("astropy.units")
    time = pytest.importorskip("astropy.time")

    made = quantities.QTable(
        {
            "image": ["a.jpg", "b.jpg"],
            "proposal_id": [5, 5],
            "ra": [1.0, 2.0] * units.hourangle,
            "dec": [600.0, -600.0] * units.arcmin,
            "t_exptime": [1.0, 2.0] * units.min,
            "t_min": time.Time([53205.5, 53206.5], format="mjd"),
            "moving": [True, False],
        }
    )
    made["target"] = quantities.MaskedColumn(["M 31", "?"], mask=[False, True])
    made.write(tmp_path / "observations.ecsv", format="ascii.ecsv")

    first, second = read_observations(tmp_path).rows
    observation = Observation(
        target="M 31",
        moving=True,
        s_ra=pytest.approx(15.0),
        s_dec=10.0,
        t_min=53205.5,
        t_exptime=60.0,
    )
    assert first == Row("a.jpg", 5, observation, "line 36")
    assert second.observation.target is None and second.observation.moving is False
    assert second.observation.s_dec == -10.0


def test_a_unit_that_does_not_fit_is_one_clear_error(tmp_path: Path) -> None:
    columns = "# - {name: image, datatype: string}\n# - {name: ra, unit: s, datatype: float64}\n"
    text = f"# %ECSV 1.0\n# ---\n# datatype:\n{columns}image ra\na.jpg 1\n"
    with pytest.raises(PaperclipError, match="cannot be read as ECSV: 's'"):
        table(tmp_path, text, "observations.ecsv")


def test_damaged_ecsv_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PaperclipError, match="cannot be read as ECSV"):
        table(tmp_path, "# %ECSV 1.0\n# ---\n# datatype: [\nimage\n", "observations.ecsv")
