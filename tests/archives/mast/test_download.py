"""Downloads through every fault that a server is known to have, or could have."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from paperclip_cli.archives.mast.download import Downloader
from paperclip_cli.archives.mast.http import Limits, Wire
from paperclip_cli.errors import BadItem, Unreachable
from paperclip_cli.http.retry import Pace, TooSlow
from tests.standin.clock import WatchedPace
from tests.standin.content import Content, fits
from tests.standin.limits import QUICK
from tests.standin.process import StandInProcess, standin

URI = "mast:HST/product/hst_15000_01_acs_wfc_total_j00001_drc.jpg"
PICTURE = Content().jpeg(URI)
SCIENCE = "mast:HST/product/hst_15000_01_acs_wfc_total_j00001_drc.fits"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[StandInProcess]:
    """Another host in the eyes of a client, since its name is localhost and not 127.0.0.1."""
    with standin(hst=1, jwst=0) as process:
        process.named = process.url.replace("127.0.0.1", "localhost")  # type: ignore[attr-defined]
        yield process


def downloader(mast: StandInProcess, limits: Limits = QUICK) -> Downloader:
    return Downloader(Wire(mast.url, Pace(0), limits))


def test_a_preview_and_a_science_file(mast: StandInProcess, tmp_path: Path) -> None:
    assert downloader(mast).preview(URI) == PICTURE

    seen: list[int] = []
    path = tmp_path / "new" / "x.fits"
    assert downloader(mast).file(SCIENCE, path, seen.append) == 5760 == sum(seen)
    assert path.read_bytes() == fits(SCIENCE)

    methods = [entry["method"] for entry in mast.log("file")]
    assert methods == ["GET", "GET"], "no HEAD: one request for each file"


FAULTS = [
    {"do": "status", "status": 500},
    {"do": "status", "status": 503, "headers": {"Retry-After": "0"}},
    {"do": "status", "status": 429},
    {"do": "reset"},
    {"do": "short"},
    {"do": "unmeasured"},
    {"do": "html"},
    {"do": "silent", "seconds": 1},
    {"do": "loris", "seconds": 0.05},
]


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault['do']}{fault.get('status', '')}"
)
def test_faults_that_pass_are_survived(mast: StandInProcess, tmp_path: Path, fault: dict) -> None:
    mast.set(faults=[{"on": "file", "times": 2, **fault}])
    assert downloader(mast).preview(URI) == PICTURE

    mast.set(faults=[{"on": "file", "times": 2, **fault}])
    path = tmp_path / "x.fits"
    downloader(mast).file(SCIENCE, path)
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == fits(SCIENCE)


@pytest.mark.parametrize(
    "fault, kind",
    [(fault, TooSlow if fault["do"] in ("silent", "loris") else Unreachable) for fault in FAULTS],
    ids=lambda value: value["do"] if isinstance(value, dict) else "",
)
def test_faults_that_last_leave_nothing_behind(
    mast: StandInProcess, tmp_path: Path, fault: dict, kind: type[Exception]
) -> None:
    mast.set(faults=[{"on": "file", **fault}])
    with pytest.raises(kind):
        downloader(mast).preview(URI)
    with pytest.raises(kind):
        downloader(mast).file(SCIENCE, tmp_path / "x.fits")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "status, words",
    [
        (404, "not found"),
        (403, "MAST_API_TOKEN"),
        (401, "MAST_API_TOKEN"),
        (400, "HTTP 400"),
        (410, "withdrawn"),
    ],
)
def test_what_will_not_pass_is_asked_once(mast: StandInProcess, status: int, words: str) -> None:
    mast.set(faults=[{"on": "file", "do": "status", "status": status}])
    with pytest.raises(BadItem, match=words):
        downloader(mast).preview(URI)
    assert len(mast.log("file")) == 1


def test_a_slow_body_that_keeps_coming_is_waited_for_to_its_deadline(mast: StandInProcess) -> None:
    """A byte every 20 ms never trips the read time-out, but the deadline for the whole body."""
    mast.set(faults=[{"on": "file", "do": "loris", "seconds": 0.02}])
    with pytest.raises(TooSlow, match="too slowly"):
        downloader(mast, replace(QUICK, total=0.5)).preview(URI)
    assert [entry["sent"] < len(PICTURE) for entry in mast.log("file")] == [True] * 3, (
        "nobody waited for the rest"
    )


def test_sizes_are_checked_before_memory_is_taken(mast: StandInProcess) -> None:
    mast.set(faults=[{"on": "file", "do": "huge"}])
    with pytest.raises(BadItem, match="the preview is larger than 256 MiB"):
        downloader(mast).preview(URI)

    mast.set(faults=[{"on": "file", "do": "endless"}])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadItem, match="the preview is larger than 256 MiB"):
        downloader(mast, replace(QUICK, total=60)).preview(URI)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 900_000, "kB"


def test_retry_after_is_obeyed_by_all_threads(mast: StandInProcess) -> None:
    busy = {"on": "file", "do": "status", "status": 503, "headers": {"Retry-After": "1"}}
    mast.set(faults=[{**busy, "times": 1}])
    pace = WatchedPace(0)
    ours = Downloader(Wire(mast.url, pace, QUICK))
    assert ours.preview(URI) and len(mast.log("file")) == 2
    first, second = pace.turns
    assert second - first >= 1

    mast.set(faults=[{**busy, "status": 429, "headers": {"Retry-After": "3600"}}])
    with pytest.raises(Unreachable, match="retry after 3600 s"):
        ours.preview(URI)
    assert len(mast.log("file")) == 1


def test_the_token_goes_to_mast_and_nowhere_else(
    mast: StandInProcess, elsewhere: StandInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAST_API_TOKEN", "secret")
    elsewhere.set()
    mast.set(faults=[{"on": "file", "do": "redirect", "to": elsewhere.named}])  # type: ignore[attr-defined]
    assert downloader(mast).preview(URI) == PICTURE
    assert mast.log("file")[0]["cookie"] == "mast_token=secret"
    (redirected,) = elsewhere.log("file")
    assert redirected["cookie"] == "" and redirected["host"].startswith("localhost")


def test_redirects_end(mast: StandInProcess) -> None:
    mast.set(faults=[{"on": "file", "do": "redirect", "to": ""}])
    with pytest.raises(BadItem, match="too many redirects"):
        downloader(mast).preview(URI)
    assert len(mast.log("file")) == 6


def test_a_redirect_to_another_scheme_is_not_followed(mast: StandInProcess) -> None:
    mast.set(faults=[{"on": "file", "do": "redirect", "to": "file:///etc/passwd?"}])
    with pytest.raises(BadItem):
        downloader(mast).preview(URI)


def test_a_redirect_never_drops_encryption() -> None:
    import requests

    from paperclip_cli.archives.mast.http import _refuse_downgrade

    reply = requests.Response()
    reply.status_code, reply.url = 302, "https://mast.stsci.edu/api"
    reply.headers["Location"] = "http://mast.stsci.edu/api"
    with pytest.raises(BadItem, match="without encryption"):
        _refuse_downgrade(reply)
    reply.headers["Location"] = "/elsewhere"
    _refuse_downgrade(reply)


def test_proxies_of_the_environment_are_used(
    elsewhere: StandInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.set()
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("http_proxy", elsewhere.url)
    ours = Downloader(Wire("http://mast.invalid", Pace(0), QUICK))
    assert ours.preview(URI) == PICTURE
    assert elsewhere.log("file")[0]["host"] == "mast.invalid"


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ours = Downloader(Wire(f"http://127.0.0.1:{taken.getsockname()[1]}", Pace(0), QUICK))
        with pytest.raises(Unreachable, match=r"connection refused \(3 tries\)"):
            ours.preview(URI)


def test_the_rate_holds_over_retries_and_redirects(mast: StandInProcess, tmp_path: Path) -> None:
    mast.set(
        faults=[
            {"on": "file", "do": "status", "status": 503, "every": 2},
            {"on": SCIENCE, "do": "redirect", "to": "", "times": 1},
        ]
    )
    pace = WatchedPace(50)
    ours = Downloader(Wire(mast.url, pace, QUICK))
    for _ in range(12):
        ours.preview(URI)
    ours.file(SCIENCE, tmp_path / "x.fits")
    assert len(mast.log("file")) == len(pace.turns) > 24, "every request has a turn of its own"
    assert pace.most_within(1) <= 50 and min(map(float.__sub__, pace.turns[1:], pace.turns)) > 0.02


def test_a_full_disk_leaves_nothing_behind(mast: StandInProcess, tmp_path: Path) -> None:
    """The system itself refuses to write more than 4,000 bytes into a file."""
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            downloader(mast).file(SCIENCE, tmp_path / "x.fits")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []
