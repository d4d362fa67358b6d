"""The download of a file from any address to disk, streamed and bounded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.http.reasons import reason_of

_TIMEOUT = (15, 60)  # seconds to connect, and between two blocks
_SECONDS, _SLOWEST = 600.0, 50_000  # for the whole; longer at so many bytes a second or more


def is_url(place: str) -> bool:
    """Whether a place is an address rather than a path."""
    return place.startswith(("http://", "https://"))


def download(
    url: str, path: Path, most: int, arrived: Callable[[int], None] = lambda _: None
) -> None:
    """Write the file at an address to `path`.

    Raises:
        PaperclipError: it cannot be downloaded, is cut short, or is larger than `most` bytes.
    """
    import requests

    from paperclip_cli.http.body import BoundedAdapter, Bounds, TooLarge, blocks
    from paperclip_cli.http.retry import Transient

    bounds = Bounds(what=url, most=most, seconds=_SECONDS, slowest=_SLOWEST)
    try:
        with requests.Session() as session, path.open("wb") as file:
            for prefix in ("https://", "http://"):
                session.mount(prefix, BoundedAdapter())
            with session.get(url, stream=True, timeout=_TIMEOUT) as reply:
                reply.raise_for_status()
                for block in blocks(reply, bounds):
                    file.write(block)
                    arrived(len(block))
    except TooLarge as error:
        raise PaperclipError(str(error), "check that it is an index") from error
    except (requests.RequestException, Transient) as error:
        # A status, a strange address and a Transient are clear as they are.
        is_clear = isinstance(error, (requests.HTTPError, ValueError, Transient))
        reason = str(error) if is_clear else reason_of(error)
        raise PaperclipError(
            f"{url} cannot be downloaded: {reason}", "check the address, or try again later"
        ) from error
