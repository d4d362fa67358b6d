"""Hits sent to TOPCAT, Aladin or DS9 on the same computer, over a SAMP hub.

SAMP is the messaging protocol of the Virtual Observatory.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from paperclip_cli.errors import BadItem, PaperclipError, Unreachable
from paperclip_cli.files import replace_file
from paperclip_cli.images.find import is_fits_name
from paperclip_cli.output.console import printable
from paperclip_cli.report import Failure

_TABLE, _IMAGE = "table.load.votable", "image.load.fits"
_TIMEOUT = 60  # seconds for a program to load what it gets
_START = "start TOPCAT, Aladin or DS9, then ask again"
_LIKE = str.maketrans("×·‐–—−‘’“”", "x.----''\"\"")  # signs that stand in queries, and their like


@dataclass(frozen=True)
class Sent:
    """The names of the programs that took what was sent, and what others did not take."""

    programs: tuple[str, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class _Message:
    """Something for a program to load: its type, its parameters, and what it is for the user."""

    mtype: str
    params: dict[str, str]
    what: str


def send(table: str, title: str, images: Sequence[Path] = ()) -> Sent:
    """Has every program on the hub load a VOTable, or those of the `images` that are FITS files.

    Each call has a folder and an identifier of its own, because programs may read a table long
    after they report it as loaded, and replace one of the same identifier. The folder is left to
    the system's folder for temporary files. What one program does not take, the others still get: a
    hub still lists a program that was killed.

    Raises:
        PaperclipError: no hub is running, no program on it takes either, or none can load it.
    """
    from pyvo.samp import SAMPIntegratedClient, conf
    from pyvo.samp.errors import SAMPHubError, SAMPProxyError

    with conf.set_temp("use_internet", False):
        client = SAMPIntegratedClient("paperclip", "Search telescope archives in plain language")
        try:
            client.connect()
        except SAMPHubError as error:
            raise PaperclipError("no SAMP hub is running", _START) from error
        try:
            messages = _messages(table, title, images)
            takers = [
                (taker, message)
                for message in messages
                for taker in sorted(client.get_subscribed_clients(message.mtype))
            ]
            if not takers:
                kinds = "tables" if len(messages) == 1 else "tables or FITS images"
                raise PaperclipError(f"no program on the SAMP hub takes {kinds}", _START)
            return _send_all(client, takers)
        except SAMPProxyError as error:
            raise PaperclipError(
                f"the SAMP hub does not answer: {error.faultString}", "start TOPCAT or Aladin again"
            ) from error
        finally:
            client.disconnect()


def _messages(table: str, title: str, images: Sequence[Path]) -> list[_Message]:
    folder = Path(tempfile.mkdtemp(prefix="paperclip-samp-"))
    fits = [path for path in images if is_fits_name(path.name)]
    return [
        _table_message(table, title, folder),
        *(_image_message(path, number, folder) for number, path in enumerate(fits, 1)),
    ]


def _table_message(table: str, title: str, folder: Path) -> _Message:
    path = folder / "hits.vot"
    replace_file(path, table)
    params = {"url": path.as_uri(), "name": _ascii(title) or "hits", "table-id": folder.name}
    return _Message(_TABLE, params, "the table")


def _image_message(path: Path, number: int, folder: Path) -> _Message:
    params = {
        "url": _plain(path.absolute(), number, folder).as_uri(),
        "name": _ascii(path.name),
        "image-id": path.absolute().as_uri(),
    }
    return _Message(_IMAGE, params, path.name)


def _plain(path: Path, number: int, folder: Path) -> Path:
    """A path whose URL escapes nothing: the file's own, or else that of a link to it.

    DS9 does not undo escapes, and opens an empty frame without a word.
    """
    if "%" not in path.as_uri():
        return path
    link = folder / f"{number}_{re.sub('[^A-Za-z0-9_.-]', '_', path.name)}"
    link.symlink_to(path)
    return link


def _ascii(text: str) -> str:
    """`text` in the signs that SAMP allows, as TOPCAT's hub demands: `Hα 2 × é` is `H? 2 x e`."""
    parts = unicodedata.normalize("NFKD", printable(text).translate(_LIKE))
    bare = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return bare.encode("ascii", "replace").decode()


def _send_all(client, takers: Sequence[tuple[str, _Message]]) -> Sent:  # type: ignore[no-untyped-def]
    programs: dict[str, None] = {}
    failures: list[Failure] = []
    silent: set[str] = set()  # programs that get nothing more, because each wait takes its time
    for taker, message in takers:
        if taker in silent:
            continue
        name = printable(str(client.get_metadata(taker).get("samp.name", taker)))
        try:
            _send(client, taker, message)
            programs[name] = None
        except Unreachable as error:
            silent.add(taker)
            failures.append(Failure(name, str(error)))
        except BadItem as error:
            failures.append(Failure(name, str(error)))
    if not programs:
        first = failures[0]
        raise PaperclipError(f"{first.item} {first.reason}", "see what it says itself")
    return Sent(tuple(programs), tuple(failures))


def _send(client, taker: str, message: _Message) -> None:  # type: ignore[no-untyped-def]
    """Has a program load something.

    Raises:
        Unreachable: it does not answer.
        BadItem: it cannot load it.
    """
    said = _answer(client, taker, {"samp.mtype": message.mtype, "samp.params": message.params})
    if said.get("samp.status") != "samp.ok":
        reason = said.get("samp.error", {}).get("samp.errortxt", "it does not say why")
        raise BadItem(f"could not load {message.what}: {printable(reason)}")


def _answer(client, taker: str, content: dict) -> dict:  # type: ignore[no-untyped-def]
    """What a program answers to a message.

    The hub calls back with it. It is not asked to wait (`call_and_wait`), because the hub of
    astropy and pyvo loses the answer of a program that is quicker than itself.

    Raises:
        Unreachable: it does not answer.
    """
    from pyvo.samp.errors import SAMPProxyError

    answers: SimpleQueue[dict] = SimpleQueue()
    tag = uuid.uuid4().hex
    client.bind_receive_response(tag, lambda _key, _from, _tag, answer: answers.put(answer))
    try:
        client.call(taker, tag, content)
        return answers.get(timeout=_TIMEOUT)
    except SAMPProxyError as error:
        raise Unreachable(f"does not answer ({printable(error.faultString)})") from error
    except Empty as error:
        raise Unreachable(f"does not answer within {_TIMEOUT} s") from error
