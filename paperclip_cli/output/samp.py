"""Tables sent to TOPCAT, Aladin or DS9 on the same computer, over a SAMP hub.

SAMP is the messaging protocol of the Virtual Observatory.
"""

from __future__ import annotations

from pathlib import Path

from paperclip_cli.errors import PaperclipError

_LOAD = "table.load.votable"
_TIMEOUT = 60  # seconds for a program to load the table


def send_table(path: Path, title: str) -> tuple[str, ...]:
    """Has every program on the hub that takes tables load a VOTable, and returns their names.

    The file must stay in place: a program may report a table as loaded and read it later.

    Raises:
        PaperclipError: no hub is running, no program on it takes tables, or one cannot load it.
    """
    from pyvo.samp import SAMPIntegratedClient, conf
    from pyvo.samp.errors import SAMPHubError, SAMPProxyError

    with conf.set_temp("use_internet", False):
        client = SAMPIntegratedClient("paperclip", "Search telescope archives in plain language")
        try:
            client.connect()
        except SAMPHubError as error:
            raise PaperclipError(
                "no SAMP hub is running", "start TOPCAT or Aladin, then ask again"
            ) from error
        try:
            takers = sorted(client.get_subscribed_clients(_LOAD))
            if not takers:
                raise PaperclipError(
                    "no program on the SAMP hub takes tables",
                    "start TOPCAT or Aladin, then ask again",
                )
            return tuple(_send(client, taker, path, title) for taker in takers)
        except SAMPProxyError as error:
            raise PaperclipError(
                f"the SAMP hub does not answer: {error}", "start TOPCAT or Aladin again"
            ) from error
        finally:
            client.disconnect()


def _send(client, taker: str, path: Path, title: str) -> str:  # type: ignore[no-untyped-def]
    name = str(client.get_metadata(taker).get("samp.name", taker))
    message = {
        "samp.mtype": _LOAD,
        "samp.params": {"url": path.as_uri(), "name": title, "table-id": path.name},
    }
    answer = client.call_and_wait(taker, message, str(_TIMEOUT))
    if answer.get("samp.status") != "samp.ok":
        reason = answer.get("samp.error", {}).get("samp.errortxt", "it does not say why")
        raise PaperclipError(
            f"{name} could not load the table: {reason}", "see what it says itself"
        )
    return name
