"""The backend `openai`: a server with OpenAI's chat completions (vLLM, llama-server, Ollama ...).

A server is trusted no more than any other host: replies are bounded in size and time, redirects are
not followed, and the key is sent only to the address that the user gave. A problem with one
abstract is that abstract's failure. A problem with every abstract (no server, a wrong key, an
unknown model) ends the run.
"""

from __future__ import annotations

import json
import math
import re
import sys
import threading
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import requests

from paperclip_cli import __version__
from paperclip_cli.errors import BadItem, PaperclipError, Unreachable, UsageError
from paperclip_cli.http.body import Bounds, body
from paperclip_cli.http.reasons import reason_of
from paperclip_cli.http.retry import (
    Pace,
    Patience,
    TimedOut,
    Transient,
    persist,
    raise_if_transient,
)
from paperclip_cli.summaries.llm import schema
from paperclip_cli.summaries.llm.base import (
    MOST_TOKENS,
    Answer,
    Sampling,
    Sent,
    Shape,
    require_room,
)
from paperclip_cli.summaries.llm.prompt import Prompt

KEY_VARIABLE = "OPENAI_API_KEY"
MOST_BYTES = 2**20  # of a reply: an answer has a few thousand
CHARACTERS_A_TOKEN = 3.0  # fewer than in English, so that an estimate errs on the safe side
_REFUSALS = frozenset({400, 422, 500})  # of an unknown form; llama-cpp-python's server returns 500
_CONNECT = 15.0  # seconds
_GIVE_UP = 10  # abstracts in a row without any answer: the server is gone


def _dialects(shape: Shape, sampling: Sampling, most_tokens: int) -> list[dict]:
    """The ways to request the form from a server; the first that it accepts is kept.

    OpenAI's own, that of its newest models (without temperature and seed), and llama-cpp-python's.
    """
    form = {"name": shape.name, "strict": True, "schema": shape.schema}
    strict = {"type": "json_schema", "json_schema": form}
    drawn = {"temperature": sampling.temperature, "seed": sampling.seed, "max_tokens": most_tokens}
    return [
        {"response_format": strict, **drawn},
        {"response_format": strict, "max_completion_tokens": most_tokens},
        {"response_format": {"type": "json_object", "schema": shape.schema}, **drawn},
    ]


class ServerWriter:
    """A writer that sends one request per abstract, with `workers` of them in flight.

    `model` may be blank if the server has only one. `timeout` is in seconds, for a whole answer.
    Without a `context` (in tokens) no abstract is cut, because only the server knows its limit.
    """

    backend = "openai"
    batch = 1

    def __init__(
        self,
        url: str,
        model: str,
        key: str,
        prompt: Prompt,
        workers: int = 1,
        context: int | None = None,
        timeout: float = 300.0,
        patience: Patience | None = None,
        tell: Callable[[str], None] = lambda text: None,
        shape: Shape | None = None,
        most_tokens: int | None = None,
    ) -> None:
        self.workers, self._shape = workers, shape or schema.shape()
        self._url, self._key, self._prompt = url.rstrip("/"), key, prompt
        self._context, self._timeout = context, timeout
        self._most_tokens = most_tokens or MOST_TOKENS
        self._patience, self._pace = patience or Patience(tries=6), Pace(0.0, tell)
        self._local, self._lock = threading.local(), threading.Lock()
        self._dialect: int | None = None
        self._is_reached, self._lost = False, 0
        self.model = model or self._only_model()

    def prepare(self) -> None:
        require_room(self, self._context)

    def stop(self) -> None:
        self._pace.stop()

    @property
    def room(self) -> int:
        if self._context is None:
            return sys.maxsize
        prompt = self.count(self._prompt.head) + self.count(self._prompt.tail)
        return self._context - self._most_tokens - prompt

    def count(self, text: str) -> int:
        """An estimated number of tokens, as the server has the tokenizer."""
        return math.ceil(len(text) / CHARACTERS_A_TOKEN)

    def write(self, abstracts: Sequence[str], sampling: Sampling) -> list[Answer]:
        return [self._write(abstract, sampling) for abstract in abstracts]

    def _write(self, abstract: str, sampling: Sampling) -> Answer:
        message = {
            "model": self.model,
            "messages": [{"role": "user", "content": self._prompt.filled(abstract)}],
        }
        try:
            answer = persist(
                lambda: self._ask(message, sampling), self._patience, self._pace, "the server"
            )
        except Unreachable as error:
            with self._lock:
                self._lost += 1
            if self._lost >= _GIVE_UP:
                raise PaperclipError(
                    f"{self._url} has stopped answering: {error}",
                    "run the same command again later",
                ) from error
            raise
        self._lost = 0
        return answer

    def _ask(self, message: dict, sampling: Sampling) -> Answer:
        """Request one answer in the known dialect, or else in the first that the server accepts."""
        known = self._dialect
        dialects = list(enumerate(_dialects(self._shape, sampling, self._most_tokens)))
        for number, dialect in dialects if known is None else dialects[known : known + 1]:
            status, body = self._request("POST", "/chat/completions", message | dialect, _REFUSALS)
            if status == 200:
                self._dialect = number
                return _answer(body, _sent(dialect))
            if status not in _REFUSALS:
                break

        if status == 500:
            raise Transient("HTTP 500")
        told = f"HTTP {status}{_told(body)}"
        if known is None and status in _REFUSALS:
            raise PaperclipError(
                f"{self._url} accepts no request for a JSON schema ({told})",
                "the server must support response_format",
            )
        raise BadItem(f"the server refuses the request ({told})")

    def _only_model(self) -> str:
        status, body = persist(
            lambda: self._request("GET", "/models"), self._patience, self._pace, "the server"
        )
        listed = _get(_decoded(body), "data") if status == 200 else None
        entries = listed if isinstance(listed, list) else []
        names = [name for entry in entries if isinstance(name := _get(entry, "id"), str)]
        if len(names) != 1:
            few = f"; it has {', '.join(map(repr, names[:5]))}" if names else ""
            raise UsageError(
                f"{self._url} does not say which model to use{few}", "name one with --llm"
            )
        return names[0]

    def _request(
        self,
        method: str,
        path: str,
        message: dict | None = None,
        known: frozenset[int] = frozenset(),
    ) -> tuple[int, bytes]:
        """Send a request and return status and body.

        Raises:
            Transient: the request may succeed later, unless the status is `known`.
            PaperclipError: no request can succeed.
        """
        self._pace.check()
        bounds = Bounds(what="the server's answer", most=MOST_BYTES, seconds=self._timeout)
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
                reply = body(response, bounds, self._pace.check)
        except requests.RequestException as error:
            raise self._failure(error) from error
        raise_if_transient(response.status_code, response.headers, known)
        self._refuse_hopeless(response, reply)
        return response.status_code, reply

    def _refuse_hopeless(self, response: requests.Response, body: bytes) -> None:
        status = response.status_code
        if response.is_redirect:
            raise PaperclipError(
                f"{self._url} redirects to another address",
                "if you trust that address, give it as --base-url",
            )
        if status in (401, 403):
            raise PaperclipError(
                f"{self._url} refuses the key (HTTP {status}{_told(body)})", f"set {KEY_VARIABLE}"
            )
        if status == 404:
            raise PaperclipError(
                f"{self._url} has no such model or service (HTTP 404{_told(body)})",
                "check --llm and --base-url, which usually ends in /v1",
            )

    def _failure(self, error: Exception) -> Exception:
        failures = requests.exceptions
        if isinstance(error, failures.InvalidURL | failures.InvalidSchema | failures.MissingSchema):
            return UsageError(
                f"--base-url {self._url} is not an address",
                "an example is http://localhost:8080/v1",
            )
        reason = reason_of(error)
        if isinstance(error, requests.exceptions.ReadTimeout):
            return TimedOut(reason)
        if not self._is_reached:
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
        """This thread's own session, without a proxy if the server is on this machine."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.headers["User-Agent"] = f"paperclip-cli/{__version__}"
            self._local.session.trust_env = not is_local(self._url)
        return self._local.session


def is_local(url: str) -> bool:
    """Whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(?:\.\d{1,3}){3}", host) is not None


def _sent(dialect: dict) -> Sent:
    """What the fields of a request say."""
    limit = dialect.get("max_tokens", dialect.get("max_completion_tokens"))
    return Sent(dialect.get("temperature"), dialect.get("seed"), limit)


def _answer(body: bytes, sent: Sent) -> Answer:
    """The answer in a reply.

    A reply that is no chat completion becomes an answer without the form, and its text is kept.
    """
    reply = _decoded(body)
    choices = _get(reply, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = _get(choice, "message")
    texts = [_get(message, name) for name in ("content", "refusal")]
    written = [text for text in texts if isinstance(text, str) and text]
    text = written[0] if written else body.decode("utf-8", errors="replace")
    return Answer(
        text,
        _get(choice, "finish_reason") != "length",
        _number(reply, "prompt_tokens"),
        _number(reply, "completion_tokens"),
        sent=sent,
    )


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _number(reply: object, name: str) -> int:
    found = _get(_get(reply, "usage"), name)
    return found if isinstance(found, int) and 0 <= found < 10**9 else 0


def _told(body: bytes) -> str:
    """The server's error message in one line after a colon, or nothing if it has none."""
    error = _get(_decoded(body), "error")
    text = _get(error, "message") if isinstance(error, dict) else error
    return f": {' '.join(text.split())[:200]}" if isinstance(text, str) and text.strip() else ""
