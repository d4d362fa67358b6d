"""The one connection to the archive, for astroquery's queries and our downloads alike.

It sets the pace, time-outs, identity and redirects. It consists of transport adapters, requests'
own extension point, because astroquery's session has neither time-outs nor retries: it hangs for
ever on a silent server, and polls a busy one without a pause.
"""

from __future__ import annotations

import io
import json
import os
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from paperclip_cli import __version__
from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.http.body import BoundedAdapter, Bounds, body
from paperclip_cli.http.reasons import reason_of
from paperclip_cli.http.retry import (
    Pace,
    Patience,
    TimedOut,
    Transient,
    persist,
    raise_if_transient,
)
from paperclip_cli.http.settings import MAST_TOKEN, key_in

CONTACT_VARIABLE = "PAPERCLIP_CONTACT"
_LASTING = (
    requests.exceptions.TooManyRedirects,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Time limits in seconds, and sizes in bytes.

    `read` is the longest silence, and `total` the longest time for one reply, however slowly it
    trickles. A reply of known length may take as long as at `slowest` bytes a second, if that is
    longer. `reply_bytes` is the largest reply to a query. `poll` holds the first and the longest
    pause between two checks whether a query has finished.
    """

    connect: float = 15.0
    read: float = 60.0
    total: float = 600.0
    slowest: int = 50_000
    reply_bytes: int = 2**30
    poll: tuple[float, float] = (0.5, 10.0)
    patience: Patience = field(default_factory=Patience)

    def bounds(self, what: str, most: int) -> Bounds:
        """Of a reply that is called `what` and has at most `most` bytes."""
        return Bounds(what=what, most=most, seconds=self.total, slowest=self.slowest)


def identity() -> str:
    """The User-Agent: who we are, and whom to write to (PAPERCLIP_CONTACT) if we misbehave."""
    given = os.environ.get(CONTACT_VARIABLE, "")
    contact = "".join(c for c in given if c.isascii() and c.isprintable())
    about = "https://pypi.org/project/paperclip-cli" + (f"; {contact}" if contact else "")
    return f"paperclip-cli/{__version__} ({about}) {requests.utils.default_user_agent()}"


class Wire:
    """A maker of sessions that share one pace.

    Proxies and the CA bundle come from the environment, as requests reads them. The token goes to
    `server` and nowhere else. Archives hand out addresses of their object stores, so a redirect to
    another host is followed, but without the token, never from https to http, and for at most five
    hops.
    """

    def __init__(self, server: str, pace: Pace, limits: Limits | None = None) -> None:
        self.server, self.pace, self.limits = server, pace, limits or Limits()
        self.is_reached = False
        self._local = threading.local()

    def download_session(self) -> requests.Session:
        """This thread's session for files; it streams replies, and leaves retries to the caller."""
        if not hasattr(self._local, "session"):
            self._local.session = self.prepare(requests.Session(), _PacedAdapter(self))
        return self._local.session

    def query_session(self, session: requests.Session) -> requests.Session:
        """Make an existing session (astroquery's) patient.

        It then gets whole replies within the deadline, retries, and pauses between polls.
        """
        return self.prepare(session, _PatientAdapter(self))

    def prepare(self, session: requests.Session, adapter: HTTPAdapter) -> requests.Session:
        for prefix in ("https://", "http://"):
            session.mount(prefix, adapter)
        session.headers["User-Agent"] = identity()
        session.max_redirects = 5
        session.hooks["response"].append(_refuse_downgrade)

        token, server = key_in(MAST_TOKEN), urlsplit(self.server)
        if token and server.hostname:
            is_secure = server.scheme == "https"
            session.cookies.set(
                "mast_token", token, domain=server.hostname, path="/", secure=is_secure
            )
        return session

    def failure(self, error: requests.RequestException) -> Exception:
        """The error for a request without an answer: Transient, unless trying again cannot help."""
        if isinstance(error, requests.exceptions.SSLError) and "certificate" in str(error):
            return PaperclipError(
                "the archive's certificate is not trusted",
                "set REQUESTS_CA_BUNDLE to your site's CA bundle",
            )
        if isinstance(error, _LASTING):
            return BadItem(reason_of(error))
        if isinstance(error, requests.exceptions.ReadTimeout):
            return TimedOut(reason_of(error))

        no_proxy = isinstance(error, requests.exceptions.ProxyError)
        reason = "the proxy does not answer" if no_proxy else reason_of(error)
        # An archive that was never reached is not down for a moment: there is no network here, or
        # the address is wrong.
        return Transient(reason, tries=None if self.is_reached else 3)


class _PacedAdapter(BoundedAdapter):
    """An adapter that waits for its turn, with time-outs.

    Every hop of a redirect passes through here, and counts.
    """

    def __init__(self, wire: Wire) -> None:
        super().__init__(pool_connections=4, pool_maxsize=4)
        self.wire = wire

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        self.wire.pace.turn()
        limits = self.wire.limits
        response = super().send(
            request, stream, timeout or (limits.connect, limits.read), verify, cert, proxies
        )
        self.wire.is_reached = True
        return response


class _PatientAdapter(_PacedAdapter):
    """An adapter for queries.

    It returns whole replies, tries again where that may help, and makes astroquery pause between
    polls.
    """

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._last_body: object = None
        self._pause = wire.limits.poll[0]

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        self._pause_between_polls(request)
        return persist(
            lambda: self._whole(request, timeout, verify, cert, proxies),
            self.wire.limits.patience,
            self.wire.pace,
        )

    def _whole(self, request: requests.PreparedRequest, *options: Any) -> requests.Response:
        limits = self.wire.limits
        try:
            response = super().send(request, True, *options)
        except requests.RequestException as error:
            raise self.wire.failure(error) from error
        with response:
            raise_if_transient(response.status_code, response.headers)
            bounds = limits.bounds("the archive's reply", limits.reply_bytes)
            whole = body(response, bounds, self.wire.pace.check)

        if response.ok and not response.is_redirect:
            _check_json(whole)
        # A plain buffer replaces the connection: what requests reads from here on cannot hang.
        response.raw = io.BytesIO(whole)
        response.headers.pop("Content-Encoding", None)
        return response

    def _pause_between_polls(self, request: requests.PreparedRequest) -> None:
        """Pause before a poll.

        While a query is EXECUTING, astroquery repeats the same body, its cache breaker included.
        """
        if request.body is None or request.body != self._last_body:
            self._last_body, self._pause = request.body, self.wire.limits.poll[0]
            return
        self.wire.pace.wait(self._pause)
        self._pause = min(2 * self._pause, self.wire.limits.poll[1])


def _check_json(body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError as error:
        raise Transient("the archive's reply is not JSON") from error


def _refuse_downgrade(response: requests.Response, *_: object, **__: object) -> None:
    if response.is_redirect:
        target = urljoin(response.url, response.headers["Location"])
        if urlsplit(response.url).scheme == "https" and urlsplit(target).scheme != "https":
            raise BadItem("the archive redirects to an address without encryption")
