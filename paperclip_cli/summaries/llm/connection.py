"""Requests to a server of language models: bounded, not redirected, with the key for it alone."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from urllib.parse import quote

import requests
import urllib3

from paperclip_cli import __version__
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.http.body import Bounds, body
from paperclip_cli.http.reasons import reason_of
from paperclip_cli.http.retry import Pace, TimedOut, Transient

_CONNECT = 15.0  # seconds
_SECRET = 8  # characters: shorter keys are placeholders for servers that want any


class Connection:
    """A server at an address, for any number of threads.

    `timeout` is in seconds, for a whole reply. A server on this machine is asked without a proxy.
    """

    def __init__(self, url: str, key: str, timeout: float, is_local: bool, pace: Pace) -> None:
        self._url, self._key, self._timeout = url, key, timeout
        self._is_local, self._pace = is_local, pace
        self._local, self._is_reached = threading.local(), False

    def request(
        self, method: str, path: str, message: dict | None, most: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request and return status, headers and body, of at most `most` bytes.

        Raises:
            BadItem: the body is too large.
            Transient: the request may succeed later.
            PaperclipError: no request can succeed.
        """
        bounds = Bounds(what="the server's answer", most=most, seconds=self._timeout)
        try:
            with self._session.request(
                method,
                self._url + path,
                json=message,
                timeout=(_CONNECT, self._timeout),
                stream=True,
                allow_redirects=False,
                auth=self._authorized,
            ) as response:
                self._is_reached = True
                raw = body(response, bounds, self._pace.check)
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            raise self._failure(error) from error
        if response.is_redirect:
            raise PaperclipError(
                f"{self._url} redirects to another address",
                "if you trust that address, give it as --base-url",
            )
        status = response.status_code
        # Some gateways answer a POST with 201.
        return 200 if 200 <= status < 300 else status, response.headers, raw

    @property
    def has_secret(self) -> bool:
        """Whether the key is one: servers that want any get a word, which an answer may hold."""
        return len(self._key) >= _SECRET

    def without_key(self, raw: bytes, found: object) -> tuple[bytes, object]:
        """A body, raw and decoded, without the key, should the server repeat it."""
        if not self._key:
            return raw, found
        try:
            spelled = json.dumps(found, ensure_ascii=False)  # however the server has escaped it
        except RecursionError:
            return b"", None
        hidden = self._hidden(raw.decode("utf-8", errors="replace"))
        return hidden.encode(), json.loads(self._hidden(spelled))

    def _hidden(self, text: str) -> str:
        spellings = {self._key, json.dumps(self._key)[1:-1], quote(self._key, safe="")}
        key = "|".join(map(re.escape, sorted(spellings, key=len, reverse=True)))
        return re.sub(key if self.has_secret else rf"(?<![\w-])(?:{key})(?![\w-])", "***", text)

    def _failure(self, error: Exception) -> Exception:
        failures = requests.exceptions
        strange = failures.InvalidURL | failures.InvalidSchema | failures.MissingSchema
        if isinstance(error, strange | UnicodeError | urllib3.exceptions.LocationValueError):
            return UsageError(
                f"--base-url {self._url} is not an address",
                "an example is http://localhost:8080/v1",
            )
        reason = reason_of(error)
        if isinstance(error, failures.ReadTimeout):
            return TimedOut(reason)
        # A connection that broke off was one.
        is_broken = any(isinstance(one, urllib3.exceptions.ProtocolError) for one in error.args)
        if not self._is_reached and not is_broken:
            return PaperclipError(
                f"no server answers at {self._url}: {reason}", "start it, or check --base-url"
            )
        return Transient(reason)

    def _authorized(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key; as requests' `auth`, so that no entry of a .netrc replaces it."""
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    @property
    def _session(self) -> requests.Session:
        """This thread's own session."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.headers["User-Agent"] = f"paperclip-cli/{__version__}"
            self._local.session.trust_env = not self._is_local
        return self._local.session
