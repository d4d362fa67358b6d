"""`query --region`: regions that were drawn in DS9, or written by `--format ds9`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import paperclip_cli
from paperclip_cli.cli.app import run
from paperclip_cli.config import IndexConfig
from paperclip_cli.stages import index
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import towers


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    write_fetched(workspace, "hst", proposals=12)
    index.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    return workspace.root


def asked(cache: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[list, str]:
    assert run(["--cache-dir", str(cache), "--offline", "query", *words]) == 0
    done = capsys.readouterr()
    return json.loads(done.out), done.err


def test_hits_as_regions_find_these_hits_again(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = paperclip_cli.query("dust", cache=cache, k=500, collapse="none")
    paperclip_cli.query("dust", cache=cache, k=2, collapse="none").write(tmp_path / "two.reg")
    region = ["--region", str(tmp_path / "two.reg"), "--no-collapse", "-k", "500", "--json"]
    found, _ = asked(cache, capsys, "dust", *region)
    images = [hit["image"] for hit in found]
    assert {hit.image for hit in whole[:2]} <= {*images} < {hit.image for hit in whole}
    places, _ = asked(cache, capsys, *region)
    assert {hit["image"] for hit in places} == {*images} and places[0]["score"] is None
    assert places[0]["query"] == "in two.reg" and "separation" not in places[0]
    from_python = paperclip_cli.query(cache=cache, region=tmp_path / "two.reg", k=500)
    assert {hit.image for hit in from_python} <= {*images}


def test_with_a_cone_both_count(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sky.reg").write_text("icrs;circle(10,-55,20d)")
    near = ["--near", "10 -55", "--radius", "10deg", "--json", "-k", "500"]
    alone, _ = asked(cache, capsys, *near)
    both, _ = asked(cache, capsys, *near, "--region", str(tmp_path / "sky.reg"))
    drop = {"query", "provenance"}
    assert [{k: v for k, v in hit.items() if k not in drop} for hit in both] == [
        {k: v for k, v in hit.items() if k not in drop} for hit in alone
    ]
    assert both and both[0]["query"].endswith("-55 and in sky.reg")


def test_a_region_far_from_everything_says_so(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "far.reg").write_text('icrs;circle(10,89,1")')
    found, said = asked(cache, capsys, "dust", "--json", "--region", str(tmp_path / "far.reg"))
    assert not found and "no image meets --region: the nearest is" in said
    words = ["dust", "--region", str(tmp_path / "far.reg"), "--near", "10 -55", "--json"]
    _, said = asked(cache, capsys, *words, "--radius", "20deg")
    assert "no image meets --region: the nearest is" in said


@pytest.mark.parametrize("name", ["missing.reg", "."])
def test_a_file_that_is_none_is_named(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words = ["--cache-dir", str(cache), "query", "dust", "--region", str(tmp_path / name)]
    assert run(words) == 1
    assert "cannot be read" in capsys.readouterr().err
