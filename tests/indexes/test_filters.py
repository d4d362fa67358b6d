"""Conditions on the observation, and cones on the sky."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paperclip_cli.config import QueryConfig
from paperclip_cli.indexes.database import Entry, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.filters import select
from paperclip_cli.records import Key, Observation, Proposal
from paperclip_cli.sky.cone import Cone
from tests.small_indexes import at, region

IMAGES = [
    (
        "hst",
        1,
        Observation(
            target="NGC4038-39",
            instrument="ACS",
            detector="WFC",
            filters=("F435W", "F814W"),
            t_min=55000.0,
        ),
    ),
    (
        "hst",
        2,
        Observation(
            target="NGC 4038", instrument="WFC3/UVIS", filters=("F814W",), cycle="27", t_min=56000.5
        ),
    ),
    (
        "jwst",
        2,
        Observation(target="JUPITER-SOUTH", instrument="NIRCAM", filters=("F200W", "CLEAR")),
    ),
    ("hst", 3, Observation(instrument="ACS", detector="HRC")),
]
PROPOSALS = {
    Key("hst", number): Proposal(
        mission="hst", proposal_id=number, abstract="", cycle=str(24 + number)
    )
    for number in (1, 2, 3)
}


def opened(folder: Path, observations: Sequence[Observation], tiles: int = 1) -> Observations:
    write_observations(
        folder / "o.sqlite",
        [
            Entry(
                path=f"{number}",
                size=1,
                mtime_ns=1,
                sha256="x",
                key=None,
                observation=observation,
                tiles=tiles,
            )
            for number, observation in enumerate(observations)
        ],
        {},
        {},
    )
    return Observations(folder / "o.sqlite")


@pytest.fixture
def archive(tmp_path: Path) -> Observations:
    return of_proposals(tmp_path)


def of_proposals(folder: Path) -> Observations:
    entries = [
        Entry(
            path=f"{place}",
            size=1,
            mtime_ns=1,
            sha256="x",
            key=Key(mission, number),
            observation=observation,
        )
        for place, (mission, number, observation) in enumerate(IMAGES)
    ]
    write_observations(folder / "o.sqlite", entries, PROPOSALS, {})
    return Observations(folder / "o.sqlite")


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ({"missions": ("hst",)}, [0, 1, 3]),
        ({"missions": ("HST",), "proposals": (2,)}, [1]),
        ({"proposals": (1, 2)}, [0, 1, 2]),
        ({"instruments": ("acs",)}, [0, 3]),
        ({"instruments": ("ACS/WFC",)}, [0]),
        ({"instruments": ("WFC",)}, [0]),
        ({"instruments": ("uvis", "nircam")}, [1, 2]),
        ({"instruments": ("AC",)}, []),
        ({"filters": ("F814W",)}, [0, 1]),
        ({"filters": ("f814",)}, []),
        ({"filters": ("f200w", "F435W")}, [0, 2]),
        ({"filters": ('F814W", "',)}, []),
        ({"cycles": ("25",)}, [0]),
        ({"cycles": ("26", "27")}, [1, 3]),
        ({"targets": ("ngc 4038",)}, [0, 1]),
        ({"targets": ("Jupiter",)}, [2]),
        ({"after": 55000.0, "before": 56000.0}, [0]),
        ({"after": 56000.0}, [1]),
        ({"targets": ("'; DROP TABLE images; --",)}, []),
        ({"missions": ("nowhere",)}, []),
    ],
)
def test_every_condition_must_hold_and_one_of_its_values(
    archive: Observations, conditions: dict, rows: list[int]
) -> None:
    found = select(archive, QueryConfig(**conditions)).rows
    assert found is not None and found.dtype == np.int64 and found.tolist() == rows


def test_no_condition_selects_all(archive: Observations) -> None:
    assert select(archive, QueryConfig()).rows is None


def test_all_tiles_of_an_image_are_selected(tmp_path: Path) -> None:
    observations = opened(
        tmp_path,
        [Observation(target="a"), Observation(target="b"), Observation(target="b")],
        tiles=3,
    )
    assert select(observations, QueryConfig(targets=("b",))).rows.tolist() == [3, 4, 5, 6, 7, 8]  # type: ignore[union-attr]


def cone(
    observations: Observations, ra: float, dec: float, radius: float, **more: bool
) -> list[int]:
    return select(observations, QueryConfig(near=(ra, dec), radius=radius, **more)).rows.tolist()  # type: ignore[union-attr, arg-type]


POSITIONS = st.tuples(st.floats(0, 360), st.floats(-90, 90))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(POSITIONS, min_size=1, max_size=8), POSITIONS, st.floats(0.01, 180))
def test_a_cone_holds_what_is_no_farther_than_its_radius(
    tmp_path: Path, places: list, centre: tuple, radius: float
) -> None:
    from astropy.coordinates import angular_separation

    observations = opened(tmp_path, [at(ra, dec) for ra, dec in places])
    angles = [np.degrees(angular_separation(*np.radians([*place, *centre]))) for place in places]
    found = cone(observations, *centre, radius)
    for row, angle in enumerate(angles):
        if abs(angle - radius) > 1e-7:
            assert (row in found) == (angle < radius)
        assert Cone(*centre, radius).arcminutes(at(*places[row])) == pytest.approx(
            60 * angle, abs=1e-6
        )
    observations.close()


@pytest.mark.parametrize(
    ("near", "rows"),
    [
        ((0.0, 0.0), [0, 1]),
        ((359.995, 0.0), [0, 1]),
        ((123.0, 89.999), [2, 3]),
        ((0.0, -90.0), [4]),
    ],
)
def test_a_cone_across_right_ascension_0_and_at_the_poles(
    tmp_path: Path, near: tuple[float, float], rows: list[int]
) -> None:
    observations = opened(
        tmp_path,
        [at(0.01, 0), at(359.99, 0), at(0, 89.99), at(180, 89.99), at(77, -89.99), at(180, 0)],
    )
    assert cone(observations, *near, 2 / 60) == rows


SQUARES = {
    "across 0": region((359.9, -0.1), (0.1, -0.1), (0.1, 0.1), (359.9, 0.1)),
    "north pole": region((0, 89.9), (90, 89.9), (180, 89.9), (270, 89.9)),
    "south pole": region((0, -89.9), (90, -89.9), (180, -89.9), (270, -89.9)),
    "long": region((9.9, 0), (20.1, 0), (20.1, 0.01), (9.9, 0.01)),
}


@pytest.mark.parametrize(
    ("near", "rows"),
    [
        ((0.09, 0.0), [0]),
        ((359.91, 0.05), [0]),
        ((0.11, 0.0), [0]),
        ((0.2, 0.0), []),
        ((45, 90), [1]),
        ((200, 89.95), [1]),
        ((45, -89.99), [2]),
        ((10, 0.02), [3]),
        ((15, 0.06), []),
    ],
)
def test_a_cone_finds_the_footprints_that_it_meets(
    tmp_path: Path, near: tuple[float, float], rows: list[int]
) -> None:
    observations = opened(tmp_path, [Observation(s_region=text) for text in SQUARES.values()])
    assert cone(observations, *near, 2 / 60) == rows


def test_the_centre_alone_is_asked_for(tmp_path: Path) -> None:
    observations = opened(
        tmp_path,
        [at(0, 0, s_region=SQUARES["across 0"]), Observation(s_region=SQUARES["across 0"])],
    )
    assert cone(observations, 0.09, 0, 2 / 60) == [0, 1]
    assert cone(observations, 0.09, 0, 2 / 60, centre_only=True) == []
    assert cone(observations, 0.01, 0, 2 / 60, centre_only=True) == [0, 1]


def test_what_moves_is_left_out_of_a_cone_and_counted(tmp_path: Path) -> None:
    observations = opened(
        tmp_path,
        [
            at(10, 10, moving=True),
            at(10, 10, moving=False),
            at(10, 10),
            Observation(target="NOWHERE"),
        ],
    )
    found = select(observations, QueryConfig(near=(10, 10)))
    assert (found.rows.tolist(), found.moving) == ([1, 2], 1)  # type: ignore[union-attr]
    assert cone(observations, 10, 10, 1, include_moving=True) == [0, 1, 2]


def test_a_place_without_coordinates_has_no_separation() -> None:
    assert Cone(0, 0, 1).arcminutes(Observation()) is None
    assert Cone(0, 0, 1).arcminutes(Observation(s_region=SQUARES["across 0"])) == pytest.approx(
        0, abs=1e-6
    )
