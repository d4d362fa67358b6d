"""Targets of an index by name, and their positions."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.coordinates import SkyCoord

from paperclip_cli.config import IndexConfig
from paperclip_cli.errors import PaperclipError
from paperclip_cli.indexes.database import Entry, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.targets import find_target
from paperclip_cli.records import Observation
from paperclip_cli.stages import index, place
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import at, region, towers

IMAGES = [
    at(283.396, 33.029, target="M57"),
    at(283.400, 33.031, target="MESSIER-57"),
    at(10.0, 20.0, target="M57-HALO"),
    at(10.0, 20.0, target="M 5", moving=True),
    at(0.01, 0.0, target="NGC0224"),
    at(359.99, 0.0, target="NGC 224"),
    Observation(target="Sh2-170", s_region=region((5, 5), (6, 5), (6, 6), (5, 6))),
    at(50.0, -10.0, target="FIELD-1"),
    at(150.0, 30.0, target="FIELD 1"),
    Observation(target="NOWHERE"),
    Observation(target="HALF-A", s_ra=99.0, s_region=region((5, 5), (6, 5), (6, 6), (5, 6))),
    Observation(target="HALF-B", s_dec=-9.0, s_region=region((5, 5), (6, 5), (6, 6), (5, 6))),
    Observation(target="HALF-C", s_ra=99.0),
    at(1.0, 1.0, target="--"),
]


@pytest.fixture(scope="module")
def observations(tmp_path_factory: pytest.TempPathFactory) -> Observations:
    path = tmp_path_factory.mktemp("index") / "o.sqlite"
    entries = [
        Entry(path=f"{number}", size=1, mtime_ns=1, sha256="x", observation=observation)
        for number, observation in enumerate(IMAGES)
    ]
    write_observations(path, entries, {}, {})
    return Observations(path)


@pytest.mark.parametrize(
    ("name", "ra", "dec", "images"),
    [
        ("M 57", 283.398, 33.030, 2),
        ("messier57", 283.398, 33.030, 2),
        ("m-057", 283.398, 33.030, 2),
        ("ngc 224", 0.0, 0.0, 2),
        ("Sharpless 2-170", 5.5, 5.5, 1),
        ("half a", 5.5, 5.5, 1),
        ("half b", 5.5, 5.5, 1),
    ],
)
def test_a_name_is_found_however_it_is_written(
    observations: Observations, name: str, ra: float, dec: float, images: int
) -> None:
    found = find_target(observations, name)
    assert found is not None and found.images == images and found.is_one_place
    there = SkyCoord(ra, dec, unit="deg")
    assert SkyCoord(found.ra, found.dec, unit="deg").separation(there).deg < 0.005


@pytest.mark.parametrize(
    "name", ["M 5", "M57 H", "57", "HALO", "NOWHERE", "HALF C", "M 58", "--", ""]
)
def test_other_names_are_not_found(observations: Observations, name: str) -> None:
    assert find_target(observations, name) is None


def test_a_name_at_several_places_is_no_position(
    observations: Observations, tmp_path: Path
) -> None:
    found = find_target(observations, "field 1")
    assert found is not None and not found.is_one_place
    with pytest.raises(PaperclipError, match=r"'FIELD 1' at places that are up to 1\d\d degrees"):
        place.run("FIELD 1", Workspace(tmp_path, offline=True), indexes=[observations])


def test_the_resolver_is_asked_for_what_the_index_does_not_know(
    observations: Observations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, told = [], []

    def resolve(name: str, is_offline: bool) -> tuple[float, float]:
        asked.append(name)
        return 1.0, 2.0

    monkeypatch.setattr(place, "resolve_name", resolve)
    here = Workspace(tmp_path, offline=False)
    found = place.run("M 57", here, indexes=[observations], tell=told.append)
    assert found == pytest.approx((283.398, 33.030), abs=0.005)
    assert told == ["M 57: at 283.39800 +33.03000, where the index has this target"]
    for name in ("M 58", "FIELD-1"):
        assert place.run(name, here, indexes=[observations]) == (1.0, 2.0)
    assert place.run("M 57", here) == (1.0, 2.0)
    assert asked == ["M 58", "FIELD-1", "M 57"]


def test_the_command_finds_a_target_of_its_index_offline(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from paperclip_cli.cli.app import run

    workspace = Workspace(tmp_path, offline=True)
    target = write_fetched(workspace, "hst", proposals=3)[0].observation.target
    index.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    command = ["--cache-dir", str(tmp_path), "--offline", "query", "--json", "--near"]
    assert run([*command, f"{target}".lower()]) == 0
    done = capsys.readouterr()
    assert "where the index has this target" in done.err and f'"{target}"' in done.out
    assert run([*command, "M 9999"]) == 1
    assert "--offline: the position of 'M 9999' cannot be looked up" in capsys.readouterr().err
