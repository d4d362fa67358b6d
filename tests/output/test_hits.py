"""Hits in the formats that programs read."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields, replace
from importlib import resources

import pytest

from paperclip_cli.output.console import rows
from paperclip_cli.output.hits import COLUMNS, hit_table, instrument, known, one_line, values
from paperclip_cli.records import Hit

FULL = Hit(
    rank=1,
    query="galaxy mergers",
    score=0.31,
    percentile=99.9,
    p_chance=0.012,
    mission="hst",
    proposal_id=15354,
    image="/data/a.jpg",
    title='Mergers, "wet"',
    split="test",
    category="Galaxies",
    abstract="Long.",
    separation=0.0,
    more=2,
    target="NGC 4038",
    s_ra=0.0,
    s_dec=-18.9,
    s_region="POLYGON ICRS 0 0 1 0 1 1",
    s_fov=0.06,
    instrument="ACS",
    detector="WFC",
    filters=("F435W", "F814W"),
    cycle="25",
    obs_id="j1",
    t_min=58000.5,
    t_exptime=1200.0,
    access_url="https://mast.stsci.edu/x",
    preview_uri="mast:HST/x.jpg",
    product_uri="mast:HST/x.fits",
    provenance="paperclip 1, index default of today, model tiny 0123456789ab",
)
BARE = Hit(
    rank=2,
    query="galaxy mergers",
    score=0.3,
    percentile=99.0,
    p_chance=0.001,
    mission=None,
    proposal_id=None,
    image="/data/b.jpg",
    title="",
    split="none",
)
ALWAYS = [
    *"rank query score percentile p_chance mission proposal_id image title split".split(),
    *"more provenance".split(),
]
CONTRACT = [
    *ALWAYS[:-2],
    *"target s_ra s_dec separation instrument detector filters cycle obs_id".split(),
    *"t_min t_exptime s_region access_url preview_uri product_uri".split(),
]


def test_a_hit_has_a_field_for_every_column() -> None:
    names = [field.name for field in fields(Hit)]
    assert names == [*(column.name for column in COLUMNS), "abstract"]


def test_json_has_what_is_promised() -> None:
    full, bare = json.loads(rows([known(FULL), known(BARE)], "json"))
    assert set(CONTRACT) <= set(full) and list(bare) == ALWAYS
    assert (full["s_ra"], full["separation"], full["filters"], full["target"]) == (
        0.0,
        0.0,
        ["F435W", "F814W"],
        "NGC 4038",
    )
    assert bare["mission"] is None and bare["proposal_id"] is None


def test_csv_has_every_column_even_of_what_is_unknown() -> None:
    full, bare = csv.DictReader(io.StringIO(rows([values(FULL), values(BARE)], "csv")))
    assert list(full) == [column.name for column in COLUMNS]
    assert (full["title"], full["filters"], full["separation"]) == (
        'Mergers, "wet"',
        "F435W;F814W",
        "0.0",
    )
    assert bare["s_ra"] == bare["mission"] == ""


def test_json_is_what_the_shipped_schema_says() -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(
        resources.files("paperclip_cli").joinpath("hits.schema.json").read_text(encoding="utf-8")
    )
    Draft202012Validator.check_schema(schema)
    assert list(schema["items"]["properties"]) == [column.name for column in COLUMNS]
    assert schema["items"]["required"] == [column.name for column in COLUMNS if column.always]
    check = Draft202012Validator(schema)
    hits = json.loads(rows([known(FULL), known(BARE)], "json"))
    assert not list(check.iter_errors(hits))
    for spoiled in (
        {"rank": 0},
        {"s_ra": 360.0},
        {"s_fov": -1},
        {"filters": "F814W"},
        {"split": "mine"},
        {"title": None},
        {"unheard": 1},
    ):
        assert list(check.iter_errors([{**hits[0], **spoiled}])), spoiled


@pytest.mark.parametrize(
    ("name", "detector", "shown"),
    [
        ("ACS", "WFC", "ACS/WFC"),
        ("ACS/WFC", "WFC", "ACS/WFC"),
        ("WFPC2", None, "WFPC2"),
        (None, "WFC", "WFC"),
        (None, None, ""),
    ],
)
def test_an_instrument_is_named_once(name: str | None, detector: str | None, shown: str) -> None:
    assert instrument(replace(BARE, instrument=name, detector=detector)) == shown


def test_the_title_leads_to_the_archive_or_to_the_image() -> None:
    spoiled = replace(BARE, access_url="javascript:alert(1)")
    broken = replace(BARE, access_url="https://x/\x1b]8;;https://evil\x07")
    columns, rows = hit_table([FULL, BARE, spoiled, broken], 80)
    place = [column.name for column in columns].index("Title")
    titles = [row[place] for row in rows]
    assert [title.url for title in titles] == [
        "https://mast.stsci.edu/x",
        *["file:///data/b.jpg"] * 3,
    ]
    assert titles[1].text == "b.jpg", "without title and abstract, the file name is shown"


def test_large_distances_are_in_degrees() -> None:
    near, far = replace(FULL, separation=90.0), replace(FULL, separation=150.0)
    for hits, expected in (
        ([near], {"Arcmin": ["90.00"]}),
        ([near, far], {"Deg": ["1.50", "2.50"]}),
    ):
        columns, rows = hit_table(hits, 80)
        places = [column.name for column in columns]
        for name, cells in expected.items():
            assert [row[places.index(name)] for row in rows] == cells
    assert "90.00 arcmin" in one_line(near) and "2.50 deg" in one_line(far)


def test_a_column_is_shown_where_it_says_something() -> None:
    def names(hits: list[Hit], width: int) -> list[str]:
        columns, rows = hit_table(hits, width)
        assert all(len(row) == len(columns) for row in rows)
        return [column.name for column in columns]

    assert names([FULL, BARE], 200) == (
        "# Proposal Title More Target Instrument Filters Arcmin Score Chance Split".split()
    )
    assert names([FULL, BARE], 80) == "# Proposal Title Target Instr. Arcmin Score Chance".split()
    assert names([FULL, BARE], 60) == "# Proposal Title Target Instr. Arcmin Score Chance".split()
    assert names([FULL, BARE], 40) == "# Proposal Title Arcmin Score Chance".split()
    assert names([BARE], 200) == "# Title Score Chance".split()
    assert names([replace(BARE, split="test")], 200) == "# Title Score Chance Split".split()
    assert "Score" not in names([replace(FULL, score=None, p_chance=None)], 80)
