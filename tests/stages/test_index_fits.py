"""Folders of FITS files in an index: nothing lost, nothing invented, all found where they lie."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest

from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.errors import ExitCode
from paperclip_cli.records import Hit
from paperclip_cli.report import Report
from paperclip_cli.stages import index as stage
from paperclip_cli.stages import query
from paperclip_cli.workspace import Workspace
from tests.images.odd_headers import FRAMES, HEADERS, UNPLACED, Odd
from tests.images.test_odd_headers import PICTURE
from tests.small_indexes import index_of, towers


def write_odd(folder: Path, odds: list[Odd]) -> None:
    for number, odd in enumerate(odds):
        data = odd.text() + PICTURE + bytes(-len(PICTURE) % 2880)
        (folder / f"{number:03d}.fits").write_bytes(data)


def indexed(path: Path, workspace: Workspace, model: Path) -> Report:
    return stage.run(IndexConfig(paths=(path,), model=str(model)), workspace, **towers())


def near(workspace: Workspace, ra: float, dec: float, **more: object) -> list[Hit]:
    config = QueryConfig(near=(ra, dec), radius=0.01, k=999, collapse="none", **more)  # type: ignore[arg-type]
    (answer,) = query.run(config, workspace)
    return list(answer.hits)


def names(hits: list[Hit]) -> set[str]:
    return {Path(hit.image).name for hit in hits}


def test_no_odd_card_costs_a_picture_and_no_lost_position_is_silent(
    tmp_path: Path, workspace: Workspace, tiny_model: Path
) -> None:
    write_odd(tmp_path, HEADERS)
    report = indexed(tmp_path, workspace, tiny_model)
    unplaced = [number for number, odd in enumerate(HEADERS) if odd.truth == UNPLACED]
    assert report.failures == () and report.exit_code is ExitCode.OK
    assert report.counts == {
        "images": len(HEADERS),
        "new": len(HEADERS),
        "without a position": len(unplaced),
    }
    (note,) = report.notes
    assert note.startswith(
        f"no position, and thus not in --near: {len(unplaced)} FITS images with celestial axes "
        f"({tmp_path}/{unplaced[0]:03d}.fits: "
    )
    assert indexed(tmp_path, workspace, tiny_model).unchanged


def test_an_image_of_an_older_equinox_lies_where_it_lies(
    tmp_path: Path, workspace: Workspace, tiny_model: Path
) -> None:
    write_odd(tmp_path, [FRAMES[0], Odd("plain")])
    report = indexed(tmp_path, workspace, tiny_model)
    assert "without a position" not in report.counts and report.notes == ()
    assert names(near(workspace, 202.99466, 46.93849)) == {"000.fits"}
    assert names(near(workspace, 202.4696, 47.1952)) == {"001.fits"}


def test_a_file_of_jwst_is_one_of_the_archive(
    field_cases: Path, workspace: Workspace, tiny_model: Path
) -> None:
    indexed(field_cases / "jwst", workspace, tiny_model)
    assert near(workspace, 202.4696, 47.1952) == []
    (hit,) = near(workspace, 202.4696, 47.1952, include_moving=True)
    assert (hit.mission, hit.proposal_id, hit.t_exptime) == ("jwst", 1373, 418.7)
    assert hit.obs_id == "jw01373-o003_t001_nircam_clear-f444w"


def test_headers_that_went_wrong(field_cases: Path, workspace: Workspace, tiny_model: Path) -> None:
    report = indexed(field_cases / "fits_header", workspace, tiny_model)
    assert report.failures == () and report.counts["without a position"] == 1
    found = {
        Path(image.entry.path).stem: image.entry.observation
        for image in index_of(workspace).observations.images()
    }
    for name in ("plain", "tpv", "equinox_J2000", "sip", "pc_old", "exptime_comma"):
        observation = found[name]
        assert (observation.s_ra, observation.s_dec) == pytest.approx((202.4696, 47.1952), abs=5e-6)
    older = found["epoch1950"]
    assert (older.s_ra, older.s_dec) == pytest.approx((202.99466, 46.93849), abs=5e-6)
    assert found["nan_crval"].s_ra is None and found["exptime_comma"].t_exptime is None


def test_pictures_that_went_wrong(
    field_cases: Path, tmp_path: Path, workspace: Workspace, tiny_model: Path
) -> None:
    report = indexed(field_cases / "fits_data", workspace, tiny_model)
    (failure,) = report.failures
    assert Path(failure.item).name == "truncated.fits"
    assert failure.reason == "damaged FITS file (cut short: 750 of 3,072 pixels)"
    assert report.counts == {"images": 4, "new": 4}

    assert indexed(field_cases / "rasters", workspace, tiny_model).failures == ()
    (tmp_path / "a.fits.bz2").write_bytes(bz2.compress(b"text"))
    refused = indexed(tmp_path, workspace, tiny_model).failures
    assert [failure.reason for failure in refused] == ["a bzip2 file with no FITS file inside"]
