"""Hits sent to TOPCAT, Aladin or DS9 on the same computer, over a SAMP hub.

SAMP is the messaging protocol of the Virtual Observatory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import replace_file
from paperclip_cli.images.find import is_fits_name

_TABLE, _IMAGE = "table.load.votable", "image.load.fits"
_TIMEOUT = 60  # seconds for a program to load what it gets
_START = "start TOPCAT, Aladin or DS9, then ask again"


@dataclass(frozen=True)
class _Message:
    """Something for a program to load: its type, its parameters, and what it is for the user."""

    mtype: str
    params: dict[str, str]
    what: str


def send(table: str, title: str, images: Sequence[Path] = ()) -> tuple[str, ...]:
    """Has every program on the hub load a VOTable, or those of the `images` that are FITS files.

    Returns the programs' names. Each call has a file and an identifier of its own, because programs
    may read a table long after they report it as loaded, and replace one of the same identifier.
    The file is left to the system's folder for temporary files.

    Raises:
        PaperclipError: no hub is running, no program on it takes either, or one cannot load it.
    """
    from pyvo.samp import SAMPIntegratedClient, conf
    from pyvo.samp.errors import SAMPHubError, SAMPProxyError

    messages = [
        *_table_messages(table, title),
        *map(_image_message, (path for path in images if is_fits_name(path.name))),
    ]
    with conf.set_temp("use_internet", False):
        client = SAMPIntegratedClient("paperclip", "Search telescope archives in plain language")
        try:
            client.connect()
        except SAMPHubError as error:
            raise PaperclipError("no SAMP hub is running", _START) from error
        try:
            takers = [
                (taker, message)
                for message in messages
                for taker in sorted(client.get_subscribed_clients(message.mtype))
            ]
            if not takers:
                kinds = "tables" if len(messages) == 1 else "tables or FITS images"
                raise PaperclipError(f"no program on the SAMP hub takes {kinds}", _START)
            names = [_send(client, taker, message) for taker, message in takers]
            return tuple(dict.fromkeys(names))
        except SAMPProxyError as error:
            raise PaperclipError(
                f"the SAMP hub does not answer: {error}", "start TOPCAT or Aladin again"
            ) from error
        finally:
            client.disconnect()


def _table_messages(table: str, title: str) -> list[_Message]:
    path = Path(tempfile.mkdtemp(prefix="paperclip-samp-")) / "hits.vot"
    replace_file(path, table)
    params = {"url": path.as_uri(), "name": title, "table-id": path.parent.name}
    return [_Message(_TABLE, params, "the table")]


def _image_message(path: Path) -> _Message:
    path = path.absolute()
    params = {"url": path.as_uri(), "name": path.name, "image-id": path.as_uri()}
    return _Message(_IMAGE, params, path.name)


def _send(client, taker: str, message: _Message) -> str:  # type: ignore[no-untyped-def]
    name = str(client.get_metadata(taker).get("samp.name", taker))
    content = {"samp.mtype": message.mtype, "samp.params": message.params}
    answer = client.call_and_wait(taker, content, str(_TIMEOUT))
    if answer.get("samp.status") != "samp.ok":
        reason = answer.get("samp.error", {}).get("samp.errortxt", "it does not say why")
        raise PaperclipError(
            f"{name} could not load {message.what}: {reason}", "see what it says itself"
        )
    return name
