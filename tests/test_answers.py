"""Hits in the forms that programs read."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from paperclip_cli.answers import COLUMNS, hit_table, known, table_file, values
from paperclip_cli.records import Hit, Observation
from paperclip_cli.render import rows

OBSERVED = Observation(target="NGC 4038", s_ra=0.0, s_dec=-18.9, s_region="POLYGON ICRS 0 0 1 0 1 1", instrument="ACS", detector="WFC",
                       filters=("F435W", "F814W"), cycle="25", obs_id="j1", t_min=58000.5, t_exptime=1200.0,
                       access_url="https://mast.stsci.edu/x", preview_uri="mast:HST/x.jpg", product_uri="mast:HST/x.fits")
FULL = Hit(rank=1, query="galaxy mergers", score=0.31, percentile=99.9, mission="hst", proposal_id=15354, image="/data/a.jpg",
           title='Mergers, "wet"', split="test", category="Galaxies", abstract="Long.", separation=0.0, more=2, observation=OBSERVED)
BARE = Hit(rank=2, query="galaxy mergers", score=0.3, percentile=99.0, mission=None, proposal_id=None, image="/data/b.jpg", title="",
           split="none")
ALWAYS = ["rank", "query", "score", "percentile", "mission", "proposal_id", "image", "title", "split", "more"]
CONTRACT = [*ALWAYS[:-1], "target", "s_ra", "s_dec", "separation", "instrument", "detector", "filters", "cycle", "obs_id", "t_min",
            "t_exptime", "s_region", "access_url", "preview_uri", "product_uri"]


def test_json_has_what_is_promised() -> None:
    full, bare = json.loads(rows([known(FULL), known(BARE)], "json"))
    assert set(CONTRACT) <= set(full) and list(bare) == ALWAYS
    assert (full["s_ra"], full["separation"], full["filters"], full["target"]) == (0.0, 0.0, ["F435W", "F814W"], "NGC 4038")
    assert bare["mission"] is None and bare["proposal_id"] is None


def test_csv_has_every_column_even_of_what_is_unknown() -> None:
    full, bare = csv.DictReader(io.StringIO(rows([values(FULL), values(BARE)], "csv")))
    assert list(full) == [column.name for column in COLUMNS]
    assert (full["title"], full["filters"], full["separation"]) == ('Mergers, "wet"', "F435W;F814W", "0.0")
    assert bare["s_ra"] == bare["mission"] == ""


@pytest.mark.parametrize("form", ["votable", "ecsv"])
def test_tables_are_read_back_by_astropy(form: str) -> None:
    from astropy.table import Table

    text = table_file([FULL, BARE], form, {"query": "galaxy mergers", "model": "tiny"})
    read = Table.read(io.BytesIO(text.encode()), format="votable" if form == "votable" else "ascii.ecsv")
    assert read.colnames == [column.name for column in COLUMNS]
    assert {name: str(read[name].unit) for name in ("s_ra", "s_dec", "separation", "t_min", "t_exptime")} == {
        "s_ra": "deg", "s_dec": "deg", "separation": "arcmin", "t_min": "d", "t_exptime": "s"}
    assert read["s_dec"][0] == -18.9 and np.isnan(np.ma.filled(read["s_dec"], np.nan)[1])
    assert read["proposal_id"][0] == 15354 and read["proposal_id"].mask.tolist() == [False, True]
    assert (read["filters"][0], read["title"][0]) == ("F435W;F814W", 'Mergers, "wet"')


def test_a_votable_declares_frame_and_ucds_without_a_complaint() -> None:
    from astropy.io.votable import parse
    from astropy.io.votable.ucd import parse_ucd

    document = parse(io.BytesIO(table_file([FULL, BARE], "votable", {"query": "q", "model": "tiny"}).encode()), verify="exception")
    fields = {field.name: field for field in document.get_first_table().fields}
    assert (fields["s_ra"].ucd, fields["s_dec"].ucd) == ("pos.eq.ra;meta.main", "pos.eq.dec;meta.main")
    assert (fields["obs_id"].ucd, fields["access_url"].ucd, fields["split"].ucd) == ("meta.id", "meta.ref.url", None)
    (frame,) = document.resources[0].coordinate_systems
    assert frame.system == "ICRS" and fields["s_ra"].ref == fields["s_dec"].ref == frame.ID
    assert {info.name: info.value for info in document.resources[0].infos}["model"] == "tiny"
    for column in COLUMNS:
        if column.ucd:
            parse_ucd(column.ucd, check_controlled_vocabulary=True)


@pytest.mark.parametrize("form", ["votable", "ecsv"])
def test_a_table_holds_no_control_characters(form: str) -> None:
    from astropy.table import Table

    evil = replace(FULL, title="a\x00\x1b[31mb\x9b&<>\n\"c")
    text = table_file([evil], form, {"query": "q"})
    read = Table.read(io.BytesIO(text.encode()), format="votable" if form == "votable" else "ascii.ecsv")
    assert read["title"][0] == 'a [31mb &<> "c'


@pytest.mark.parametrize("form", ["votable", "ecsv"])
def test_no_hits_are_a_table_too(form: str) -> None:
    from astropy.table import Table

    read = Table.read(io.BytesIO(table_file([], form, {}).encode()), format="votable" if form == "votable" else "ascii.ecsv")
    assert len(read) == 0 and read.colnames == [column.name for column in COLUMNS]


def test_the_title_leads_to_the_archive_or_to_the_image() -> None:
    spoiled = replace(BARE, observation=Observation(access_url="javascript:alert(1)"))
    broken = replace(BARE, observation=Observation(access_url="https://x/\x1b]8;;https://evil\x07"))
    titles = next(column for column in hit_table([FULL, BARE, spoiled, broken], 80) if column.name == "Title")
    assert titles.links == ["https://mast.stsci.edu/x", "file:///data/b.jpg", "file:///data/b.jpg", "file:///data/b.jpg"]
    assert list(titles.cells)[1] == "b.jpg", "without title and abstract the file's name tells hits apart"
