"""Files from the archive: into memory (previews) or onto disk (science files), whole or not at all."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import requests

from paperclip_cli.archives.mast.http import Wire
from paperclip_cli.errors import BadItem
from paperclip_cli.http.body import blocks, body
from paperclip_cli.http.retry import Transient, persist, raise_if_transient

Result = TypeVar("Result")
PREVIEW_BYTES = 256 * 2**20  # the largest previews are tens of MB
SCIENCE_BYTES = 64 * 2**30  # the largest mosaics are a few GB
_JPEG = b"\xff\xd8\xff"
_REFUSALS = {
    401: "not public (HTTP 401): set MAST_API_TOKEN",
    403: "not public (HTTP 403): set MAST_API_TOKEN",
    404: "not found (HTTP 404)",
    410: "withdrawn (HTTP 410)",
}


class Downloader:
    """Every method may be called from several threads at once."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._url = wire.server + "/api/v0.1/Download/file?uri="

    def preview(self, uri: str) -> bytes:
        """The bytes of a preview in JPEG. BadItem with the reason where it cannot be had."""
        return self.retrying(lambda: self.preview_once(uri))

    def preview_once(self, uri: str) -> bytes:
        """One try of the above: Transient where another may succeed. An error page with status 200 is known by its first bytes."""
        with self._reply(self._url + quote(uri, safe=":/")) as reply:
            data = self._read(reply, "the preview", PREVIEW_BYTES)
        if not data.startswith(_JPEG):
            raise Transient(
                "not a JPEG but a web page" if b"<html" in data[:1000].lower() else "not a JPEG",
                tries=3,
            )
        if not data.rstrip(b"\0\r\n ").endswith(b"\xff\xd9"):
            raise Transient("a JPEG without an end", tries=3)
        return data

    def text(self, url: str, most: int = 2**30) -> bytes:
        """Any address outside the archive's file service: a proposal catalogue."""

        def once() -> bytes:
            with self._reply(url) as reply:
                return self._read(reply, "the reply", most)

        return self.retrying(once)

    def file(
        self, uri: str, path: Path, arrived: Callable[[int], None] = lambda count: None
    ) -> int:
        """Writes a science file to `path`, which is never there in part; gives its bytes. `arrived` hears of every block."""
        return self.retrying(
            lambda: self._file_once(self._url + quote(uri, safe=":/"), path, arrived)
        )

    def retrying(self, action: Callable[[], Result]) -> Result:
        """Tries as often and as long as our patience goes."""
        return persist(action, self.wire.limits.patience, self.wire.pace)

    def _file_once(self, url: str, path: Path, arrived: Callable[[int], None]) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file, self._reply(url) as reply:
                size, bounds = 0, self.wire.limits.bounds("the science file", SCIENCE_BYTES)
                for block in blocks(reply, bounds, self.wire.pace.check):
                    file.write(block)
                    size += len(block)
                    arrived(len(block))
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            _check_science(Path(temporary))
            os.replace(temporary, path)
            return size
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _read(self, reply: requests.Response, what: str, most: int) -> bytes:
        return body(reply, self.wire.limits.bounds(what, most), self.wire.pace.check)

    @contextmanager
    def _reply(self, url: str) -> Iterator[requests.Response]:
        try:
            reply = self.wire.download_session().get(url, stream=True)
        except requests.RequestException as error:
            raise self.wire.failure(error) from error
        with reply:
            raise_if_transient(reply.status_code, reply.headers)
            if not reply.ok:
                raise BadItem(
                    _REFUSALS.get(reply.status_code, f"refused (HTTP {reply.status_code})")
                )
            yield reply


def _check_science(path: Path) -> None:
    """Goes through the headers of a FITS file, which say how long it must be: a connection may end early without saying so."""
    from astropy.io import fits

    with path.open("rb") as file:
        if b"<html" in file.read(1000).lower():
            raise Transient("not a FITS file but a web page", tries=3)
    try:
        with (
            warnings.catch_warnings(record=True) as said,
            fits.open(path, lazy_load_hdus=False) as hdus,
        ):
            warnings.simplefilter("always")
            is_cut = len(hdus) == 0 or any("truncated" in str(warning.message) for warning in said)
    except (
        Exception
    ) as error:  # whatever astropy makes of damaged bytes; none of it may end the other downloads
        raise Transient("a FITS file that is damaged", tries=3) from error
    if is_cut:
        raise Transient("a FITS file that is cut short", tries=3)
