"""`fetch` from MAST where its rows are of older kinds, incomplete, or wrong."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from astropy.coordinates import SkyCoord

from paperclip_cli.archives.mast.missions import HST
from paperclip_cli.archives.mast.rows import UNREADABLE, list_previews
from paperclip_cli.archives.placing import place_preview
from paperclip_cli.config import FetchConfig
from paperclip_cli.records import Observation, Preview, read_jsonl
from paperclip_cli.sky.footprint import observed_footprint
from paperclip_cli.sky.region import parse_region
from paperclip_cli.sky.vectors import direction
from paperclip_cli.stages import fetch
from paperclip_cli.workspace import Workspace
from tests.archives.mast.test_rows import TOTAL, observed, product
from tests.standin.content import GSC1, J2000, LOST, NO_REGION
from tests.standin.process import StandInProcess
from tests.standin.server import RECORDED


def test_every_preview_lies_where_its_row_says(mast: StandInProcess, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    config = FetchConfig(proposals=(15000, 15001), rate=0, catalog=mast.url + "/abstracts.cat")
    report = fetch.run(config, workspace)
    found = list(read_jsonl(workspace.previews("hst") / "previews.jsonl", Preview))
    assert len(found) == 10 and not report.failures
    for number, preview in enumerate(found):
        proposal, visit = divmod(number, 5)
        seen = preview.observation
        assert (seen.s_ra, seen.s_dec) == (10.0 + 3 * proposal, -20 + visit * 0.5)
        footprint = observed_footprint(seen)
        assert footprint is not None
        centre = SkyCoord(*direction(footprint.centre), unit="deg")
        assert centre.separation(SkyCoord(seen.s_ra, seen.s_dec, unit="deg")).arcsec < 2
        words = (seen.s_region or "").split()[1]
        assert words == {GSC1: "GSC1", J2000: "J2000"}.get(visit, "ICRS")
        assert (preview.wcs is None) == (visit == LOST)
        if preview.wcs is not None:
            assert preview.wcs.crval == (seen.s_ra, seen.s_dec)
    assert found[NO_REGION].observation.s_region
    assert report.notes == (
        "the coordinates inside 2 previews disagree with the archive's table, which counts "
        "(first: hst:15000 hst_15000_05_acs_wfc_total_j00005_drc.jpg)",
    )
    again = fetch.run(config, workspace)
    assert again.unchanged and again.notes == report.notes


def test_recorded_footprints_are_all_read() -> None:
    rows = [
        row
        for name in ("caom", "advSearch", "advSearchPos")
        for row in json.loads((RECORDED / f"{name}.json").read_text())["data"]
    ]
    kinds = Counter(" ".join(row["s_region"].split()[:2]) for row in rows)
    assert kinds["POLYGON GSC1"] == 7 and kinds["POLYGON J2000"] == 14 and kinds["CIRCLE ICRS"] > 9
    for row in rows:
        footprint = observed_footprint(Observation(s_region=row["s_region"]))
        assert footprint is not None, row["s_region"]
        there = SkyCoord(row["s_ra"], row["s_dec"], unit="deg")
        centre = SkyCoord(*direction(footprint.centre), unit="deg")
        assert centre.separation(there).deg < max(1.1 * footprint.radius * 57.3, 1 / 60)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"s_ra": None}, {"s_ra": None, "s_dec": None}),
        ({"s_ra": float("nan")}, {"s_ra": None, "s_dec": None}),
        ({"s_ra": -999.0, "s_dec": -999.0}, {"s_ra": None, "s_dec": None}),
        ({"s_ra": -157.5, "s_dec": 47.2}, {"s_ra": 202.5, "s_dec": 47.2}),
        ({"t_min": None, "t_exptime": None}, {"t_min": None, "t_exptime": None}),
        ({"t_min": 2458000.5, "t_exptime": -1.0}, {"t_min": None, "t_exptime": None}),
        ({"target_name": "N/A", "instrument_name": "null"}, {"target": None, "instrument": None}),
        ({"s_region": "--"}, {"s_region": None}),
        ({"mtFlag": None}, {"moving": None}),
    ],
)
def test_what_a_row_does_not_say_is_unknown(values: dict, wanted: dict) -> None:
    row = observed(TOTAL, **values)
    listing = list_previews(HST, [row], [product(f"{TOTAL}_drc.jpg")], False)[15354]
    (listed,) = listing.previews.values()
    assert {name: getattr(listed.observation, name) for name in wanted} == wanted
    assert not listing.left_out


def test_a_footprint_that_cannot_be_read_is_counted() -> None:
    row = observed(TOTAL, s_region="NOT (CIRCLE ICRS 1 1 1)")
    listing = list_previews(HST, [row], [product(f"{TOTAL}_drc.jpg")], False)[15354]
    (listed,) = listing.previews.values()
    assert listing.left_out == {UNREADABLE: 1}
    # The picture's own frame then is its footprint.
    frame = "CIRCLE ICRS 22.4 -73.5 0.1"
    assert parse_region(frame) and listed.observation.s_region is None
    assert place_preview(listed.observation, None, frame).observation.s_region == frame


def test_a_product_that_names_no_parent_belongs_to_no_row_without_a_number() -> None:
    nameless = observed("", obsid=None, proposal_id="9999", target_name="ANOTHER")
    rows = [nameless, observed(TOTAL, target_name="OURS")]
    ours = product(f"{TOTAL}_drc.jpg", parent_obsid=None, obsID=None, obs_id=None)
    stray = product("u27xcs01t_drz.jpg", parent_obsid=None, obsID=None, obs_id=None)
    found = list_previews(HST, rows, [ours, stray], False)
    (listed,) = found[15354].previews.values()
    assert listed.observation.target == "OURS" and not found[15354].left_out
    assert not found[9999].previews and not found[9999].left_out
