"""Hits sent to TOPCAT and DS9 themselves, on a display of their own."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from pyvo.samp import SAMPIntegratedClient, conf
from pyvo.samp.errors import SAMPHubError

from paperclip_cli.output import samp
from paperclip_cli.output.samp import send
from paperclip_cli.output.votable import votable
from tests.output.test_hits import FULL
from tests.samp_hub import IMAGE, TABLE, Taker, address_of, private_hub, running

_PATIENCE = 90  # seconds for a program to start on a busy machine

pytestmark = [
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # pyvo does not close its sockets
]


def until(found: Callable[[], object], what: str) -> object:
    """What `found` returns once it is true. It is asked again and again."""
    deadline = time.monotonic() + _PATIENCE
    while not (result := found()):
        assert time.monotonic() < deadline, f"{what} within {_PATIENCE} s"
        time.sleep(0.1)
    return result


@contextmanager
def started(*command: str, log: Path, **options: object) -> Iterator[subprocess.Popen]:
    """A process in a group of its own, which ends with all that it started."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # type: ignore[call-overload]
            command, start_new_session=True, stdout=output, stderr=output, **options
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A screen, a home and an address of a hub that nobody else uses. Returns the lock file."""
    home, lockfile = tmp_path / "home", tmp_path / "hub.lock"
    for folder in (home, tmp_path / "temporary"):
        folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name, value in {
        "HOME": str(home),
        "JAVA_TOOL_OPTIONS": f"-Duser.home={home}",  # Java asks the system, not HOME
        "SAMP_HUB": address_of(lockfile),
        "XPA_METHOD": "local",
        "XPA_TMPDIR": str(home),
    }.items():
        monkeypatch.setenv(name, value)
    reading, writing = os.pipe()
    screen = ("Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x900x24")
    with started(
        *screen, "-nolisten", "tcp", log=tmp_path / "xvfb.log", pass_fds=[writing]
    ) as process:
        os.close(writing)
        with os.fdopen(reading) as said:
            number = said.readline().strip()
        assert number, f"Xvfb ended with {process.poll()}"
        monkeypatch.setenv("DISPLAY", f":{number}")
        yield lockfile
    gc.collect()


def is_connected(client: SAMPIntegratedClient) -> bool:
    """A hub writes its lock file a moment before it answers."""
    try:
        client.connect()
    except SAMPHubError:
        return False
    return True


@contextmanager
def asking() -> Iterator[SAMPIntegratedClient]:
    with conf.set_temp("use_internet", False):
        client = SAMPIntegratedClient("asking", addr="127.0.0.1")
        until(lambda: is_connected(client), "a hub that answers")
        try:
            yield client
        finally:
            client.disconnect()


def subscribed(client: SAMPIntegratedClient, mtype: str) -> str:
    """The identifier of the one program that takes such messages, once it is there."""
    return str(until(lambda: [*client.get_subscribed_clients(mtype)], f"a taker of {mtype}")[0])  # type: ignore[index]


def answer(client: SAMPIntegratedClient, program: str, mtype: str, **parameters: str) -> dict:
    return samp._answer(client, program, {"samp.mtype": mtype, "samp.params": parameters})


@pytest.mark.skipif(shutil.which("topcat") is None, reason="TOPCAT is not installed")
def test_topcat_has_a_table_for_each_send(desktop: Path, tmp_path: Path) -> None:
    """It is asked to highlight a row, which it refuses beyond the last one."""
    sizes = {"galaxy mergers": 3, "Hα in 2 × dust": 1, "": 2}
    with started("topcat", "-hub", log=tmp_path / "topcat.log"):
        until(lambda: desktop.exists() and desktop.stat().st_size, "a hub")
        with asking() as client:
            topcat = subscribed(client, TABLE)
            witness = Taker("witness")  # learns by which identifiers TOPCAT knows the tables
            with running(witness):
                for title, size in sizes.items():
                    hits = [replace(FULL, rank=rank) for rank in range(1, size + 1)]
                    sent = send(votable(hits, {"query": title}), title)
                    assert sorted(sent.programs) == ["topcat", "witness"]
                    assert not sent.failures

            def highlighted(table: str, row: int) -> str:
                """The reason why it cannot show a row, empty if it can."""
                parameters = {"table-id": table, "row": str(row)}
                said = answer(client, topcat, "table.highlight.row", **parameters)
                return str(said.get("samp.error", {}).get("samp.errortxt", ""))

            tables = [loaded["table-id"] for loaded in witness.loaded]
            for table, size in zip(tables, sizes.values(), strict=True):
                # It lists a table a moment after it has reported it as loaded.
                until(lambda: "No table" not in highlighted(table, 0), f"table {table}")  # noqa: B023
                assert highlighted(table, size - 1) == ""
                assert highlighted(table, size) == f"Row index {size} out of range"


@pytest.mark.skipif(shutil.which("ds9") is None, reason="DS9 is not installed")
def test_ds9_shows_the_images_of_the_hits(desktop: Path, tmp_path: Path) -> None:
    images = [tmp_path / name for name in ("first.fits", "a second [1].fits")]
    for number, image in enumerate(images, 1):
        header = fits.Header({"OBJECT": f"M {number}"})
        fits.PrimaryHDU(np.full((8, 8), number, np.float32), header).writeto(image)
    with (
        private_hub(desktop),
        started("ds9", "-samp", "yes", log=tmp_path / "ds9.log"),
        asking() as client,
    ):
        ds9 = subscribed(client, IMAGE)
        sent = send(votable([FULL], {"query": "dust"}), "dust", images)
        assert (sent.programs, sent.failures) == (("SAOImageDS9",), ())

        def said(command: str) -> str:
            result = answer(client, ds9, "ds9.get", cmd=command)["samp.result"]
            return str(result.get("value", result))

        shown = []
        for number in (1, 2):
            answer(client, ds9, "ds9.set", cmd=f"frame {number}")
            shown.append(said("fits header keyword OBJECT").strip())
        assert sorted(shown) == ["M 1", "M 2"]
        # It leaves the hub, which would warn of a program that is gone.
        client.notify(ds9, {"samp.mtype": "ds9.set", "samp.params": {"cmd": "samp disconnect"}})
        until(lambda: not client.get_subscribed_clients(IMAGE), "DS9 leaves")
