"""Rows and values that are left out of an archive's tables are counted and named."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import pytest
from astropy.coordinates import FK4, FK5, ICRS, SkyCoord
from astropy.io.votable import from_table
from astropy.io.votable.exceptions import VOWarning
from astropy.io.votable.tree import CooSys
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.folder import FolderArchive, open_folder
from paperclip_cli.archives.observation_table import (
    REPEATED,
    TOO_LONG,
    WITHOUT_IMAGE,
    read_observations,
)
from paperclip_cli.archives.row_values import UNREADABLE
from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import Key, Observation
from tests.archive_on_disk import write_archive_folder, write_image
from tests.conftest import REPOSITORY

FIELD_CASES = REPOSITORY.parent / "shared" / "field-cases" / "folder"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_archive_folder(tmp_path / "archive", {1: ["a.jpg", "b.jpg"], 2: ["a.jpg"]})


def opened(root: Path, *lines: str) -> FolderArchive:
    (root / "observations.csv").write_text("\n".join(lines))
    return open_folder(root, "local")


def seen(archive: FolderArchive) -> dict[str, Observation]:
    return {
        f"{key.proposal_id}/{image.name.rpartition('/')[2]}": image.observation
        for key, images in archive.images.items()
        for image in images
    }


def test_every_row_that_is_left_out_is_named(root: Path) -> None:
    write_image(root / "observations_2/proposal_2/a.jpg", 2)
    archive = opened(
        root,
        "image,proposal_id,target,ra,dec",
        "a.jpg,1,first,10,20",
        "a.jpg,1.0,second,11,20",
        "b.jpg,1,M 31, halo,11,20",
        "a.jpg,2,which of the two,1,2",
        "c.jpg,1,gone,1,2",
        ",1,nameless,1,2",
        "b.jpg,sixteen,no number,1,2",
        "observations/proposal_1/b.jpg,2,another's,1,2",
        "observations/proposal_1/b.jpg,GO 1,fine all the same,13:29:52.7,twenty",
    )
    assert archive.notes == (
        "observations.csv, line 4: value '20' is beyond the last column; "
        "cells with a comma need quotes",
        "observations.csv, line 7: image '' names no image",
        "observations.csv, line 8: proposal_id 'sixteen' is not the number of a proposal",
        "observations.csv, line 10: proposal_id 'GO 1' is not the number of a proposal",
        "observations.csv, line 10: s_dec 'twenty' is not a declination",
        "observations.csv, line 2: image 'a.jpg' is also in line 3, which counts",
        "observations.csv, line 5: image 'a.jpg' is the name of 2 images of proposal 2",
        "observations.csv, line 6: image 'c.jpg' is not the name of an image in the folder",
        "observations.csv, line 8: image 'b.jpg' is not the name of an image in the folder",
        "observations.csv, line 9: image 'observations/proposal_1/b.jpg' is of proposal 1, not 2",
    )
    assert archive.excluded == {TOO_LONG: 1, WITHOUT_IMAGE: 5, UNREADABLE: 2, REPEATED: 1}
    found = seen(archive)
    assert found["1/a.jpg"] == Observation(target="second", s_ra=11.0, s_dec=20.0)
    assert found["1/b.jpg"] == Observation(target="fine all the same")
    assert found["2/a.jpg"] == Observation()


def test_many_are_counted_after_the_first_twenty(root: Path) -> None:
    archive = opened(root, "image,target", *(f"x{i}.jpg,M 1" for i in range(50)))
    assert archive.excluded == {WITHOUT_IMAGE: 50} and len(archive.notes) == 21
    assert archive.notes[-1] == "... and 30 more oddities of observations.csv"


def test_another_mission_in_front_of_a_number_is_one_notice(root: Path) -> None:
    rows = ("image,proposal_id,target", "a.jpg,HST:1,one", "b.jpg,hst:1,two", "a.jpg,2,three")
    archive = opened(root, *rows)
    assert [one.target for one in seen(archive).values()] == ["three", "one", "two"]
    assert archive.notes == (
        "proposals that are named hst: are stored as local: (--mission hst stores them as hst:)",
    )
    assert open_folder(root, "hst").notes == ()

    catalogue = (root / "abstracts.cat").read_text().replace("ID:         ", "ID: jwst:00")
    (root / "abstracts.cat").write_text(catalogue)
    archive = open_folder(root, "hst")
    assert [one.key for one in archive.catalogue] == [Key("hst", 1), Key("hst", 2)]
    assert archive.notes == (
        "proposals that are named jwst: are stored as hst: (--mission jwst stores them as jwst:)",
    )


def test_the_command_names_them(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from paperclip_cli.cli.app import run

    rows = ["image,proposal_id,t_min", "a.jpg,1,2457101.5", "gone.jpg,1,57101"]
    (root / "observations.csv").write_text("\r".join(rows))
    cache = root.parent / "cache"
    assert run(["--cache-dir", str(cache), "fetch", "--from", str(root)]) == 0
    said = capsys.readouterr().err
    assert "line 2: t_min '2457101.5' is a Julian Date, where a Modified Julian Date is due" in said
    assert "line 3: image 'gone.jpg' is not the name of an image in the folder" in said
    assert "skipped 1 row of the observation table with an unreadable value" in said


def test_two_columns_of_one_kind_fill_each_other(tmp_path: Path) -> None:
    text = "image,ra,s_ra,s_dec,dec,target,target\na.jpg,1,2,3,4,,M 31\nb.jpg,1,null,,4,N,M\n"
    (tmp_path / "observations.csv").write_text(text)
    first, second = read_observations(tmp_path).rows
    assert first.observation == Observation(s_ra=2.0, s_dec=3.0, target="M 31")
    assert second.observation == Observation(s_ra=1.0, s_dec=4.0, target="N")


def test_both_coordinates_may_be_in_one_column(tmp_path: Path) -> None:
    for header, cell in (
        ("coord", '"202.469575,47.195258"'),  # as astropy writes a SkyCoord into CSV
        ("Position", "13:29:52.698 +47:11:42.93"),
        ("coord.ra,coord.dec", "202.469575,47.195258"),
    ):
        (tmp_path / "observations.csv").write_text(f"image,{header}\na.jpg,{cell}\nb.jpg,null\n")
        first, second = read_observations(tmp_path).rows
        place = first.observation.s_ra, first.observation.s_dec
        assert place == pytest.approx((202.469575, 47.195258), abs=1e-6)
        assert second.observation == Observation()
    (tmp_path / "observations.csv").write_text("image,coord\na.jpg,M 51\n")
    (odd,) = read_observations(tmp_path).oddities
    assert odd.text == "observations.csv, line 2: position 'M 51' is not a position"


def test_records_of_the_catalogue_are_named_too(root: Path) -> None:
    record = "\nID: {}\n\nAn abstract.\n" + "-" * 78 + "\n"
    text = "".join(map(record.format, ("1", "101.0", "none", "00101")))
    (root / "abstracts.cat").write_text(text.replace("\n", "\r"))
    archive = open_folder(root, "local")
    assert [one.proposal_id for one in archive.catalogue] == [1, 101]
    assert archive.notes == (
        "abstracts.cat, line 12: ID 'none' is not the number of a proposal",
        "abstracts.cat, line 17: ID '00101' is also in line 7",
    )


@given(st.sampled_from(("csv", "ecsv", "vot")), st.binary(max_size=300), st.booleans())
def test_any_bytes_are_a_table_or_one_clear_error(kind: str, data: bytes, is_begun: bool) -> None:
    begun = {"csv": b"image,ra\n", "ecsv": b"# %ECSV 1.0\n", "vot": b"<VOTABLE>"}[kind]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"observations.{kind}").write_bytes((begun if is_begun else b"") + data)
        try:
            found = read_observations(Path(folder))
        except PaperclipError as error:
            assert f"observations.{kind}" in error.message
        else:
            assert all(row.image for row in found.rows)


def test_units_may_stand_in_the_header(tmp_path: Path) -> None:
    text = "image;RA [deg];Dec (deg);exptime (s)\na.jpg;1;2;3\n"
    (tmp_path / "observations.csv").write_text(text)
    (row,) = read_observations(tmp_path).rows
    assert row.observation == Observation(s_ra=1.0, s_dec=2.0, t_exptime=3.0)


def votable(folder: Path, system: str | None, equinox: str | None = None) -> Path:
    made = Table({"image": ["a.jpg"], "ra": [201.943004], "dec": [47.4529401]})
    tree = from_table(made)
    if system:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VOWarning)
            stated = CooSys(ID="frame", system=system, equinox=equinox)
        tree.resources[0].coordinate_systems.append(stated)
        for field in tree.get_first_table().fields[1:]:
            field.ref = "frame"
    tree.to_xml(str(folder / "observations.vot"))
    return folder / "observations.vot"


# The equinox as it is stated, and astropy's frame for it; whether system and equinox go together.
FRAMES = [
    (None, None, ICRS(), True),
    ("ICRS", None, ICRS(), True),
    ("ICRS", "2000", ICRS(), True),
    *(("eq_FK5", one, FK5(), True) for one in (None, "2000", "J2000", "2000.0", "J2000.0")),
    *(("FK4", one, FK4(), True) for one in (None, "1950", "B1950", "1950.0", "b1950.0")),
    ("eq_FK4", "B1950", FK4(), True),
    ("eq_FK4", "B1975", FK4(equinox="B1975"), True),
    ("eq_FK4", "1900", FK4(equinox="B1900"), True),
    ("FK5", "J1975.0", FK5(equinox="J1975"), True),
    ("eq_FK5", "2015.5", FK5(equinox="J2015.5"), True),
    ("eq_FK5", "B1950", FK5(equinox="B1950"), False),
    ("eq_FK5", "1950", FK5(equinox="J1950"), False),
    ("eq_FK4", "J2000", FK4(equinox="J2000"), False),
]


@pytest.mark.parametrize(("system", "equinox", "frame", "is_plain"), FRAMES)
def test_positions_of_a_votable_are_in_the_frame_that_it_states(
    tmp_path: Path, system: str | None, equinox: str | None, frame: object, is_plain: bool
) -> None:
    votable(tmp_path, system, equinox)
    found = read_observations(tmp_path)
    (row,) = found.rows
    wanted = SkyCoord(201.943004, 47.4529401, unit="deg", frame=frame).icrs
    there = SkyCoord(row.observation.s_ra, row.observation.s_dec, unit="deg")
    most = 0.025 if system and "FK5" in system else 0.001  # FK5 of J2000 is taken for ICRS
    assert row.place == "row 1" and there.separation(wanted).arcsec < most
    assert bool(found.notes) != is_plain and not found.oddities
    assert all(f"in {system} {equinox}, two that do not" in note for note in found.notes)


@pytest.mark.parametrize(
    ("system", "equinox"),
    [("galactic", None), ("eq_FK4", "B2950"), ("eq_FK5", "soon"), ("ICRS", "B1950")],
)
def test_positions_that_cannot_be_placed_are_refused(
    tmp_path: Path, system: str, equinox: str | None
) -> None:
    votable(tmp_path, system, equinox)
    said = f"as VOTable: its positions are in {system} {equinox or ''}".strip()
    with pytest.raises(PaperclipError, match=said):
        read_observations(tmp_path)


@pytest.mark.parametrize(
    "evil",
    [
        b"<STREAM encoding='base64' href='file:///etc/passwd'/>",
        b"<!ENTITY x SYSTEM 'file:///etc/passwd'>",
        b"\0",
    ],
)
def test_a_votable_opens_nothing_else(tmp_path: Path, evil: bytes) -> None:
    path = votable(tmp_path, None)
    path.write_bytes(path.read_bytes().replace(b"<RESOURCE", evil + b"<RESOURCE", 1))
    with pytest.raises(PaperclipError, match="not a VOTable that holds its own data"):
        read_observations(tmp_path)
    path.write_bytes(b"\x1f\x8b not unpacked")
    with pytest.raises(PaperclipError, match="not a VOTable that holds its own data"):
        read_observations(tmp_path)
    path.write_bytes(b"<VOTABLE><RESOURCE>")
    with pytest.raises(PaperclipError, match="cannot be read as VOTable"):
        read_observations(tmp_path)


CASES = {
    "ecsv_empty_cells": {101: (202.4696, 47.1952), 102: None},
    "csv_float_id": {101: (202.4696, 47.1952), 102: (10.0, 10.0)},
    "csv_ra_neg": {101: (202.47, 47.1952), 102: (202.4, 47.1952)},
    "csv_cr_only": {101: (202.4696, 47.1952)},
    "ecsv_skycoord": {101: (202.4696, 47.1952)},
    "region_wrap": dict.fromkeys((101, 102, 103, 104), (0.0, 0.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_tables_that_went_wrong(case: str) -> None:
    if not FIELD_CASES.is_dir():
        pytest.skip("no field cases beside the repository")
    archive = open_folder(FIELD_CASES / case, "local")
    for number, place in CASES[case].items():
        images = archive.previews(Key("local", number))
        assert images
        for image in images:
            found = image.observation.s_ra, image.observation.s_dec
            assert found == (pytest.approx(place) if place else (None, None))
    assert WITHOUT_IMAGE not in archive.excluded and UNREADABLE not in archive.excluded


OPEN = "opens a quote that is not closed"


@pytest.mark.parametrize(
    ("rows", "wanted", "odd"),
    [
        # The quote is closed by the next row's, by the end of the file, or at the end of a row.
        (('a.jpg,"M 31,x', 'b.jpg,"M 32",y'), {"a": ("", "x"), "b": ("M 32", "y")}, [2]),
        (('a.jpg,"M 31,x', "b.jpg,M 32,y"), {"a": ("", "x"), "b": ("M 32", "y")}, [2]),
        (('a.jpg,"M 31,x', 'b.jpg,M 32,"y"'), {"a": ("", "x"), "b": ("M 32", "y")}, [2]),
        (('a.jpg,M 31,"x', 'b.jpg,M 32,y"'), {"a": ("M 31", ""), "b": ("M 32", 'y"')}, [2]),
        (('a.jpg,M 31,"x', 'b.jpg,M 32,"y'), {"a": ("M 31", ""), "b": ("M 32", "")}, [2, 3]),
        (('a.jpg,"M 31, halo,x', "b.jpg,M 32,y"), {"a": ("", ""), "b": ("M 32", "y")}, [2]),
        (('"a.jpg,M 31,x', "b.jpg,M 32,y"), {"b": ("M 32", "y")}, [2]),
        (('a.jpg,"M 31,x', *("b.jpg,M 32,y",) * 500), {"a": ("", "x"), "b": ("M 32", "y")}, [2]),
        # These are as they should be.
        (('a.jpg,"M 31, the\ngreat one",x', "b.jpg,M,"), {"a": ("M 31, the great one", "x")}, []),
        (('a.jpg,5" slit,x', "b.jpg,M 32,y"), {"a": ('5" slit', "x"), "b": ("M 32", "y")}, []),
        (('a.jpg,"5"" slit",x', 'b.jpg,"M 32" ,y'), {"a": ('5" slit', "x")}, []),
        (('"a.jpg","M ""31""","x\n\ny"', "b.jpg,M,"), {"a": ('M "31"', "x y")}, []),
    ],
)
def test_an_open_quote_is_named_and_takes_no_other_row(
    tmp_path: Path, rows: tuple[str, ...], wanted: dict[str, tuple[str, str]], odd: list[int]
) -> None:
    (tmp_path / "observations.csv").write_text("\n".join(("image,target,instrument", *rows)))
    found = read_observations(tmp_path)
    said = {
        row.image[0]: (row.observation.target or "", row.observation.instrument or "")
        for row in found.rows
    }
    assert wanted.items() <= said.items() and {"a", "b"} >= said.keys() >= {"b"}
    assert [one.text.partition(":")[0] for one in found.oddities] == [
        f"observations.csv, line {number}" for number in odd
    ]
    assert all(OPEN in one.text and one.kind == UNREADABLE for one in found.oddities)


