"""The functions of the Python API do what the commands do, and print nothing."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import paperclip_cli
from paperclip_cli.records import Hit, Key
from paperclip_cli.workspace import Workspace, read_manifest
from tests.api.programs import program
from tests.api.test_options import FUNCTIONS

BY_COMMANDS = """
import sys
from pathlib import Path
from paperclip_cli.cli.app import run
from tests.api import sky

sky.small_towers()
cache, folder = map(Path, sys.argv[1:])
for number, line in enumerate(sky.command_lines(cache, folder)):
    print(f"== {line[2]}", flush=True)
    assert run(line) == 0, line
"""


@pytest.fixture(scope="module")
def by_commands(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The cache of the commands, and what each has printed on stdout."""
    folder = tmp_path_factory.mktemp("commands")
    done = program(BY_COMMANDS, folder / "cache", folder)
    assert done.returncode == 0, done.stderr
    parts = [part.split("\n", 1) for part in done.stdout.split("== ")[1:]]
    return folder / "cache", dict(parts)


def test_every_function_was_called(by_functions: tuple[Path, dict[str, Any]]) -> None:
    assert set(by_functions[1]["functions"]) == set(FUNCTIONS)
    assert by_functions[1]["taken"] == "taken" and by_functions[1]["plots"]
    assert by_functions[1]["images"] == by_functions[1]["counts"]["index"]["images"] > 0
    assert by_functions[1]["not got"] and "versions" in by_functions[1]["topics"][0].lower()


def test_the_artefacts_are_those_of_the_commands(
    by_functions: tuple[Path, dict[str, Any]], by_commands: tuple[Path, dict[str, str]]
) -> None:
    ours, theirs = Workspace(by_functions[0]), Workspace(by_commands[0])
    kinds = "proposals", "previews", "summaries", "datasets", "models"
    compared = 0
    for kind in kinds:
        assert ours.names(kind) == theirs.names(kind) != []
        for name in ours.names(kind):
            mine, other = (read_manifest(one.root / kind / name) for one in (ours, theirs))
            assert mine is not None and other is not None
            assert (mine.config, mine.inputs, mine.counts) == (
                other.config,
                other.inputs,
                other.counts,
            )
            for file in mine.files.keys() - {"README.md", "metrics.jsonl", "metrics.csv"}:
                assert mine.files[file]["sha256"] == other.files[file]["sha256"], (name, file)
                compared += 1
    assert compared > 10
    vectors = [one.index("default").glob("vectors-*") for one in (ours, theirs)]
    assert len({path.read_bytes() for each in vectors for path in each}) == 1


def test_the_results_are_those_of_the_commands(
    by_functions: tuple[Path, dict[str, Any]], by_commands: tuple[Path, dict[str, str]]
) -> None:
    said, printed = by_functions[1], by_commands[1]
    labels = json.loads(printed["describe"])[0]["labels"]
    assert said["labels"] == [
        [one["label"], pytest.approx(one["score"], abs=1e-6)] for one in labels
    ]
    assert said["cite"] == printed["cite"]
    scores = json.loads(printed["evaluate"])
    first = scores[0] if isinstance(scores, list) else scores
    printed_ones = list(first["retrieval_accuracy"].values())
    assert said["accuracy"] == [each and pytest.approx(each, abs=1e-6) for each in printed_ones]


def test_hits_may_be_given_as_they_are(tmp_path: Path) -> None:
    """As hits of a query, as keys of proposals, and as texts."""
    hit = Hit(
        rank=1,
        query="",
        score=0.5,
        percentile=50.0,
        mission="hst",
        proposal_id=1,
        image="a.jpg",
        title="",
        split="none",
        obs_id="hst_1_a",
        product_uri="mast:HST/product/a_drz.fits",
    )
    got = paperclip_cli.get([hit], cache=tmp_path, out=tmp_path, dry_run=True)
    assert got.addresses == ("mast:HST/product/a_drz.fits",)
    assert paperclip_cli.get(hit, cache=tmp_path, out=tmp_path, dry_run=True) == got

    for given in (Key("hst", 1), [Key("hst", 1)], "hst:1", ["hst:1"], hit):
        assert "Hubble" in paperclip_cli.cite(given, cache=tmp_path)
    with pytest.raises(paperclip_cli.UsageError, match="names no hit"):
        paperclip_cli.get("?", cache=tmp_path)


def test_bars_are_for_whoever_wants_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paperclip_cli.fetch(simulate=2, size=16, cache=tmp_path / "1", progress=False)
    assert capfd.readouterr() == ("", "")
    paperclip_cli.fetch(simulate=2, size=16, cache=tmp_path / "2", progress=True)
    out, err = capfd.readouterr()
    assert out == "" and "fetch" in err


def test_a_function_reports_what_was_done_before(tmp_path: Path) -> None:
    first = paperclip_cli.fetch(simulate=2, size=16, cache=tmp_path)
    again = paperclip_cli.fetch(simulate=2, size=16, cache=str(tmp_path))
    assert not first.unchanged and again.unchanged and again.counts["images"] > 0


def test_a_missing_stage_is_an_error_with_its_command(tmp_path: Path) -> None:
    with pytest.raises(paperclip_cli.MissingStage) as caught:
        paperclip_cli.build_dataset(cache=tmp_path)
    assert "paperclip fetch" in (caught.value.hint or "")
    sent = pickle.loads(pickle.dumps(caught.value))
    assert (str(sent), sent.hint) == (str(caught.value), caught.value.hint)


def test_figures_may_be_declined(tmp_path: Path) -> None:
    with pytest.raises(paperclip_cli.MissingStage):
        paperclip_cli.evaluate(plots=False, cache=tmp_path)  # type: ignore[arg-type]
