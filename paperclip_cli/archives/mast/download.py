"""Downloads from the archive, whole or not at all: previews to memory, science files to disk."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import requests

from paperclip_cli.archives.mast.http import Wire
from paperclip_cli.errors import BadItem
from paperclip_cli.files import replacing
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
    """A downloader of files; several threads may call every method at once."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._url = wire.server + "/api/v0.1/Download/file?uri="

    def preview(self, uri: str) -> bytes:
        """The bytes of a JPEG preview.

        Raises:
            BadItem: it cannot be downloaded, with the reason.
        """
        return self.retrying(lambda: self.preview_once(uri))

    def preview_once(self, uri: str) -> bytes:
        """The bytes of a preview, from a single attempt.

        An error page with status 200 is recognised by its first bytes.

        Raises:
            Transient: another attempt may succeed.
        """
        with self._reply(self._url + quote(uri, safe=":/")) as reply:
            data = self._read(reply, "the preview", PREVIEW_BYTES)

        if not data.startswith(_JPEG):
            is_page = b"<html" in data[:1000].lower()
            raise Transient("a web page, not a JPEG" if is_page else "not a JPEG", tries=3)
        if not data.rstrip(b"\0\r\n ").endswith(b"\xff\xd9"):
            raise Transient("a truncated JPEG", tries=3)
        return data

    def text(self, url: str, most: int = 2**30) -> bytes:
        """The bytes at any address outside the archive's file service, such as a catalogue's."""

        def once() -> bytes:
            with self._reply(url) as reply:
                return self._read(reply, "the reply", most)

        return self.retrying(once)

    def file(
        self, uri: str, path: Path, arrived: Callable[[int], None] = lambda count: None
    ) -> int:
        """Write a science file to `path`, which never holds only part of it.

        Returns its size in bytes. `arrived` is called with the size of every block.
        """
        return self.retrying(
            lambda: self._file_once(self._url + quote(uri, safe=":/"), path, arrived)
        )

    def retrying(self, action: Callable[[], Result]) -> Result:
        """The result of `action`, tried as often and as long as our patience lasts."""
        return persist(action, self.wire.limits.patience, self.wire.pace)

    def _file_once(self, url: str, path: Path, arrived: Callable[[int], None]) -> int:
        bounds = self.wire.limits.bounds("the science file", SCIENCE_BYTES)
        with replacing(path) as temporary:
            with temporary.open("wb") as file, self._reply(url) as reply:
                for block in blocks(reply, bounds, self.wire.pace.check):
                    arrived(file.write(block))
                size = file.tell()
            _check_science(temporary)
        return size

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
                status = reply.status_code
                raise BadItem(_REFUSALS.get(status, f"refused (HTTP {status})"))
            yield reply


def _check_science(path: Path) -> None:
    """Check the length of a FITS file, which its headers tell.

    A connection may end early without an error.
    """
    from astropy.io import fits

    # astropy leaves open what it has opened itself and cannot read.
    with path.open("rb") as file:
        if b"<html" in file.read(1000).lower():
            raise Transient("a web page, not a FITS file", tries=3)
        file.seek(0)
        try:
            with (
                warnings.catch_warnings(record=True) as said,
                fits.open(file, lazy_load_hdus=False) as hdus,
            ):
                warnings.simplefilter("always")
                is_cut = not hdus or any("truncated" in str(warning.message) for warning in said)
        except Exception as error:
            # astropy may raise anything on damaged bytes; none of it may end the other downloads.
            raise Transient("a damaged FITS file", tries=3) from error

    if is_cut:
        raise Transient("a truncated FITS file", tries=3)