@given(
    st.lists(
        st.lists(st.text('ab",;\n\r #', max_size=6), min_size=2, max_size=2), min_size=1, max_size=5
    )
)
def test_what_the_csv_module_writes_is_read_as_it_was(cells: list[list[str]]) -> None:
    import csv
    import io

    from paperclip_cli.archives.csv_rows import csv_rows

    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(
        [["x.jpg", *row] for row in cells]
    )
    found = list(csv_rows(text.getvalue().replace("\r", " ").split("\n"), ",", 3, 0))
    assert [row.cells for row in found] == [
        ["x.jpg", *(one.replace("\r", " ") for one in row)] for row in cells
    ]
    assert not [row for row in found if row.open is not None]


def test_the_names_may_stand_in_a_comment(tmp_path: Path) -> None:
    for text in ("#image,ra,dec\n", "# made by hand\n# image\tra\tdec\n", "#Image,RA [deg],Dec\n"):
        row = "a.jpg\t05\t-1.5\n" if "\t" in text else "a.jpg,05,-1.5\n"
        (tmp_path / "observations.csv").write_text(text + row)
        (found,) = read_observations(tmp_path).rows
        assert found.observation == Observation(s_ra=5.0, s_dec=-1.5)
        assert found.place == f"line {1 + text.count(chr(10))}"
    for text in ("#name,ra\na.jpg,1\n", "# image\n\nname\na.jpg\n"):
        (tmp_path / "observations.csv").write_text(text)
        with pytest.raises(PaperclipError, match="no column `image`"):
            read_observations(tmp_path)


def test_a_right_ascension_of_hours_and_minutes_is_not_degrees(tmp_path: Path) -> None:
    (tmp_path / "observations.csv").write_text("image,ra,dec\na.jpg,0106,+13\nb.jpg,010.5,+13\n")
    found = read_observations(tmp_path)
    assert [row.observation.s_ra for row in found.rows] == [None, 10.5]
    assert [odd.text for odd in found.oddities] == [
        "observations.csv, line 2: s_ra '0106' is not a right ascension"
    ]


def test_comments_after_the_header_are_no_rows(tmp_path: Path) -> None:
    text = """# made by hand
image,target
# the good ones
a.jpg,M 31
  # b.jpg,"M 32
#
"#c.jpg",M 33
d.jpg,"M 34
# a line of its name"
"""
    (tmp_path / "observations.csv").write_text(text)
    found = read_observations(tmp_path)
    assert [(row.image, row.observation.target, row.place) for row in found.rows] == [
        ("a.jpg", "M 31", "line 4"),
        ("#c.jpg", "M 33", "line 7"),
        ("d.jpg", "M 34 # a line of its name", "line 8"),
    ]
    assert not found.oddities
