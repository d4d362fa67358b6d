"""`get`: the forms of a hit, the downloads, and the errors."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from paperclip_cli.config import FetchConfig, GetConfig
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.indexes.references import Reference, read_references
from paperclip_cli.previews.records import read_previews
from paperclip_cli.records import Key
from paperclip_cli.stages import fetch
from paperclip_cli.stages import get as stage
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.standin.content import fits
from tests.standin.limits import QUICK
from tests.standin.process import StandInProcess

TOTAL = "hst_15001_01_acs_wfc_total_j00101"
HIT = {
    "rank": 1,
    "mission": "hst",
    "proposal_id": 15001,
    "obs_id": TOTAL,
    "product_uri": f"mast:HST/product/{TOTAL}_drc.fits",
}


@pytest.fixture
def online(mast: StandInProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(stage, "Limits", lambda read: replace(QUICK, read=min(read, QUICK.read)))
    return Workspace(tmp_path / "cache")


@pytest.fixture
def fetched(online: Workspace, mast: StandInProcess) -> Workspace:
    fetch.run(FetchConfig(proposals=(15001,), rate=0, catalog=mast.url + "/abstracts.cat"), online)
    mast.set()
    return online


def get(workspace: Workspace, out: Path, *hits: object, **settings: object) -> stage.Got:
    return stage.run(GetConfig(hits=tuple(map(str, hits)), out=out, rate=0, **settings), workspace)  # type: ignore[arg-type]


def test_a_proposal(fetched: Workspace, mast: StandInProcess, tmp_path: Path) -> None:
    out = tmp_path / "science"
    got = get(fetched, out, "hst:15001")
    assert [path.name for path in got.files] == [
        f"hst_15001_{visit:02d}_acs_wfc_total_j001{visit:02d}_drc.fits" for visit in range(1, 6)
    ]
    assert (
        all(path.read_bytes() == fits(f"mast:HST/product/{path.name}") for path in got.files)
        and len(mast.log()) == 5
    )
    assert got.report.counts == {"files": 5, "already there": 0}
    mast.set()
    again = get(fetched, out, "hst:15001", TOTAL.upper())
    assert again.report.unchanged and again.files == got.files and mast.log() == []


def test_simulated_and_local_data_have_no_science_files_and_nothing_is_asked(
    online: Workspace, mast: StandInProcess, tmp_path: Path
) -> None:
    write_fetched(online, "hst", proposals=3)  # without the archive's addresses, as from a folder
    mast.set()
    hits = tmp_path / "hits.json"
    hits.write_text(json.dumps([HIT | {"mission": "sim", "product_uri": None}]))
    own = read_previews(online, ["hst"])[0].observation.obs_id
    got = get(online, tmp_path / "out", "sim:43000001", hits, "hst:1", *([own] if own else []))
    assert len(got.report.failures) == 3 + bool(own) and got.report.exit_code == 3
    assert {failure.reason for failure in got.report.failures} == {
        "simulated and local data have no science files in an archive"
    }
    assert mast.log() == []


def test_an_observation_that_was_never_fetched(
    online: Workspace, mast: StandInProcess, tmp_path: Path
) -> None:
    got = get(
        online,
        tmp_path / "science",
        "hst_15002_03_acs_wfc_total_j00203",
        "jw01201-o001_t001_nircam_clear-f200w",
    )
    assert [path.name for path in got.files] == [
        "hst_15002_03_acs_wfc_total_j00203_drc.fits",
        "jw01201-o001_t001_nircam_clear-f200w_i2d.fits",
    ]
    assert got.report.exit_code == 0


@pytest.mark.parametrize(
    "text",
    [json.dumps([HIT, HIT], indent=2), json.dumps(HIT) + "\n" + json.dumps(HIT) + "\n"],
    ids=["json", "jsonl"],
)
def test_the_answer_of_a_query(
    online: Workspace,
    mast: StandInProcess,
    tmp_path: Path,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "hits.json").write_text(text)
    assert [path.name for path in get(online, tmp_path / "a", tmp_path / "hits.json").files] == [
        f"{TOTAL}_drc.fits"
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert len(get(online, tmp_path / "b", "-").files) == 1
    assert len(mast.log()) == 2


def test_a_dry_run_prints_addresses(
    fetched: Workspace, mast: StandInProcess, tmp_path: Path
) -> None:
    got = get(fetched, tmp_path, "hst:15001", dry_run=True)
    assert (
        len(got.addresses) == 5
        and got.addresses[0] == f"mast:HST/product/{TOTAL}_drc.fits"
        and got.files == ()
        and mast.log() == []
    )


@pytest.mark.parametrize(
    "uri",
    [
        "mast:HST/product/../../evil.fits",
        "mast:HST/product//etc/x.fits",
        "file:///etc/passwd",
        "https://elsewhere/x.fits",
        "mast:HST/product/..fits",
        "mast:HST/product/x.fits\0",
        "mast:HST/product/x.exe",
        "mast:HST/product/.x.fits",
    ],
)
def test_addresses_from_a_file_are_checked(
    online: Workspace, mast: StandInProcess, tmp_path: Path, uri: str
) -> None:
    (tmp_path / "hits.json").write_text(json.dumps([{**HIT, "product_uri": uri}]))
    got = get(online, tmp_path / "out", tmp_path / "hits.json")
    assert (
        got.files == ()
        and got.report.failures[0].reason == "its science file has an invalid address"
    )
    assert mast.log() == [] and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "hit, words",
    [
        ("hst:99", "paperclip fetch --proposal hst:99"),
        ("j00100q", "no such observation"),
        ("hst_99999_01_acs_wfc_total_jxxx01", "no such observation"),
    ],
)
def test_what_there_is_not_is_told(online: Workspace, tmp_path: Path, hit: str, words: str) -> None:
    got = get(online, tmp_path, hit)
    assert got.report.exit_code == 3 and words in got.report.failures[0].reason


def test_a_file_that_cannot_be_had_costs_only_itself(
    fetched: Workspace, mast: StandInProcess, tmp_path: Path
) -> None:
    mast.set(
        faults=[
            {"on": "15001_02", "do": "status", "status": 404},
            {"on": "15001_03", "do": "short", "times": 2},
        ]
    )
    got = get(fetched, tmp_path, "hst:15001")
    assert len(got.files) == 4 and [failure.reason for failure in got.report.failures] == [
        "not found (HTTP 404)"
    ]
    assert {path.name for path in tmp_path.glob("*.fits")} == {path.name for path in got.files}


def test_offline(fetched: Workspace, tmp_path: Path) -> None:
    offline = Workspace(fetched.root, offline=True)
    with pytest.raises(PaperclipError, match="--offline"):
        get(offline, tmp_path, "hst:15001")
    assert (
        "--offline"
        in get(offline, tmp_path, "hst_1_01_acs_wfc_total_jxxx01").report.failures[0].reason
    )


@pytest.mark.parametrize("word", ["", "a", "../x", "hst:x", "hst:-1", "../../x:1", "missing.json"])
def test_what_names_no_hit(word: str) -> None:
    with pytest.raises(UsageError, match="names no hit"):
        read_references([word])


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[1]", '{"mission": 1}', "[{", '[{"mission": "hst", "proposal_id": "x"}]'],
)
def test_files_that_are_no_answer(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    try:
        assert read_references([str(tmp_path / "x.json")]) == []
        assert text in ("", "[]")
    except UsageError as error:
        assert "not the output of a query" in str(error) and text not in ("", "[]")


def test_references() -> None:
    assert read_references(["hst:15001", "hst:15001", TOTAL]) == [
        Reference(Key("hst", 15001)),
        Reference(obs_id=TOTAL),
    ]
