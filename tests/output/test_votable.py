"""VOTable and ECSV, read back by astropy."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.output.console import printable
from paperclip_cli.output.hits import COLUMNS
from paperclip_cli.output.votable import ecsv, votable
from paperclip_cli.records import Hit
from tests.output.test_hits import BARE, FULL


def written(hits: Sequence[Hit], form: str, provenance: Mapping[str, str]) -> Table:
    text = (votable if form == "votable" else ecsv)(hits, provenance)
    return Table.read(
        io.BytesIO(text.encode()), format="votable" if form == "votable" else "ascii.ecsv"
    )


@pytest.mark.parametrize("form", ["votable", "ecsv"])
def test_tables_are_read_back_by_astropy(form: str) -> None:
    read = written([FULL, BARE], form, {"query": "galaxy mergers", "model": "tiny"})
    assert read.colnames == [column.name for column in COLUMNS]
    assert {
        name: str(read[name].unit) for name in ("s_ra", "s_dec", "separation", "t_min", "t_exptime")
    } == {"s_ra": "deg", "s_dec": "deg", "separation": "arcmin", "t_min": "d", "t_exptime": "s"}
    assert read["s_dec"][0] == -18.9 and np.isnan(np.ma.filled(read["s_dec"], np.nan)[1])
    assert read["proposal_id"][0] == 15354 and read["proposal_id"].mask.tolist() == [False, True]
    assert (read["filters"][0], read["title"][0]) == ("F435W;F814W", 'Mergers, "wet"')


def test_a_votable_declares_frame_and_ucds_without_a_complaint() -> None:
    from astropy.io.votable import parse
    from astropy.io.votable.ucd import parse_ucd

    document = parse(
        io.BytesIO(votable([FULL, BARE], {"query": "q", "model": "tiny"}).encode()),
        verify="exception",
    )
    fields = {field.name: field for field in document.get_first_table().fields}
    assert fields["s_ra"].ucd == "pos.eq.ra;meta.main"
    assert fields["s_dec"].ucd == "pos.eq.dec;meta.main"
    assert fields["obs_id"].ucd == "meta.id"
    assert fields["access_url"].ucd == "meta.ref.url"
    assert fields["split"].ucd is None
    (frame,) = document.resources[0].coordinate_systems
    assert frame.system == "ICRS" and fields["s_ra"].ref == fields["s_dec"].ref == frame.ID
    assert {info.name: info.value for info in document.resources[0].infos}["model"] == "tiny"
    for column in COLUMNS:
        if column.ucd:
            parse_ucd(column.ucd, check_controlled_vocabulary=True)


@pytest.mark.parametrize("form", ["votable", "ecsv"])
def test_a_table_holds_no_control_characters(form: str) -> None:
    evil = replace(FULL, title='a\x00\x1b[31mb\x9b&<>\n"c')
    read = written([evil], form, {"query": evil.title})
    assert read["title"][0] == 'a [31mb &<> "c'


@pytest.mark.parametrize("form", ["votable", "ecsv"])
def test_no_hits_are_a_table_too(form: str) -> None:
    read = written([], form, {})
    assert len(read) == 0 and read.colnames == [column.name for column in COLUMNS]


@pytest.mark.parametrize("form", ["votable", "ecsv"])
@given(title=st.text())
def test_any_title_comes_back_in_one_line(form: str, title: str) -> None:
    read = written([replace(FULL, title=title)], form, {"query": title})
    assert str(np.ma.filled(read["title"], "")[0]) == printable(title)
    if form == "ecsv":
        assert (read.meta["query"], read.meta["frame"]) == (printable(title), "ICRS")


@pytest.mark.skipif(shutil.which("stilts") is None, reason="no stilts")
def test_stilts_finds_no_fault(tmp_path: Path) -> None:
    (tmp_path / "hits.vot").write_text(
        votable([FULL, BARE], {"query": "q", "model": "tiny"}), encoding="utf-8"
    )
    done = subprocess.run(
        ["stilts", "votlint", str(tmp_path / "hits.vot")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
