"""`fetch` from MAST, end to end against the stand-in: results, requests, and failures."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paperclip_cli.archives.mast import open as opening
from paperclip_cli.archives.mast.http import Limits
from paperclip_cli.archives.sampling import in_shard
from paperclip_cli.config import FetchConfig
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.previews.fetch_log import LEDGER, read_ledger
from paperclip_cli.records import Hit, Preview, Proposal, read_jsonl
from paperclip_cli.report import Report
from paperclip_cli.stages import fetch
from paperclip_cli.workspace import Workspace
from tests.standin.clock import WatchedPace
from tests.standin.limits import QUICK
from tests.standin.process import StandInProcess
from tests.standin.zygote import Run, Zygote, zygote

Fetch = Callable[..., Report]
PREVIEWS = 60  # 12 proposals with 5 each


@pytest.fixture
def online(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "cache")


@pytest.fixture
def run(mast: StandInProcess, online: Workspace, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Fetches from the stand-in, by default everything, with time limits of milliseconds."""
    monkeypatch.setattr(opening, "Limits", lambda read: replace(QUICK, read=min(read, QUICK.read)))

    def go(workspace: Workspace = online, **settings: object) -> Report:
        wanted = {"everything": True, "rate": 0, "catalog": mast.url + "/abstracts.cat", **settings}
        return fetch.run(FetchConfig(**wanted), workspace)  # type: ignore[arg-type]

    return go


@pytest.fixture(scope="module")
def processes(
    mast_process: StandInProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Zygote]:
    """Runs `paperclip` in separate processes, with an astroquery configuration for the stand-in."""
    folder = tmp_path_factory.mktemp("processes")
    environment = {**mast_process.write_config(folder / "astropy"), "PYTHONPATH": "."}
    with zygote(environment, folder / "stderr") as parent:
        yield parent


def previews(workspace: Workspace, mission: str = "hst") -> list[Preview]:
    return list(read_jsonl(workspace.previews(mission) / "previews.jsonl", Preview))


def contents(workspace: Workspace, mission: str = "hst") -> dict[str, bytes]:
    """The records, and every file they name."""
    folder = workspace.previews(mission)
    records = {
        "proposals": (workspace.proposals(mission) / "proposals.jsonl").read_bytes(),
        "previews": (folder / "previews.jsonl").read_bytes(),
    }
    return records | {
        preview.image: (folder / preview.image).read_bytes()
        for preview in previews(workspace, mission)
    }


def final_files(workspace: Workspace) -> list[Path]:
    """All files with final names, that is, all except hidden files."""
    return [
        path
        for path in workspace.previews("hst").glob("proposal_*/*")
        if not path.name.startswith(".")
    ]


@pytest.fixture(scope="module")
def clean(
    mast_process: StandInProcess, tmp_path_factory: pytest.TempPathFactory, processes: Zygote
) -> dict[str, bytes]:
    """The files that an undisturbed run leaves."""
    mast_process.set()
    cache = tmp_path_factory.mktemp("clean")
    assert (
        processes.run(
            "--cache-dir",
            cache,
            "fetch",
            "--all",
            "--rate",
            0,
            "--catalog",
            mast_process.url + "/abstracts.cat",
        )
        == 0
    )
    return contents(Workspace(cache))


def test_everything_arrives_in_few_requests(
    run: Fetch, mast: StandInProcess, online: Workspace, clean: dict[str, bytes]
) -> None:
    report = run()
    assert (
        report.counts == {"proposals": 12, "images": PREVIEWS, "read now": PREVIEWS}
        and report.exit_code == 0
    )
    assert contents(online) == clean
    asked = [
        entry["what"].split()[0] + " " + entry["what"].split()[-1].split("/")[0]
        for entry in mast.log()
    ]
    assert len(mast.log("GET file")) == PREVIEWS and len(mast.log("HEAD")) == 0
    assert (
        len(mast.log("Filtered")) == 1
        and len(mast.log("Products")) == 3
        and len(asked) <= PREVIEWS + 7
    )
    assert {entry["agent"].split("/")[0] for entry in mast.log()} == {"paperclip-cli"}


