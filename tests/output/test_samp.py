"""Tables sent over a real SAMP hub to a program that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from astropy.table import Table
from pyvo.samp import SAMPHubServer, SAMPIntegratedClient, conf

from paperclip_cli.errors import PaperclipError
from paperclip_cli.output.samp import send_table
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
    """A program that loads tables or reports that it cannot."""

    def __init__(self, name: str, refuses: bool = False) -> None:
        self.tables: list[tuple[str, Table]] = []
        self.refuses = refuses
        self.client = SAMPIntegratedClient(name, addr="127.0.0.1")
        self.client.connect()
        self.client.bind_receive_call("table.load.votable", self.load)

    def load(
        self,
        private_key: str,
        sender: str,
        identity: str,
        mtype: str,
        parameters: dict,
        extra: dict,
    ) -> None:
        self.tables.append(
            (
                parameters["name"],
                Table.read(parameters["url"].removeprefix("file://"), format="votable"),
            )
        )
        answer = {
            "samp.status": "samp.error",
            "samp.result": {},
            "samp.error": {"samp.errortxt": "no room"},
        }
        self.client.reply(
            identity, answer if self.refuses else {"samp.status": "samp.ok", "samp.result": {}}
        )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "hits.vot"
    path.write_text(votable([FULL], {"query": "galaxy mergers"}), encoding="utf-8")
    return path


def test_every_program_that_takes_tables_gets_it(hub: SAMPHubServer, table: Path) -> None:
    takers = [Taker("topcat"), Taker("aladin")]
    try:
        assert sorted(send_table(table, "hits")) == ["aladin", "topcat"]
        for taker in takers:
            ((name, read),) = taker.tables
            assert name == "hits" and read["proposal_id"][0] == 15354
            assert str(read["s_ra"].unit) == "deg"
    finally:
        for taker in takers:
            taker.client.disconnect()


def test_a_program_that_fails_is_named(hub: SAMPHubServer, table: Path) -> None:
    with pytest.raises(PaperclipError, match="no program on the SAMP hub takes tables"):
        send_table(table, "hits")
    taker = Taker("topcat", refuses=True)
    try:
        with pytest.raises(PaperclipError, match="topcat could not load the table: no room"):
            send_table(table, "hits")
    finally:
        taker.client.disconnect()


def test_without_a_hub_it_is_said_what_to_start(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "SAMP_HUB", (tmp_path / "none").as_uri().replace("file:", "std-lockurl:file:")
    )
    with pytest.raises(PaperclipError, match="no SAMP hub is running") as error:
        send_table(table, "hits")
    assert error.value.hint == "start TOPCAT or Aladin, then ask again"
