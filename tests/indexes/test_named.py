"""Objects that a query names."""

from __future__ import annotations

from pathlib import Path

import pytest

from paperclip_cli.config import IndexConfig
from paperclip_cli.indexes.database import Entry, Observations
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.indexes.named import images_named, images_named_in, named_note
from paperclip_cli.records import Observation
from paperclip_cli.stages import index
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import at, towers

TARGETS = (
    at(10.7, 41.3, target="M31"),
    at(10.6, 41.2, target="NGC0224"),
    at(10.6, 41.2, target="M31-HALO"),
    Observation(target="JUPITER", moving=True),
    at(1.0, 1.0, target="SIM-J011433.2+085373"),
    at(1.0, 1.0),
)


@pytest.fixture(scope="module")
def observations(tmp_path_factory: pytest.TempPathFactory) -> Observations:
    path = tmp_path_factory.mktemp("index") / "o.sqlite"
    entries = [
        Entry(path=f"{number}", size=1, mtime_ns=1, sha256="x", tiles=2, observation=observation)
        for number, observation in enumerate(TARGETS)
    ]
    write_observations(path, entries, {}, {})
    return Observations(path)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("M 31", [0, 2]),
        ("ngc224", [0, 2]),
        ("Messier 31", [0, 2]),
        ("jupiter", [6]),
        ("SIM-J011433.2+085373", [8]),
        ("sim j011433.2 +085373", [8]),
        ("J011433.2+085373", []),
        ("M 3", []),
        ("31", []),
        ('" OR "', []),
        ("", []),
    ],
)
def test_a_name_is_that_of_a_whole_target(
    observations: Observations, name: str, rows: list[int]
) -> None:
    assert [image.row for image in images_named(observations, name)] == rows


def test_names_within_a_text_and_how_to_ask_for_them(observations: Observations) -> None:
    (found,) = images_named_in(observations, "dust in M 31 (NGC 224)")
    assert found[0] == "M 31" and len(found[1]) == 2
    note = 'M 31 is a target of the index (2 images): --near "M 31" or --rank-by hybrid finds it'
    assert named_note(observations, "dust in M 31", "JUPITER") == note
    assert named_note(observations, "dust in M 31", "NGC0224") == "", "it is the best hit"
    note = "Jupiter is a target of the index (1 image): --rank-by hybrid finds it"
    assert named_note(observations, "Jupiter", None) == note, "what moves has no position"
    assert named_note(observations, "galaxy mergers", None) == ""


def test_the_command_says_that_a_text_names_a_target(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from paperclip_cli.cli.app import run

    workspace = Workspace(tmp_path, offline=True)
    targets = {one.observation.target for one in write_fetched(workspace, "hst", proposals=6)}
    index.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    command = ["--cache-dir", str(tmp_path), "--offline", "query", "--format", "csv"]

    said = {}
    for target in sorted(filter(None, targets)):
        assert run([*command, target.lower()]) == 0
        said[target] = f"{target.lower()} is a target of the index" in capsys.readouterr().err
        assert run([*command, "--rank-by", "hybrid", target.lower()]) == 0
        done = capsys.readouterr()
        assert "is a target" not in done.err and target in done.out.splitlines()[1]
    assert any(said.values())