def test_what_is_kept_of_a_preview(run: Fetch, online: Workspace) -> None:
    run(size=48)
    first, second = previews(online)[:2]
    seen = first.observation
    assert (seen.target, seen.instrument, seen.detector, seen.filters) == (
        "NGC15000-0",
        "ACS",
        "WFC",
        ("F606W", "F814W"),
    )
    assert (seen.moving, seen.s_ra, seen.s_dec, seen.t_min, seen.t_exptime) == (
        False,
        10.0,
        -20.0,
        58000.0,
        1200.0,
    )
    assert (
        seen.obs_id == "hst_15000_01_acs_wfc_total_j00001"
        and seen.access_url
        and seen.access_url.endswith("id=15000")
    )
    assert (
        seen.preview_uri == f"mast:HST/product/{seen.obs_id}_drc.jpg"
        and seen.product_uri == f"mast:HST/product/{seen.obs_id}_drc.fits"
    )
    assert (
        first.wcs is not None
        and first.wcs.crval == (10.0, -20.0)
        and first.wcs.crpix == pytest.approx((24.5, 24.5))
    )
    assert first.wcs.cd[0] == pytest.approx(-2.8e-5), "half as many pixels, each twice as wide"
    assert seen.s_region == "POLYGON ICRS 9.98 -20.02 10.02 -20.02 10.02 -19.98 9.98 -19.98"
    assert (second.observation.s_region or "").startswith("POLYGON ICRS 10.0"), (
        "from the picture's own coordinates"
    )
    with Image.open(online.previews("hst") / first.image) as image:
        assert image.size == (48, 48) and image.mode == "L" and "comment" not in image.info
    proposal = next(read_jsonl(online.proposals("hst") / "proposals.jsonl", Proposal))
    assert (proposal.title, proposal.pi) == ("Spiral 15000", "Griffiths"), (
        "the catalogue's title, and the archive's PI where it has none"
    )


def test_a_second_run_asks_for_nothing(run: Fetch, mast: StandInProcess, online: Workspace) -> None:
    url = mast.url + "/abstracts.cat"
    run()
    mast.set()
    assert run().unchanged and mast.log() == []
    assert fetch.run(
        FetchConfig(everything=True, catalog=url), Workspace(online.root, offline=True)
    ).unchanged


def test_a_wider_selection_asks_only_for_what_is_new(run: Fetch, mast: StandInProcess) -> None:
    run(proposals=(15001, 15002), everything=False)
    mast.set()
    assert run(proposals=(15001, 15002, 15003), everything=False).counts["read now"] == 5
    assert len(mast.log("file")) == 5 and "15001" not in mast.log("Filtered")[0]["what"]


def test_refresh_asks_again_but_downloads_only_what_changed(
    run: Fetch, mast: StandInProcess
) -> None:
    run(proposals=(15001,), everything=False)
    mast.set()
    assert run(proposals=(15001,), everything=False, refresh=True).unchanged
    assert (
        len(mast.log("abstracts.cat")) == 1
        and len(mast.log("Filtered")) == 1
        and mast.log("file") == []
    )


def test_selections(run: Fetch, mast: StandInProcess, online: Workspace) -> None:
    assert run(cycles=("20",), everything=False).counts["proposals"] == 3
    assert run(limit=2, everything=False).counts["proposals"] == 2
    some = run(after=58003.0, before=58005.05).counts
    assert (some["proposals"], some["images"]) == (3, 5 + 5 + 1)
    assert run(instruments=("ACS/WFC",), proposals=(15001,), everything=False).counts["images"] == 5
    mast.set()
    near = run(near=(13.0, -19.5), radius=0.1, everything=False)
    assert near.counts["images"] == 1 and len(mast.log("Position")) == 1
    mast.set()
    assert run(near=(13.0, -19.5), radius=0.1, everything=False).unchanged and mast.log() == []
    with pytest.raises(PaperclipError, match="is selected"):
        run(instruments=("NICMOS",))


