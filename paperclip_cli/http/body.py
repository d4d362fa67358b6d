"""Bodies of HTTP replies, read in one place: bounded in size and in time, whoever sends them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from paperclip_cli.errors import BadItem
from paperclip_cli.http.reasons import reason_of
from paperclip_cli.http.retry import TimedOut, Transient

_BLOCK = 2**16


class TooLarge(BadItem):
    """A reply larger than anything of its kind should be."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much of a reply is taken; `what` names it in messages.

    `most` is in bytes, once decoded: what a server compresses counts as what it unpacks to.
    The whole may take `seconds`, or longer while it comes at `slowest` bytes a second or more.
    """

    what: str
    most: int
    seconds: float
    slowest: float = math.inf

    def allowance(self, size: int) -> float:
        """Seconds that a reply of `size` bytes may take."""
        return max(self.seconds, size / self.slowest)

    def too_large(self) -> TooLarge:
        return TooLarge(f"{self.what} is larger than {in_bytes(self.most)}")


def blocks(
    reply: requests.Response, bounds: Bounds, check: Callable[[], None] = lambda: None
) -> Iterator[bytes]:
    """The decoded body of a streamed reply, as it comes, until it ends. `check` may end it early.

    TooLarge before more than `bounds.most` bytes are handed on, and at once where more are
    declared; Transient where it is cut short, late or garbled.
    """
    declared = declared_length(reply) or 0
    if declared > bounds.most:
        raise bounds.too_large()
    began, size = time.monotonic(), 0
    try:
        # read1 gives what is there, and unpacks no more than a block at a time: neither a trickle
        # nor a few bytes that unpack to gigabytes get past the checks.
        while block := reply.raw.read1(_BLOCK, decode_content=True):
            check()
            size += len(block)
            if size > bounds.most:
                raise bounds.too_large()
            if time.monotonic() - began > bounds.allowance(max(size, declared)):
                raise TimedOut(f"{bounds.what} came too slowly")
            yield block
    except urllib3.exceptions.ReadTimeoutError as error:
        raise TimedOut(reason_of(error)) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Transient(reason_of(error)) from error


def body(
    reply: requests.Response, bounds: Bounds, check: Callable[[], None] = lambda: None
) -> bytes:
    """The whole body of a streamed reply. Raises as `blocks` does."""
    whole = bytearray()
    for block in blocks(reply, bounds, check):
        whole += block
    return bytes(whole)


def declared_length(reply: requests.Response) -> int | None:
    """Content-Length, where there is a sensible one."""
    text = reply.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def in_bytes(size: int) -> str:
    """`256 MiB` or `4 GiB`."""
    unit, name = (2**30, "GiB") if size >= 2**30 else (2**20, "MiB")
    return f"{size / unit:,.3g} {name}"


class BoundedAdapter(HTTPAdapter):
    """Reads the bodies of redirects, which requests itself would read to whatever end they have."""

    REDIRECT = Bounds(what="a redirect", most=2**20, seconds=60)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        response = super().send(request, stream, timeout, verify, cert, proxies)
        if response.is_redirect:
            body(response, self.REDIRECT)
        return response
