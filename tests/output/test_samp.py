"""Tables sent over a real SAMP hub to a program that reads them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from astropy.table import Table
from pyvo.samp import SAMPHubServer, SAMPIntegratedClient, conf

from paperclip_cli.errors import PaperclipError
from paperclip_cli.output.samp import send
from paperclip_cli.output.votable import votable
from tests.output.test_hits import FULL


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SAMPHubServer]:
    """A private hub on loopback, which no other program finds."""
    lockfile = tmp_path / "samp"
    monkeypatch.setenv("SAMP_HUB", lockfile.as_uri().replace("file:", "std-lockurl:file:"))
    with conf.set_temp("use_internet", False):
        server = SAMPHubServer(web_profile=False, lockfile=str(lockfile), addr="127.0.0.1")
        server.start()
        yield server
        server.stop()


class Taker:
    """A program that loads what it is asked to, or reports that it cannot."""

    def __init__(self, name: str, refuses: bool = False, mtype: str = "table.load.votable") -> None:
        self.loaded: list[dict[str, str]] = []
        self.refuses = refuses
        self.client = SAMPIntegratedClient(name, addr="127.0.0.1")
        self.client.connect()
        self.client.bind_receive_call(mtype, self.load)

    def load(
        self,
        private_key: str,
        sender: str,
        identity: str,
        mtype: str,
        parameters: dict,
        extra: dict,
    ) -> None:
        self.loaded.append(parameters)
        answer = {
            "samp.status": "samp.error",
            "samp.result": {},
            "samp.error": {"samp.errortxt": "no room"},
        }
        self.client.reply(
            identity, answer if self.refuses else {"samp.status": "samp.ok", "samp.result": {}}
        )


@contextmanager
def running(*takers: Taker) -> Iterator[None]:
    try:
        yield
    finally:
        for taker in takers:
            taker.client.disconnect()


def path_of(parameters: dict[str, str]) -> Path:
    return Path(unquote(parameters["url"].removeprefix("file://")))


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


TABLE = votable([FULL], {"query": "galaxy mergers"})


def test_every_program_that_takes_tables_gets_it(hub: SAMPHubServer) -> None:
    takers = [Taker("topcat"), Taker("aladin")]
    with running(*takers):
        assert sorted(send(TABLE, "hits")) == ["aladin", "topcat"]
    for taker in takers:
        (loaded,) = taker.loaded
        read = Table.read(path_of(loaded), format="votable")
        assert loaded["name"] == "hits" and read["proposal_id"][0] == 15354
        assert str(read["s_ra"].unit) == "deg"


def test_a_second_table_leaves_the_first_alone(hub: SAMPHubServer) -> None:
    """A program that reads late finds each as it was sent, and replaces none by another."""
    other = votable([replace(FULL, proposal_id=7)], {"query": "dust"})
    topcat = Taker("topcat")
    with running(topcat):
        for table in (TABLE, other, TABLE):
            send(table, "hits")
    assert len({loaded["table-id"] for loaded in topcat.loaded}) == 3
    read = [Table.read(path_of(loaded), format="votable") for loaded in topcat.loaded]
    assert [table["proposal_id"][0] for table in read] == [15354, 7, 15354]


def test_fits_hits_go_as_images_to_programs_that_take_them(
    hub: SAMPHubServer, tmp_path: Path
) -> None:
    images = [tmp_path / "a 1.fits", tmp_path / "b.jpg", tmp_path / "c.FIT.gz"]
    topcat, ds9 = Taker("topcat"), Taker("DS9", mtype="image.load.fits")
    with running(topcat, ds9):
        assert send(TABLE, "hits", images) == ("topcat", "DS9")
    assert [path_of(loaded) for loaded in ds9.loaded] == [images[0], images[2]]
    assert len(topcat.loaded) == 1
    alone = Taker("DS9", mtype="image.load.fits")
    with running(alone):
        assert send(TABLE, "hits", images[:1]) == ("DS9",)
        with pytest.raises(PaperclipError, match="no program on the SAMP hub takes tables"):
            send(TABLE, "hits", images[1:2])


def test_a_program_that_fails_is_named(hub: SAMPHubServer) -> None:
    with pytest.raises(PaperclipError, match="no program on the SAMP hub takes tables"):
        send(TABLE, "hits")
    taker = Taker("topcat", refuses=True)
    with (
        running(taker),
        pytest.raises(PaperclipError, match="topcat could not load the table: no room"),
    ):
        send(TABLE, "hits")


def test_without_a_hub_it_is_said_what_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "SAMP_HUB", (tmp_path / "none").as_uri().replace("file:", "std-lockurl:file:")
    )
    with pytest.raises(PaperclipError, match="no SAMP hub is running") as error:
        send(TABLE, "hits")
    assert error.value.hint == "start TOPCAT, Aladin or DS9, then ask again"
