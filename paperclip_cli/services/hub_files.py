"""Files of a Hub repository at one commit: resumed where they broke off, and checked.

The bytes go through the Hub's client (its address, token, proxies and certificates), but the files
are kept here: the client begins a file again after a kill, and a model has 600 MB.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.services.hub import RemoteFile, Snapshot, is_passing, transport_errors

_BLOCK = 2**20
_TRIES = 4  # in a row in which nothing arrives
_LONGEST_PAUSE = 30.0  # seconds
_TIMEOUT = 60  # seconds without a byte
_UNFINISHED = ".part"


def remaining(snapshot: Snapshot, names: Iterable[str], folder: Path) -> int:
    """The bytes of those files that `folder` lacks yet."""
    return sum(
        max(0, snapshot.files[name].size - _size(folder / name) - _size(_part(folder / name)))
        for name in names
    )


def download(
    snapshot: Snapshot,
    names: Iterable[str],
    folder: Path,
    arrived: Callable[[int], None] = lambda _: None,
) -> None:
    """Brings files into a folder in which an earlier call may have left some, or parts of some.

    Every file has the size and the content that the Hub lists for it. Names are used as paths: the
    caller has chosen them. `arrived` is told the bytes as they come. The errors of the Hub's client
    come through: call it inside `services.hub.told`.

    Raises:
        PaperclipError: a file is not what the Hub lists.
    """
    for name in names:
        path = folder / name
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            _complete(snapshot, name, _part(path), arrived)
            _check(snapshot, name, _part(path))
            os.replace(_part(path), path)


def _part(path: Path) -> Path:
    return path.with_name(path.name + _UNFINISHED)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _complete(snapshot: Snapshot, name: str, part: Path, arrived: Callable[[int], None]) -> None:
    """Downloads what is missing of a file, and goes on where a connection broke."""
    wanted, failures = snapshot.files[name].size, 0
    part.touch()
    while (had := _size(part)) < wanted:
        try:
            _stream(snapshot, name, part, arrived)
        except (OSError, *transport_errors()) as error:  # type: ignore[misc]
            failures = 0 if _size(part) > had else failures + 1
            if failures == _TRIES or not is_passing(error):
                raise
            time.sleep(_pause(error, failures))
            continue
        failures = 0 if _size(part) > had else failures + 1
        if failures == _TRIES:
            raise OSError(f"{name} breaks off after {had:,} of {wanted:,} bytes")


def _pause(error: Exception, failures: int) -> float:
    """Seconds until the next try: what the Hub asks for, or twice as long each time."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    asked = headers.get("Retry-After", "")
    if asked.isascii() and asked.isdigit():
        return min(float(asked), _LONGEST_PAUSE)
    return min(0.5 * 2**failures, _LONGEST_PAUSE)


def _stream(snapshot: Snapshot, name: str, part: Path, arrived: Callable[[int], None]) -> None:
    """Appends to `part` what the Hub sends, up to the size that it lists."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    url = hf_hub_url(snapshot.repository, name, repo_type=snapshot.kind, revision=snapshot.commit)
    begun = _size(part)
    # Compressed, a body would not be a part of the file.
    headers = build_hf_headers(library_name="paperclip") | {"Accept-Encoding": "identity"}
    if begun:
        headers["Range"] = f"bytes={begun}-"
    with (
        get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT) as response,
        part.open("ab") as file,
    ):
        hf_raise_for_status(response)
        if begun and response.status_code != 206:  # all of it comes again
            file.truncate(0)
            arrived(-begun)
            begun = 0
        size = begun
        for block in response.iter_bytes():  # as they come: nothing waits in a buffer
            size += len(block)
            if size > snapshot.files[name].size:
                raise _other(
                    snapshot, name, f"it is longer than {snapshot.files[name].size:,} bytes"
                )
            file.write(block)
            arrived(len(block))


def _check(snapshot: Snapshot, name: str, part: Path) -> None:
    """Compares a downloaded file with the content that the Hub lists, and drops another."""
    said = snapshot.files[name]
    if said.sha256 is None and said.git is None:
        raise _other(snapshot, name, "the Hub lists no checksum")
    with part.open("rb") as file:
        found = _digest(said, file.read) if said.sha256 is None else _sha256(file.read)
    if found != (said.sha256 or said.git):
        part.unlink()
        raise _other(snapshot, name, "its checksum differs")


def _sha256(read: Callable[[int], bytes]) -> str:
    digest = hashlib.sha256()
    while block := read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _digest(said: RemoteFile, read: Callable[[int], bytes]) -> str:
    """The name that git gives to this content (the Hub lists no SHA-256 of small files)."""
    digest = hashlib.sha1(b"blob %d\0" % said.size, usedforsecurity=False)
    while block := read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _other(snapshot: Snapshot, name: str, why: str) -> PaperclipError:
    return PaperclipError(
        f"{name} of {snapshot.repository} is not what the Hub lists: {why}",
        "try again; if it stays, tell the owner of the repository",
    )