def test_jwst_shows_every_field_before_it_repeats_one(
    run: Fetch, online: Workspace, mast: StandInProcess
) -> None:
    report = run(mission="jwst", max_images=4)
    assert (
        report.counts["images"] == 16
        and "target acquisition, wavefront, coronagraphic or spectroscopic frames"
        in report.excluded
    )
    for number in range(1200, 1204):
        fields = [
            preview.original[8:12]
            for preview in previews(online, "jwst")
            if preview.proposal_id == number
        ]
        assert sorted(fields) == ["o001", "o001", "o002", "o002"]
    assert all(
        preview.observation.filters[0] != "CLEAR" and len(preview.observation.filters) == 1
        for preview in previews(online, "jwst")
    )
    assert len(mast.log("Products")) == 2, "only where the observation does not name its preview"


def test_jwst_needs_a_catalogue(run: Fetch) -> None:
    with pytest.raises(UsageError, match="no catalogue of jwst abstracts") as caught:
        run(mission="jwst", catalog=None)
    assert "--catalog FILE_OR_URL" in (caught.value.hint or "")


def test_the_catalogue_is_downloaded_once(
    run: Fetch, mast: StandInProcess, online: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = (mast.url + "/gone.cat", mast.url + "/abstracts.cat")
    monkeypatch.setitem(
        opening.mission_named.__globals__["MISSIONS"],
        "hst",
        replace(opening.mission_named("hst"), catalogues=addresses),
    )
    run(catalog=None, proposals=(15001,), everything=False)
    assert (online.root / "catalogues/hst.cat").is_file()
    mast.set()
    run(catalog=None, proposals=(15002,), everything=False)
    assert mast.log("abstracts") == []
    mast.set(faults=[{"on": "abstracts", "do": "html"}])
    with pytest.raises(
        PaperclipError, match=r"gone.cat: not found.*abstracts.cat: it contains no proposals"
    ):
        run(catalog=None, proposals=(15002,), everything=False, refresh=True)
    assert (online.root / "catalogues/hst.cat").stat().st_size > 1000, "the old one is still there"


def test_a_dry_run_downloads_nothing(run: Fetch, mast: StandInProcess, online: Workspace) -> None:
    report = run(dry_run=True)
    assert report.counts == {"proposals": 12, "images": PREVIEWS, "to read": PREVIEWS}
    assert sum("hst:150" in note for note in report.notes) == 10 and any(
        "MB to download" in note for note in report.notes
    )
    assert mast.log("file") == [] and online.names("previews") == [] and not final_files(online)


def test_failures_are_kept_and_tried_again_when_asked(run: Fetch, mast: StandInProcess) -> None:
    mast.set(faults=[{"on": "hst_15003_02", "do": "status", "status": 404}])
    report = run()
    (failure,) = report.failures
    assert (
        report.exit_code == 3
        and "hst_15003_02" in failure.item
        and failure.reason == "not found (HTTP 404)"
    )
    mast.set()
    again = run()
    assert (
        mast.log() == []
        and again.exit_code == 3
        and any("--retry-failed" in note for note in again.notes)
    )
    assert run(retry_failed=True).counts["read now"] == 1 and len(mast.log()) == 1


def test_verify_finds_what_was_damaged(run: Fetch, mast: StandInProcess, online: Workspace) -> None:
    run()
    damaged = final_files(online)[7]
    damaged.write_bytes(damaged.read_bytes()[:-10])
    mast.set()
    assert run().unchanged
    assert run(verify=True).counts["read now"] == 1 and len(mast.log()) == 1


def test_originals_are_kept_when_asked(run: Fetch, mast: StandInProcess, online: Workspace) -> None:
    from tests.standin.content import Content

    run(proposals=(15001,), everything=False, keep_originals=True)
    for preview in previews(online):
        kept = online.previews("hst") / "originals" / preview.image
        assert kept.read_bytes() == Content().jpeg(f"mast:HST/product/{preview.original}")
    assert len(mast.log("file")) == 5


MIXED = [
    {"on": "file", "do": "status", "status": 500, "every": 7},
    {"on": "file", "do": "status", "status": 503, "every": 9},
    {"on": "file", "do": "status", "status": 503, "headers": {"Retry-After": "0"}, "every": 11},
    {"on": "file", "do": "status", "status": 429, "every": 8},
    {"on": "_01_acs", "do": "reset", "every": 5},
    {"on": "_02_acs", "do": "short", "every": 4},
    {"on": "_03_acs", "do": "html", "every": 5},
    {"on": "_04_acs", "do": "unmeasured", "every": 4},
    {"on": "_05_acs", "do": "silent", "seconds": 1, "times": 2},
    {"on": "hst_15004_01", "do": "loris", "seconds": 0.05, "times": 1},
    {"on": "Filtered", "do": "half", "times": 1},
    {"on": "Products", "do": "executing", "times": 5},
    {"on": "Products", "do": "error", "times": 1},
]


def test_all_faults_at_once(
    run: Fetch, mast: StandInProcess, online: Workspace, clean: dict[str, bytes]
) -> None:
    mast.set(faults=MIXED)
    report = run()
    assert report.failures == () and contents(online) == clean
    met = {entry["fault"] for entry in mast.log() if "fault" in entry}
    assert met >= {
        "status",
        "reset",
        "short",
        "html",
        "unmeasured",
        "silent",
        "loris",
        "half",
        "executing",
        "error",
    }


def test_a_cap_on_rows_loses_nothing(
    run: Fetch,
    mast: StandInProcess,
    online: Workspace,
    clean: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from paperclip_cli.archives.mast.archive import Terms

    monkeypatch.setattr(opening, "Terms", lambda *flags: Terms(*flags, page_size=60))
    mast.set(cap=60, page_size=60)
    assert run().failures == () and contents(online) == clean
    assert len(mast.log("Filtered")) > 3


def test_a_proposal_that_stays_cut_is_a_failure_and_the_others_arrive(
    run: Fetch, mast: StandInProcess, online: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The product list of one observation has the archive's maximal length, so it may be cut."""
    from paperclip_cli.archives.mast.archive import Terms

    run(proposals=(15001, 15002), everything=False)
    obsid = json.loads(mast.log("Products")[0]["what"].split(" ", 2)[2])["obsid"].split(",")[0]
    row = {
        "obsID": int(obsid),
        "parent_obsid": obsid,
        "obs_collection": "HST",
        "obs_id": "x",
        "description": "",
        "productType": "SCIENCE",
        "dataURI": "mast:HST/product/x.fits",
        "productFilename": "x.fits",
        "size": 5,
    }
    monkeypatch.setattr(opening, "Terms", lambda *flags: Terms(*flags, page_size=50))
    mast.set(products={obsid: [row] * 43}, cap=50)
    report = run(proposals=(15001, 15002), everything=False, refresh=True)
    assert [(failure.item, failure.reason) for failure in report.failures] == [
        ("hst:15001", "the archive cut its list at 50 rows")
    ]
    assert report.counts["images"] == 5 and len(previews(online)) == 10, (
        "what was held of the other stays"
    )


HOSTILE = [
    "../../../evil.jpg",
    "/tmp/evil.jpg",
    "hst_15001_01_acs_wfc_total_j00101_drc.jpg\0.png",
    "..",
    "hst_15001_99_acs_wfc_total_../..x_drc.jpg",
]


def test_hostile_names_lead_nowhere(
    run: Fetch, mast: StandInProcess, online: Workspace, tmp_path: Path
) -> None:
    run(dry_run=True)
    obsid = mast.log("Products")[0]["what"].split('"obsid": "')[1].split(",")[0]
    rows = [
        {
            "obsID": int(obsid),
            "parent_obsid": obsid,
            "obs_collection": "HST",
            "obs_id": "x",
            "productType": "PREVIEW",
            "dataURI": f"mast:HST/product/{name}",
            "productFilename": name,
            "size": -5,
        }
        for name in HOSTILE
    ]
    mast.set(products={obsid: rows})
    report = run(proposals=(15000,), everything=False, refresh=True)
    assert report.counts["images"] == 5 and not any(
        "evil" in entry["what"] for entry in mast.log("file")
    )
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"cache"}
    assert {path.parent.name for path in final_files(online)} == {"proposal_15000"}


def test_bodies_without_end_cost_one_preview(run: Fetch, mast: StandInProcess) -> None:
    mast.set(
        faults=[
            {"on": "hst_15001_01", "do": "huge"},
            {"on": "hst_15001_02", "do": "redirect", "to": ""},
        ]
    )
    report = run(proposals=(15001, 15002), everything=False)
    assert sorted(failure.reason for failure in report.failures) == [
        "the preview is larger than 256 MiB",
        "too many redirects",
    ]
    assert report.counts["images"] == 10


def test_an_archive_that_is_down_is_not_asked_for_ever(
    run: Fetch, mast: StandInProcess, online: Workspace
) -> None:
    run(dry_run=True)
    mast.set(faults=[{"on": "file", "do": "status", "status": 503}])
    with pytest.raises(PaperclipError, match="MAST stopped answering: HTTP 503"):
        run()
    assert len(mast.log()) <= QUICK.patience.tries * (5 + 4)
    mast.set()
    report = run()
    assert report.counts["images"] == PREVIEWS and report.failures == (), (
        "what may have passed is tried again without being asked"
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "status", "status": 503},
        {"do": "status", "status": 403},
        {"do": "half"},
        {"do": "silent", "seconds": 1},
    ],
)
def test_an_archive_that_answers_no_question_is_one_clear_error(
    run: Fetch, mast: StandInProcess, fault: dict
) -> None:
    mast.set(faults=[{"on": "Filtered", **fault}])
    with pytest.raises(PaperclipError, match="MAST") as caught:
        run(proposals=(15001, 15002), everything=False)
    assert "again later" in (caught.value.hint or "")
    with pytest.raises(PaperclipError, match="MAST's search around the position failed"):
        run(near=(13.0, -19.5), everything=False)
    assert len(mast.log("Filtered")) < 100


