"""A SAMP hub that no other program finds, and programs on it that take what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pyvo.samp import SAMPHubServer, SAMPIntegratedClient, conf

TABLE, IMAGE = "table.load.votable", "image.load.fits"


def address_of(lockfile: Path) -> str:
    """What SAMP_HUB holds for a hub with that lock file."""
    return f"std-lockurl:{lockfile.as_uri()}"


@contextmanager
def private_hub(lockfile: Path) -> Iterator[SAMPHubServer]:
    """A hub on loopback, found by those whose SAMP_HUB names its lock file."""
    with conf.set_temp("use_internet", False):
        server = SAMPHubServer(web_profile=False, lockfile=str(lockfile), addr="127.0.0.1")
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Taker:
    """A program that loads what it is asked to, reports that it cannot, or says nothing."""

    def __init__(
        self, name: str, *mtypes: str, answers: Literal["yes", "no", "never"] = "yes"
    ) -> None:
        self.loaded: list[dict[str, str]] = []
        self.answers = answers
        self.client = SAMPIntegratedClient(name, addr="127.0.0.1")
        self.client.connect()
        for mtype in mtypes or (TABLE,):
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
        if self.answers == "never":
            return
        refusal = {
            "samp.status": "samp.error",
            "samp.result": {},
            "samp.error": {"samp.errortxt": "no room"},
        }
        assent = {"samp.status": "samp.ok", "samp.result": {}}
        self.client.reply(identity, assent if self.answers == "yes" else refusal)


@contextmanager
def running(*takers: Taker) -> Iterator[None]:
    try:
        yield
    finally:
        for taker in takers:
            taker.client.disconnect()


def path_of(parameters: dict[str, str]) -> Path:
    return Path(unquote(parameters["url"].removeprefix("file://")))
