"""What an index holds, and what is said where nothing meets the conditions of a query."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paperclip_cli.config import QueryConfig
from paperclip_cli.indexes.contents import contents
from paperclip_cli.indexes.database import Observations
from paperclip_cli.indexes.filters import select
from paperclip_cli.indexes.unmet import FolderHoldings, unmet
from paperclip_cli.records import Observation
from tests.indexes.test_filters import IMAGES, of_proposals, opened
from tests.small_indexes import at

PLACED = [
    at(10.0, 20.0, instrument="ACS", detector="WFC", filters=("F435W", "F814W"), t_min=50000.0),
    at(10.1, 20.0, instrument="WFC3/UVIS", filters=("F814W",), cycle="27", t_min=56000.5),
    at(200.0, -30.0, instrument="ACS", detector="HRC", target="NGC4038", t_min=55000.0),
]


def said(images: Observations, **config: object) -> list[str]:
    made = QueryConfig(texts=("x",), **config)  # type: ignore[arg-type]
    rows = select(images, made).rows
    assert rows is not None and not len(rows)
    return list(unmet(FolderHoldings(images, made), made))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"instruments": ("ACSS",)},
            ["no image meets --instrument ACSS: the index has ACS/HRC, ACS/WFC, WFC3/UVIS"],
        ),
        (
            {"filters": ("F999W", "clear")},
            ["no image meets --filter F999W or clear: the index has F814W, F435W"],
        ),
        ({"cycles": ("30",)}, ["no image meets --cycle 30: the index has 27"]),
        ({"missions": ("jwst",)}, ["no image meets --mission jwst: the index has no missions"]),
        ({"proposals": (7,)}, ["no image meets --proposal 7: the index has no proposals"]),
        ({"targets": ("NGC4039",)}, ["no image meets --target NGC4039: the index has NGC4038"]),
        ({"targets": ("Saturn",)}, ["no image meets --target Saturn: the index has NGC4038"]),
        (
            {"after": 60000.0},
            [
                "no image meets --after 2023-02-25: the images of the index were taken "
                "from 1995-10-10 to 2012-03-14"
            ],
        ),
        (
            {"near": (10.0, 23.0), "radius": 0.5},
            ["no image meets --near with --radius 30arcmin: the nearest is 3deg away"],
        ),
        (
            {"instruments": ("WFC3",), "filters": ("F435W",)},
            [
                "no image meets --instrument WFC3 and --filter F435W together",
                "without --instrument WFC3: 1 image",
                "without --filter F435W: 1 image",
            ],
        ),
        (
            {"instruments": ("HRC",), "near": (10.0, 20.0), "radius": 1.0},
            [
                "no image meets --instrument HRC and --near together",
                "without --instrument HRC: 2 images",
                "without --near: 1 image",
            ],
        ),
        (
            {"instruments": ("x",), "filters": ("y",)},
            [
                "no image meets --instrument x: the index has ACS/HRC, ACS/WFC, WFC3/UVIS",
                "no image meets --filter y: the index has F814W, F435W",
            ],
        ),
    ],
)
def test_the_condition_that_excludes_everything_is_said(
    tmp_path: Path, config: dict, expected: list[str]
) -> None:
    assert said(opened(tmp_path, PLACED), **config) == expected


def test_dates_and_distances_are_astropys(tmp_path: Path) -> None:
    images = opened(tmp_path, PLACED)
    (line,) = said(images, before=40000.0)
    days = [Time(day, format="mjd").strftime("%Y-%m-%d") for day in (40000.0, 50000.0, 56000.5)]
    assert line.startswith(f"no image meets --before {days[0]}:")
    assert line.endswith(f"from {days[1]} to {days[2]}")
    (line,) = said(images, near=(120.0, 80.0), radius=1 / 60)
    places = SkyCoord([10.0, 10.1, 200.0], [20.0, 20.0, -30.0], unit="deg")
    nearest = places.separation(SkyCoord(120.0, 80.0, unit="deg")).deg.min()
    assert line.endswith(f"the nearest is {nearest:.3g}deg away")


def test_an_index_without_images_or_positions_says_so(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    empty = opened(tmp_path / "none", [])
    assert said(empty, instruments=("ACS",)) == [
        "no image meets the conditions: the index is empty"
    ]
    assert said(opened(tmp_path, [Observation()]), near=(1.0, 2.0)) == [
        "no image meets --near: no image of the index has a position"
    ]


def test_many_values_are_cut(tmp_path: Path) -> None:
    images = opened(tmp_path, [Observation(filters=(f"F{n}W",)) for n in range(100, 150)])
    (line,) = said(images, filters=("CLEAR",))
    assert line.endswith("F107W, F108W, F109W and 40 more")


INSTRUMENTS = st.sampled_from([(None, None), ("ACS", "WFC"), ("ACS", None), ("ACS/WFC", "WFC")])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    st.lists(
        st.builds(
            lambda place, filters, day: Observation(
                instrument=place[0], detector=place[1], filters=tuple(filters), t_min=day
            ),
            INSTRUMENTS,
            st.lists(st.sampled_from(["F814W", "F435W", "ü\"'"]), unique=True),
            st.none() | st.floats(1, 60000),
        ),
        max_size=8,
    )
)
def test_the_contents_are_counted(tmp_path: Path, observations: list[Observation]) -> None:
    (tmp_path / "o.sqlite").unlink(missing_ok=True)
    found = contents(opened(tmp_path, observations))
    assert found.filters == Counter(name for one in observations for name in one.filters)
    assert found.instruments == Counter(
        "ACS" if one.detector is None else "ACS/WFC" for one in observations if one.instrument
    )
    days = [one.t_min for one in observations if one.t_min is not None]
    assert found.dates == ((min(days), max(days)) if days else None)
    assert list(found.filters.values()) == sorted(found.filters.values(), reverse=True)


def test_missions_and_cycles_are_those_of_proposals(tmp_path: Path) -> None:
    found = contents(of_proposals(tmp_path))
    assert found.missions == {"hst": 3, "jwst": 1} and sum(found.cycles.values()) == len(IMAGES)