def test_every_second_request_refused(
    run: Fetch,
    mast: StandInProcess,
    online: Workspace,
    clean: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everything arrives nevertheless, and never faster than the rate allows."""
    patient = replace(QUICK, patience=replace(QUICK.patience, tries=Limits().patience.tries))
    monkeypatch.setattr(opening, "Limits", lambda read: patient)
    paces: list[WatchedPace] = []
    monkeypatch.setattr(
        opening, "Pace", lambda *given: paces.append(WatchedPace(*given)) or paces[-1]
    )
    mast.set(faults=[{"on": "", "do": "status", "status": 503, "every": 2}])
    assert run(rate=20).failures == () and contents(online) == clean
    (pace,) = paces
    assert len(mast.log()) == len(pace.turns) >= 2 * PREVIEWS, "every request has a turn of its own"
    for width in (1.0, 3.0):
        assert pace.most_within(width) <= 20 * width


def test_shards_share_the_work(
    processes: Zygote, mast: StandInProcess, online: Workspace, clean: dict[str, bytes]
) -> None:
    catalogue = mast.url + "/abstracts.cat"
    numbers = [{key for key in range(20_000) if in_shard(("hst", key), (i, 4))} for i in range(4)]  # type: ignore[arg-type]
    assert (
        set().union(*numbers) == set(range(20_000))
        and sum(map(len, numbers)) == 20_000
        and min(map(len, numbers)) > 4_500
    )
    seen: list[set[str]] = []
    for i in range(3):
        mast.set()
        assert (
            processes.run(
                "--cache-dir",
                online.root,
                "fetch",
                "--all",
                "--rate",
                0,
                "--catalog",
                catalogue,
                "--shard",
                f"{i}/3",
            )
            == 0
        )
        seen.append({entry["what"] for entry in mast.log("file")})
    assert len(set().union(*seen)) == PREVIEWS == sum(map(len, seen)) and contents(online) == clean
    mast.set()
    assert processes.run("--cache-dir", online.root, "fetch", "--all", "--catalog", catalogue) == 0
    assert mast.log() == [] and contents(online) == clean
    assert not list(online.previews("hst").glob("ledger-*"))


def test_shards_at_the_same_time(
    run: Fetch, mast: StandInProcess, online: Workspace, clean: dict[str, bytes]
) -> None:
    import threading

    mast.set(latency=0.01)
    reports: list[Report] = []
    threads = [
        threading.Thread(target=lambda i=i: reports.append(run(shard=(i, 3)))) for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (
        sum(report.counts["images"] for report in reports) == PREVIEWS and contents(online) == clean
    )
    assert run().unchanged


def lines_in(ledger: Path) -> int:
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def until(has_come: Callable[[], bool], job: Run) -> None:
    """Waits until then, or until the command has ended."""
    while not has_come() and job.is_running():
        time.sleep(0.002)


def test_killed_at_twenty_moments(processes: Zygote, mast: StandInProcess, tmp_path: Path) -> None:
    """After twenty SIGKILLs the final set of files is the same.

    No partial file ever has a final name, and no logged file is requested again.
    """
    options = (
        "fetch",
        "--proposal",
        "15001,15002,15003,15004,15005",
        "--rate",
        0,
        "--catalog",
        mast.url + "/abstracts.cat",
    )

    def start(workspace: Workspace, stuck: str | None) -> Run:
        mast.set(
            latency=0.005, faults=[{"on": stuck, "do": "silent", "seconds": 600}] if stuck else []
        )
        return processes.start("--cache-dir", workspace.root, *options)

    assert start(Workspace(tmp_path / "0"), None).wait() == 0
    clean, requests, moments = (
        contents(Workspace(tmp_path / "0")),
        len(mast.log()),
        np.random.default_rng(5),
    )
    names = sorted(
        entry.name for entry in read_ledger(Workspace(tmp_path / "0").previews("hst")).values()
    )
    kills, finished, workspace = 0, 0, Workspace(tmp_path / "1")
    while kills < 20 or not finished:
        ledger = workspace.previews("hst") / LEDGER
        before = {entry.name for entry in read_ledger(workspace.previews("hst")).values()}
        left = [name for name in names if name not in before]
        # Every other kill is in the middle of the downloads: one image never arrives, and one to
        # four others have.
        stuck = str(moments.choice(left)) if kills % 2 and kills < 20 and len(left) > 4 else None
        job = start(workspace, stuck)
        if stuck is not None:
            wanted = lines_in(ledger) + int(moments.integers(1, 5))
            until(lambda: lines_in(ledger) >= wanted, job)  # noqa: B023
        elif kills < 20:
            asked = int(moments.integers(0, requests))
            until(lambda: len(mast.log()) >= asked, job)  # noqa: B023
        if kills < 20:
            time.sleep(moments.uniform(0, 0.01))
            job.kill()
        code = job.wait()
        assert code in (0, -signal.SIGKILL)
        assert not {entry["what"].rpartition("/")[2] for entry in mast.log("file")} & before
        for path in final_files(workspace):
            with Image.open(path) as image:
                image.load()
        held = {entry.name for entry in read_ledger(workspace.previews("hst")).values()}
        assert stuck is None or (code == -signal.SIGKILL and before < held and stuck not in held)
        kills += code == -signal.SIGKILL
        if code == 0:
            finished += 1
            assert contents(workspace) == clean and {
                path.name[0] for path in workspace.previews("hst").glob("proposal_*/*")
            } == {"h"}
            workspace = Workspace(tmp_path / f"{finished + 1}")


def test_an_interrupt_does_not_wait_for_a_silent_archive(
    processes: Zygote, mast: StandInProcess, online: Workspace
) -> None:
    catalogue = mast.url + "/abstracts.cat"
    assert (
        processes.run(
            "--cache-dir", online.root, "fetch", "--all", "--catalog", catalogue, "--dry-run"
        )
        == 0
    )
    mast.set(faults=[{"on": "_03_acs", "do": "silent", "seconds": 600}])
    job = processes.start(
        "--cache-dir", online.root, "fetch", "--all", "--rate", 0, "--catalog", catalogue
    )

    def silent() -> list[dict]:
        return [entry for entry in mast.log("file") if "fault" in entry]

    until(lambda: len(silent()) >= 2, job)
    job.kill(signal.SIGINT)
    assert job.wait() == 130 and not any(entry["over"] for entry in silent()), (
        "the archive is silent still"
    )
    held = len(read_ledger(online.previews("hst")))
    mast.set()
    assert (
        processes.run(
            "--cache-dir", online.root, "fetch", "--all", "--rate", 0, "--catalog", catalogue
        )
        == 0
    )
    assert len(mast.log("file")) == PREVIEWS - held


def test_a_full_disk_ends_the_run_and_loses_nothing(
    run: Fetch,
    mast: StandInProcess,
    online: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    clean: dict[str, bytes],
) -> None:
    written, real = [], fetch.replace_file

    def full(path: Path, data: bytes, flush_parent: bool) -> None:
        if len(written) >= 10:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        real(path, data, flush_parent)

    monkeypatch.setattr(fetch, "replace_file", full)
    with pytest.raises(OSError, match="No space left on device"):
        run()
    monkeypatch.undo()
    assert (
        len(read_ledger(online.previews("hst"))) in range(7, 11) and len(final_files(online)) == 10
    )


def test_a_total_is_found_by_the_filters_of_its_visit(
    run: Fetch, online: Workspace, tiny_model: Path
) -> None:
    """Its own row in the archive has the filter `detection`."""
    from paperclip_cli.config import IndexConfig, QueryConfig
    from paperclip_cli.stages import index, query

    run(proposals=(15001,), everything=False)
    offline = Workspace(online.root, offline=True)
    index.run(IndexConfig(model=str(tiny_model)), offline)

    def hits(name: str) -> list[Hit]:
        config = QueryConfig(texts=("galaxies",), filters=(name,), collapse="none")
        return [hit for answer in query.run(config, offline) for hit in answer.hits]

    found = {name: hits(name) for name in ("F814W", "F435W")}
    assert (
        len(found["F814W"]) == 5
        and found["F435W"] == []
        and found["F814W"][0].product_uri is not None
    )


def test_answers_survive_a_torn_line(run: Fetch, mast: StandInProcess, online: Workspace) -> None:
    run(proposals=(15001, 15002), everything=False)
    path = online.previews("hst") / "listings.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert all("asked" in json.loads(line) for line in lines)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    mast.set()
    assert run(proposals=(15001, 15002), everything=False).unchanged
    assert (
        len(mast.log("Filtered")) == 1
        and "15002" in mast.log("Filtered")[0]["what"]
        and "15001" not in mast.log("Filtered")[0]["what"]
    )
    mast.set()
    assert run(proposals=(15001, 15002), everything=False).unchanged and mast.log() == []
