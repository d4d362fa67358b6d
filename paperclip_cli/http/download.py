"""A file from any address, onto disk: as a stream, bounded, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.http.reasons import reason_of

_TIMEOUT = (15, 60)  # seconds to connect, and between two blocks
_BLOCK = 2**20


def is_url(place: str) -> bool:
    """Whether a place is an address, and not a path."""
    return place.startswith(("http://", "https://"))


def download(
    url: str, path: Path, most: int, arrived: Callable[[int], None] = lambda _: None
) -> None:
    """Writes what an address gives to `path`. PaperclipError where it cannot be had, is cut short, or is larger than `most` bytes."""
    import requests

    try:
        with requests.get(url, stream=True, timeout=_TIMEOUT) as reply, path.open("wb") as file:
            reply.raise_for_status()
            declared = int(reply.headers.get("Content-Length") or -1)
            size = 0
            for block in reply.iter_content(_BLOCK):
                size += len(block)
                if max(size, declared) > most:
                    raise PaperclipError(
                        f"{url} is larger than {most / 2**30:.0f} GB", "is it an index?"
                    )
                file.write(block)
                arrived(len(block))
    except requests.RequestException as error:
        reason = (
            str(error) if isinstance(error, (requests.HTTPError, ValueError)) else reason_of(error)
        )  # a status, a strange address
        raise PaperclipError(
            f"{url} cannot be had: {reason}", "check the address, or try again later"
        ) from error
    if declared >= 0 and "Content-Encoding" not in reply.headers and size != declared:
        raise PaperclipError(f"{url} ended after {size:,} of {declared:,} bytes", "try again")
