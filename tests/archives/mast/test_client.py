"""The real astroquery client against the stand-in: replies, pages, polls, caps and failures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paperclip_cli.archives.mast.client import MastClient, TooMany, in_halves
from paperclip_cli.archives.mast.http import Limits, Wire
from paperclip_cli.archives.mast.missions import HST
from paperclip_cli.archives.mast.rows import list_previews
from paperclip_cli.errors import BadItem, Unreachable
from paperclip_cli.http.retry import Pace, TooSlow
from tests.standin.clock import WatchedPace
from tests.standin.limits import QUICK
from tests.standin.process import StandInProcess

OURS = {"obs_collection": ["HST"], "proposal_id": ["15001", "15003"]}


def client(
    mast: StandInProcess, limits: Limits = QUICK, page_size: int | None = None
) -> MastClient:
    return MastClient(Wire(mast.url, Pace(0), limits), page_size)


def test_rows_arrive_with_their_types(mast: StandInProcess) -> None:
    rows = client(mast).observations(OURS)
    assert len(rows) == 2 * 5 * 5 and {row["proposal_id"] for row in rows} == {"15001", "15003"}
    first = rows[0]
    assert isinstance(first["s_ra"], float) and isinstance(first["calib_level"], int)
    assert isinstance(first["obsid"], str)
    assert first["dataURL"] is None and first["mtFlag"] is False


def test_no_rows_are_no_failure(mast: StandInProcess) -> None:
    assert client(mast).observations({**OURS, "proposal_id": ["1"]}) == []


def test_products_are_asked_for_in_groups(mast: StandInProcess) -> None:
    ours = client(mast)
    detected = ours.observations({"obs_collection": ["HST"], "filters": ["detection"]})
    totals = [row["obsid"] for row in detected]
    assert len(totals) == 60

    rows = ours.products([*totals, *totals])
    science = {row["productFilename"] for row in rows if row["productType"] == "SCIENCE"}
    assert len(science) == 60
    assert len(mast.log("Mast.Caom.Products")) == 3


def test_pages_are_put_together(mast: StandInProcess) -> None:
    mast.set(page_size=7)
    assert len(client(mast).observations(OURS)) == 50
    assert len(mast.log("Mast.Caom.Filtered")) == 8


@pytest.mark.parametrize("rows", [30, 25])
def test_a_cap_is_noticed(mast: StandInProcess, rows: int) -> None:
    """The server stops at its cap and says that this is all."""
    mast.set(cap=rows)
    with pytest.raises(TooMany, match=f"cut its list at {rows} rows"):
        client(mast, page_size=rows).observations(OURS)


def test_a_cap_halves_the_question(mast: StandInProcess) -> None:
    mast.set(cap=30)
    ours = client(mast, page_size=30)
    rows = in_halves(
        ["15001", "15002", "15003"],
        lambda numbers: ours.observations({**OURS, "proposal_id": list(numbers)}),
    )
    assert len(rows) == 75 and len({row["obs_id"] for row in rows}) == 75


def test_polling_is_patient(mast: StandInProcess) -> None:
    """A query is EXECUTING for long: astroquery alone would ask hundreds of times a second."""
    mast.set(faults=[{"on": "Mast.Caom.Filtered", "do": "executing", "times": 6}])
    pace = WatchedPace(0)
    patient = MastClient(Wire(mast.url, pace, replace(QUICK, total=30, poll=(0.05, 0.2))))
    assert len(patient.observations(OURS)) == 50

    log = mast.log("Mast.Caom.Filtered")
    assert len({entry["what"] for entry in log}) == 1, "the body is repeated exactly"
    assert len(log) == 7
    assert pace.fake.waits == [0.05, 0.1, 0.2, 0.2, 0.2, 0.2]


def test_a_query_that_never_ends_is_given_up(mast: StandInProcess) -> None:
    mast.set(faults=[{"on": "Mast.Caom.Filtered", "do": "executing"}])
    with pytest.raises(TooSlow, match="did not finish"):
        client(mast, replace(QUICK, total=0.3)).observations(OURS)
    assert len(mast.log("Mast.Caom.Filtered")) < 40


PASSING = [
    {"do": "status", "status": 500},
    {"do": "status", "status": 503},
    {"do": "status", "status": 502},
    {"do": "status", "status": 504},
    {"do": "status", "status": 429, "headers": {"Retry-After": "0"}},
    {"do": "reset"},
    {"do": "short"},
    {"do": "half"},
    {"do": "html"},
    {"do": "error"},
    {"do": "unmeasured"},
    {"do": "silent", "seconds": 1},
    {"do": "loris", "seconds": 0.05},
]


@pytest.mark.parametrize(
    "service, fault",
    [
        *(("Mast.Caom.Filtered", fault) for fault in PASSING),
        *(
            (service, fault)
            for service in ("columnsconfig", "Mast.Caom.Products")
            for fault in PASSING[1::3]
        ),
    ],
    ids=lambda value: (
        f"{value['do']}{value.get('status', '')}" if isinstance(value, dict) else value
    ),
)
def test_faults_that_pass_are_survived(mast: StandInProcess, service: str, fault: dict) -> None:
    from astroquery.mast.discovery_portal import PortalAPI

    PortalAPI._column_configs.clear()
    mast.set(faults=[{"on": service, "times": 2, **fault}])
    ours = client(mast)
    rows = ours.observations(OURS)
    assert len(rows) == 50
    assert len(ours.products(row["obsid"] for row in rows if row["filters"] == "detection")) == 70


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "status", "status": 503},
        {"do": "half"},
        {"do": "silent", "seconds": 1},
        {"do": "error"},
    ],
)
def test_faults_that_last_are_told(mast: StandInProcess, fault: dict) -> None:
    mast.set(faults=[{"on": "Mast.Caom.Filtered", **fault}])
    with pytest.raises(Unreachable):
        client(mast).observations(OURS)


def test_a_refused_query_is_not_repeated(mast: StandInProcess) -> None:
    mast.set(faults=[{"on": "Mast.Caom.Filtered", "do": "status", "status": 403}])
    with pytest.raises(BadItem, match="refused the query"):
        client(mast).observations(OURS)
    assert len(mast.log("Mast.Caom.Filtered")) == 1


def test_groups_halve_where_the_archive_is_too_slow(mast: StandInProcess) -> None:
    """A query for 25 observations gets no answer, nor do its halves, until they are small."""
    ours = client(mast)
    totals = sorted(
        row["obsid"] for row in ours.observations(OURS) if row["filters"] == "detection"
    )
    mast.set(faults=[{"on": f"{totals[0]},{totals[1]},{totals[2]}", "do": "silent", "seconds": 1}])
    assert len(ours.products(totals)) == 70


def test_we_say_who_we_are(mast: StandInProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCLIP_CONTACT", "astronomer@example.org\r\nX-Evil: 1")
    client(mast).observations(OURS)
    (agent,) = {entry["agent"] for entry in mast.log()}
    assert agent.startswith("paperclip-cli/") and "astronomer@example.orgX-Evil" in agent


def test_recorded_replies_of_mast_are_understood(mast: StandInProcess) -> None:
    """The replies were recorded from the real archive, and ship inside astroquery."""
    mast.set(replies={"Mast.Caom.Filtered": "caom.json", "Mast.Caom.Products": "products.json"})
    ours = client(mast)

    rows = ours.observations(OURS)
    first = rows[0]
    assert len(rows) == 19 and first["proposal_id"] == "5371"
    assert (first["obs_id"], first["obsid"]) == ("U27XCS01T", "2003585980")
    assert first["jpegURL"] == "https://archive.stsci.edu/hst/previews/U27X/U27XCS01T.jpg"
    assert first["dataURL"] is None and first["s_region"].startswith("POLYGON GSC1")

    products = ours.products(["2003738726"])
    assert len(products) == 22 and products[0]["size"] == 207360
    assert {row["obs_id"] for row in products} == {"U9O40504M"}

    listings = list_previews(HST, rows, products, False)
    assert set(listings) == {5371, 5092}
    assert not any(listing.previews for listing in listings.values())
