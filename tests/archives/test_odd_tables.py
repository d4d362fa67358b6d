"""Tables as people and programs write them: each cell is what was meant, or unknown, or named.

The truth is what the table was made from, with positions and times by astropy.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Angle, EarthLocation, Latitude, Longitude, SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time
from astropy.utils.masked import Masked

from paperclip_cli.archives.observation_table import ObservationTable, read_observations
from paperclip_cli.records import Observation

ROWS = 6
CSV_TABLES, ECSV_TABLES, VOTABLES = 24, 24, 16
BLANKS = ["", "--", "-", "null", "NULL", "N/A", "n/a", "nan", "NaN", "None", "<NA>", "—", "NA"]
COLUMNS = ("s_ra", "s_dec", "t_min", "t_exptime", "target", "cycle", "moving")


class Truth(NamedTuple):
    """What a table was made from: arrays [ROWS], and where it has no value (bool, by column)."""

    place: SkyCoord
    t_min: np.ndarray
    t_exptime: np.ndarray
    target: np.ndarray
    cycle: np.ndarray
    moving: np.ndarray
    hidden: dict[str, np.ndarray]


def truth(rng: np.random.Generator) -> Truth:
    lon = np.append(rng.uniform(0, 360, ROWS - 2), [0.02, 359.99])
    lat = np.append(rng.uniform(-89, 89, ROWS - 2), [-0.3, 0.0])
    hidden = {name: rng.random(ROWS) < 0.4 for name in COLUMNS}
    hidden["s_dec"] = hidden["s_ra"]
    return Truth(
        SkyCoord(lon, lat, unit="deg"),
        rng.uniform(48_000, 61_000, ROWS).round(5),
        rng.uniform(0, 5000, ROWS).round(3),
        np.array([f"NGC {number}" for number in rng.integers(1, 7000, ROWS)]),
        rng.integers(1, 34, ROWS),
        rng.random(ROWS) < 0.5,
        hidden,
    )


def check(found: ObservationTable, wanted: Truth) -> None:
    assert [row.image for row in found.rows] == [f"a{i}.jpg" for i in range(ROWS)]
    assert [row.proposal_id for row in found.rows] == [101 + i for i in range(ROWS)]
    assert not found.oddities
    for i, row in enumerate(found.rows):
        one = row.observation
        for name in COLUMNS:
            assert (getattr(one, name) is None) == wanted.hidden[name][i], (i, name)
        if one.s_ra is not None and one.s_dec is not None:
            assert 0 <= one.s_ra < 360
            there = SkyCoord(one.s_ra, one.s_dec, unit="deg")
            assert there.separation(wanted.place[i]).arcsec < 0.05
        for name, most in (("t_min", 1e-5), ("t_exptime", 1e-3)):
            value = getattr(one, name)
            assert value is None or value == pytest.approx(getattr(wanted, name)[i], abs=most)
        assert one.target in (None, wanted.target[i])
        assert one.cycle in (None, str(wanted.cycle[i]))
        assert one.moving in (None, bool(wanted.moving[i]))


@pytest.mark.parametrize("seed", range(CSV_TABLES))
def test_csv_as_people_write_it(tmp_path: Path, seed: int) -> None:
    """Blanks of thirteen kinds, right ascensions of six, proposals of five, three minus signs."""
    rng = np.random.default_rng(seed)
    wanted = truth(rng)

    def either(name: str, row: int, text: str) -> str:
        return str(rng.choice(BLANKS)) if wanted.hidden[name][row] else text

    def minus(text: str) -> str:
        return text.replace("-", str(rng.choice(["-", "−", "–"])))

    lines = [["image", "proposal_id", "ra", "dec", "t_min", "exptime", "target", "cycle", "moving"]]
    lines[0] += ["remark"]
    for i in range(ROWS):
        at, number = wanted.place[i], 101 + i
        turned = at.ra.deg - 360
        ra = [
            f"{at.ra.deg:.7f}",
            f"{turned:.7f}",
            f"{at.ra.deg + 360:.7f}",
            at.ra.to_string(u.hourangle, sep=":", precision=4),
            at.ra.to_string(u.hourangle, precision=4),
            at.ra.to_string(u.hourangle, sep=" ", precision=4, pad=True),
        ]
        dec = [
            f"{at.dec.deg:.7f}",
            at.dec.to_string(u.deg, sep=":", precision=3, alwayssign=True),
            at.dec.to_string(u.deg, precision=3),
            at.dec.to_string(u.deg, sep=" ", precision=3, pad=True, alwayssign=True),
        ]
        lines.append(
            [
                f"a{i}.jpg",
                str(rng.choice([f"{number}", f"{number}.0", f"00{number}", f"hst:{number}"])),
                either("s_ra", i, minus(str(rng.choice(ra)))),
                either("s_dec", i, minus(str(rng.choice(dec)))),
                either("t_min", i, f"{wanted.t_min[i]:.5f}"),
                either("t_exptime", i, f"{wanted.t_exptime[i]:.3f}"),
                either("target", i, str(wanted.target[i])),
                either("cycle", i, f"{wanted.cycle[i]}" + str(rng.choice(["", ".0"]))),
                either(
                    "moving", i, str(rng.choice([str(wanted.moving[i]), f"{wanted.moving[i]:d}"]))
                ),
                "a, remark; with | signs",
            ]
        )
    text = io.StringIO()
    delimiter = str(rng.choice([",", ",", ";", "\t"]))
    end = str(rng.choice(["\n", "\r\n", "\r"]))
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(lines)
    before = str(rng.choice(["", f"# made by hand{end}", end]))
    encoding = str(rng.choice(["utf-8", "utf-8-sig", "utf-16"]))
    (tmp_path / "observations.csv").write_bytes((before + text.getvalue()).encode(encoding))

    found = read_observations(tmp_path)
    check(found, wanted)
    assert found.missions <= {"hst"}


def columns(rng: np.random.Generator, wanted: Truth) -> dict[str, Any]:
    """The columns of a table by astropy: with a unit or without, as numbers, times or places."""
    hidden, place = wanted.hidden, wanted.place
    t_min: Any = MaskedColumn(wanted.t_min, mask=hidden["t_min"])
    t_min.unit = rng.choice(["d", ""]) or None
    if rng.integers(2):
        scale = str(rng.choice(["utc", "tt", "tdb"]))
        t_min = getattr(Time(wanted.t_min, format="mjd", scale="utc"), scale).copy()
        t_min.format = str(rng.choice(["mjd", "isot", "jd"]))
        t_min[hidden["t_min"]] = np.ma.masked
    exposure = wanted.t_exptime * u.s
    units = [u.s, u.min, u.hour, u.ms]
    t_exptime: Any = Masked(exposure.to(units[rng.integers(4)]), mask=hidden["t_exptime"])
    if rng.integers(2):
        t_exptime = MaskedColumn(wanted.t_exptime, mask=hidden["t_exptime"])
    found = {
        "image": [f"a{i}.jpg" for i in range(ROWS)],
        "proposal_id": np.arange(101, 101 + ROWS, dtype=rng.choice([np.int64, np.float64])),
        "t_min": t_min,
        "t_exptime": t_exptime,
        "target": MaskedColumn(wanted.target, mask=hidden["target"]),
        "cycle": MaskedColumn(wanted.cycle, mask=hidden["cycle"]),
        "moving": MaskedColumn(wanted.moving, mask=hidden["moving"]),
    }
    ways = {
        "degrees": lambda: {
            "ra": MaskedColumn(place.ra.deg, mask=hidden["s_ra"], unit=rng.choice(["deg", ""])),
            "dec": MaskedColumn(place.dec.deg, mask=hidden["s_ra"], unit=rng.choice(["deg", ""])),
        },
        "hours": lambda: {
            "s_ra": Masked(place.ra.to(u.hourangle), mask=hidden["s_ra"]),
            "s_dec": Masked(place.dec.to(u.arcmin), mask=hidden["s_ra"]),
        },
        "radians": lambda: {
            "ra": MaskedColumn(place.ra.rad, mask=hidden["s_ra"], unit="rad"),
            "dec": MaskedColumn(place.dec.rad, mask=hidden["s_ra"], unit="rad"),
        },
        "nan": lambda: {
            "ra": np.where(hidden["s_ra"], np.nan, place.ra.deg - 360) * u.deg,
            "dec": np.where(hidden["s_ra"], np.nan, place.dec.deg) * u.deg,
        },
        "angles": lambda: {
            "ra": Longitude(Masked(place.ra, mask=hidden["s_ra"])),
            "dec": Latitude(Masked(place.dec, mask=hidden["s_ra"])),
        },
        "text": lambda: {
            "ra": MaskedColumn(place.ra.to_string(u.hourangle, sep=":"), mask=hidden["s_ra"]),
            "dec": MaskedColumn(place.dec.to_string(u.deg, sep=":"), mask=hidden["s_ra"]),
        },
        "sky": lambda: {"coord": sky(rng, place, hidden["s_ra"])},
    }
    return found | ways[str(rng.choice(list(ways)))]()


def sky(rng: np.random.Generator, place: SkyCoord, hidden: np.ndarray) -> SkyCoord:
    frame = str(rng.choice(["icrs", "fk5", "fk4", "galactic"]))
    other = place.transform_to(frame)
    both = other.spherical.lon.deg, other.spherical.lat.deg
    if rng.integers(2):
        return SkyCoord(*(np.where(hidden, np.nan, one) for one in both), unit="deg", frame=frame)
    return SkyCoord(*(Masked(one * u.deg, mask=hidden) for one in both), frame=frame)


@pytest.mark.parametrize("seed", range(ECSV_TABLES))
def test_ecsv_as_astropy_writes_it(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = truth(rng)
    made = QTable(columns(rng, wanted))
    made.write(
        tmp_path / "observations.ecsv", format="ascii.ecsv", delimiter=rng.choice([" ", ","])
    )
    if rng.integers(2):  # what astropy writes may also be called .csv
        (tmp_path / "observations.ecsv").rename(tmp_path / "observations.csv")
    check(read_observations(tmp_path), wanted)


def test_columns_of_other_kinds(tmp_path: Path) -> None:
    """They are used if they can be, and otherwise passed over: none makes the table unreadable."""
    made = QTable(
        {
            "image": ["a.jpg", "b.jpg"],
            "proposal_id": ["hst:101", "00102"],
            "site": EarthLocation.from_geodetic([1, 2] * u.deg, [3, 4] * u.deg),
            "place": SkyCoord([1, 0], [0, 1], [0, 1], representation_type="cartesian"),
            "exptime": Time(["2015-03-20", "2015-03-21"]) - Time("2015-03-19"),
            "filters": MaskedColumn([["F606W", "F814W"], ["F555W", "x"]], mask=[[0, 0], [0, 1]]),
            "target": ["", "M 31"],
        }
    )
    made.write(tmp_path / "observations.ecsv", format="ascii.ecsv")
    first, second = read_observations(tmp_path).rows
    assert (first.proposal_id, second.proposal_id) == (101, 102)
    filters = ("F606W", "F814W")
    assert first.observation == Observation(s_ra=0.0, s_dec=0.0, t_exptime=86400.0, filters=filters)
    assert second.observation == Observation(
        s_ra=90.0,
        s_dec=pytest.approx(45.0),
        t_exptime=2 * 86400.0,
        filters=("F555W",),
        target="M 31",
    )


@pytest.mark.parametrize("seed", range(VOTABLES))
def test_votable_as_astropy_writes_it(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = truth(rng)
    made = Table()
    for name, column in columns(rng, wanted).items():
        if isinstance(column, SkyCoord):
            made["ra"], made["dec"] = (
                MaskedColumn(one.deg, mask=wanted.hidden["s_ra"], unit="deg")
                for one in (wanted.place.ra, wanted.place.dec)
            )
        elif isinstance(column, Time):
            made[name] = MaskedColumn(wanted.t_min, mask=wanted.hidden["t_min"], unit="d")
        elif isinstance(column, Masked):
            made[name] = MaskedColumn(column.unmasked.value, mask=column.mask, unit=column.unit)
        elif isinstance(column, Angle | u.Quantity):
            made[name] = MaskedColumn(column.value, unit=column.unit)
        elif name in ("target", "cycle"):  # a text has no other way to be unknown
            made[name] = np.where(column.mask, "", np.asarray(column).astype(str))
        else:
            made[name] = column.filled(False) if name == "moving" else column
    wanted.hidden["moving"][:] = False
    wanted = wanted._replace(moving=np.asarray(made["moving"]))
    path = tmp_path / "observations.vot"
    form = str(rng.choice(["tabledata", "binary", "binary2"]))
    made.write(path, format="votable", tabledata_format=form)
    check(read_observations(tmp_path), wanted)
