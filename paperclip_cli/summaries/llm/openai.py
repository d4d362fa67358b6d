"""The backend `openai`: a server with OpenAI's chat completions (vLLM, llama-server, Ollama ...).

A server is trusted no more than any other host: replies are bounded in size and time, redirects are
not followed, and the key is sent only to the address that the user gave, and never shown. A problem
with one abstract is that abstract's failure. A problem with every abstract (no server, a wrong key,
an unknown model, no credit) ends the run. Until a server has given an answer, it is asked by one
thread at a time, and given up after `MOST_SPENT` requests.
"""

from __future__ import annotations

import math
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from paperclip_cli.errors import BadItem, PaperclipError, Unreachable, UsageError
from paperclip_cli.http.retry import (
    Pace,
    Patience,
    Transient,
    persist,
    raise_if_transient,
    retry_after,
)
from paperclip_cli.summaries.llm import schema
from paperclip_cli.summaries.llm.base import (
    MOST_TOKENS,
    Answer,
    Sampling,
    Sent,
    Shape,
    Unanswered,
    UnansweredYet,
    require_room,
)
from paperclip_cli.summaries.llm.connection import Connection
from paperclip_cli.summaries.llm.dialect import Dialect, names_form, names_limit
from paperclip_cli.summaries.llm.prompt import Prompt
from paperclip_cli.summaries.llm.refusals import OF_REQUEST, Refusal, refuse_hopeless
from paperclip_cli.summaries.llm.reply import Reply, broke_off, decoded, model_names, read_reply
from paperclip_cli.wording import counted

MOST_SPENT = 8  # requests to a server that has not given one answer
CHARACTERS_A_TOKEN = 3.0  # fewer than in English, so that an estimate errs on the safe side
_LEAST_BYTES, _BYTES_A_TOKEN = 2**20, 2**10  # that a reply may have: an event has a few hundred
_GIVE_UP = 10  # abstracts in a row without any answer: the server is gone
_LESS = "--context with the server's limit cuts abstracts, and a smaller --max-tokens leaves room"
_MORE = "use a larger --max-tokens: models that reason before they answer need thousands"


@dataclass
class _Attempt:
    """The request for one abstract: the dialect to ask in, and why it differs from the known one.

    `unnamed` is the refusal that named nothing, where a guess was made after one.
    """

    dialect: Dialect
    reasons: list[str] = field(default_factory=list)
    unnamed: Refusal | None = None


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
        self._url, self._prompt, self._context = url.rstrip("/"), prompt, context
        self._most_tokens = most_tokens or MOST_TOKENS
        self._patience, self._pace = patience or Patience(tries=6), Pace(0.0, tell)
        self._tell = tell
        self._server = Connection(self._url, key, timeout, is_local(url), self._pace)
        self._lock, self._alone = threading.Lock(), threading.Lock()
        self._dialect, self._is_known, self._is_too_small = Dialect(), False, False
        self._ended: PaperclipError | None = None
        self._spent = self._lost = self._in_vain = 0
        self._last, self._advice = "nothing", "check --llm and --base-url"
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
        prompt = self._prompt.filled(abstract)
        with self._turn():
            attempt = _Attempt(self._dialect)
            try:
                answer = persist(
                    lambda: self._ask(prompt, sampling, attempt),
                    self._patience,
                    self._pace,
                    "the server",
                )
            except Unreachable as error:
                self._count_lost(error)
                raise UnansweredYet(str(error), self._sent(attempt.dialect, sampling)) from error
            except BadItem as error:
                raise Unanswered(str(error), self._sent(attempt.dialect, sampling)) from error
            except PaperclipError as error:
                self._ended = error  # for the threads that wait for their turn
                raise
        self._lost = 0
        return answer

    def _count_lost(self, error: Unreachable) -> None:
        with self._lock:
            self._lost += 1
        if self._lost >= _GIVE_UP:
            raise PaperclipError(
                f"{self._url} has stopped answering: {error}", "run the same command again later"
            ) from error

    def _sent(self, dialect: Dialect, sampling: Sampling) -> Sent:
        return dialect.sent(sampling, self._most_tokens)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one thread at a time through, until the server is known."""
        if self._is_known:
            yield
            return
        while not self._alone.acquire(timeout=0.1):
            self._pace.check()
        try:
            if not self._is_known:
                yield
                return
        finally:
            self._alone.release()
        yield

    def _ask(self, prompt: str, sampling: Sampling, attempt: _Attempt) -> Answer:
        """One answer, in the first dialect that the server accepts, starting from the known one."""
        while True:
            content = attempt.dialect.told(prompt)
            message = {"model": self.model, "messages": [{"role": "user", "content": content}]}
            said = attempt.dialect.request(self._shape, sampling, self._most_tokens)
            status, headers, raw = self._request("POST", "/chat/completions", message | said)
            reply, raw, found = self._read(status, raw)
            if reply is not None and (reply.has_answer or not broke_off(found)):
                self._adopt(attempt)
                return self._answer(reply, raw, attempt.dialect, sampling)

            refusal = Refusal(status=status, body=raw, decoded=found, prompt=prompt)
            self._note(refusal.words)
            if refusal.is_of_model_s_json:
                self._adopt(attempt)
                self._is_known = True
                return Answer(refusal.words, True, sent=self._sent(attempt.dialect, sampling))
            if self._is_known and not refusal.is_error and status == 200:
                self._count_in_vain()
                text = raw.decode("utf-8", errors="replace")
                return Answer(text, True, sent=self._sent(attempt.dialect, sampling))
            attempt.dialect = self._beside(refusal, headers, attempt)

    def _read(self, status: int, raw: bytes) -> tuple[Reply | None, bytes, object]:
        """The completion in a body, if it is one, and the body, raw and decoded, without the key.

        A key that may be a word stays in an answer.
        """
        found = decoded(raw)
        reply = read_reply(found, self._shape) if status == 200 else None
        if reply is not None and reply.has_answer and not self._server.has_secret:
            return reply, raw, found
        raw, found = self._server.without_key(raw, found)
        return read_reply(found, self._shape) if status == 200 else None, raw, found

    def _beside(self, refusal: Refusal, headers: Mapping[str, str], attempt: _Attempt) -> Dialect:
        """The dialect to try after a refusal.

        Raises:
            BadItem: the refusal is of this abstract.
            Transient: it may pass.
            PaperclipError: no abstract will be answered.
        """
        words = refusal.words
        if refusal.code == 200 and not refusal.is_error:
            raise PaperclipError(
                f"{self._url} answers with no chat completion ({words})",
                "check --base-url, which usually ends in /v1",
            )
        if refusal.is_passing or (refusal.code == 402 and "Retry-After" in headers):
            raise Transient(f"HTTP {refusal.code}", retry_after(headers.get("Retry-After")))
        if refusal.is_of_abstract:
            self._spare(refusal)
            raise BadItem(f"the server refuses the request ({words})")
        refuse_hopeless(refusal, self._url, self._is_known)
        if refusal.code in OF_REQUEST and len(attempt.reasons) < MOST_SPENT:
            if self._is_too_much(refusal):
                raise PaperclipError(
                    f"{self._url} refuses the limit ({words})", "lower --max-tokens"
                )
            dialect = attempt.dialect.beside(refusal.names, self._shape)
            if dialect is not None:
                attempt.reasons.append(words)
                return dialect
        # The reason is bare, so that equal failures are counted as one.
        raise_if_transient(refusal.code, headers)
        return self._guess(refusal, words, attempt)

    def _spare(self, refusal: Refusal) -> None:
        """Do not count the refusal of one abstract against the server, and tell what helps."""
        with self._lock:
            self._spent -= 1
            tells = refusal.is_of_context and not self._is_too_small
            self._is_too_small = self._is_too_small or tells
        if tells:
            self._tell(f"an abstract is too long for the server ({refusal.words}); {_LESS}")

    def _is_too_much(self, refusal: Refusal) -> bool:
        exact, *_ = refusal.names
        return refusal.is_of_size and (names_limit(exact) or names_limit(refusal.words))

    def _guess(self, refusal: Refusal, words: str, attempt: _Attempt) -> Dialect:
        """The dialect to try after a refusal that names nothing: one with the next form, once."""
        if self._is_known:
            self._count_in_vain()
            raise BadItem(f"the server refuses the request ({words})")
        if refusal.code == 200:
            raise PaperclipError(
                f"{self._url} answers with an error ({words})", "check --llm and --base-url"
            )
        if any(map(names_form, refusal.names)):
            raise PaperclipError(
                f"{self._url} accepts no request for a JSON schema ({words})",
                "the server must support response_format",
            )
        if any(map(names_limit, refusal.names)):
            raise PaperclipError(
                f"{self._url} takes no limit of an answer ({words})",
                "the server must support max_tokens or max_completion_tokens",
            )
        following = attempt.dialect.with_next_form()
        if refusal.code in OF_REQUEST and attempt.unnamed is None and following is not None:
            attempt.unnamed = refusal
            attempt.reasons.append(words)
            return following

        words = (attempt.unnamed or refusal).words
        self._in_vain += 1
        if refusal.code in OF_REQUEST and self._in_vain < 2:
            raise BadItem(f"the server refuses the request ({words})")
        raise PaperclipError(
            f"{self._url} refuses every request ({words})", "check --llm and --base-url"
        )

    def _answer(self, reply: Reply, raw: bytes, dialect: Dialect, sampling: Sampling) -> Answer:
        if not reply.has_answer and reply.is_filtered:
            self._is_known = True
            raise BadItem("the server's content filter stopped the answer")
        is_full = dialect.limit and reply.tokens >= self._most_tokens
        is_cut = reply.is_cut or bool(is_full and not reply.has_answer)
        if reply.has_answer or not is_cut:  # one without the form is the model's failure
            self._is_known = True
        else:
            self._note(f"an answer cut off at {counted(self._most_tokens, 'tokens')}", _MORE)
        return Answer(
            reply.text or raw.decode("utf-8", errors="replace"),
            not is_cut,
            reply.prompt_tokens,
            reply.tokens,
            sent=self._sent(dialect, sampling),
        )

    def _adopt(self, attempt: _Attempt) -> None:
        """Keep the dialect of an accepted request, and tell what it changes."""
        with self._lock:
            self._in_vain = 0
            if attempt.dialect == self._dialect:
                return
            self._dialect = attempt.dialect
        changes = ", ".join(attempt.dialect.varied)
        self._tell(f"the server is asked with {changes}, because it refused: {attempt.reasons[-1]}")

    def _note(self, last: str, advice: str | None = None) -> None:
        """Remember why there was no answer, for the case that there never is one."""
        self._last = last
        self._advice = advice or "check --llm and --base-url"

    def _count_in_vain(self) -> None:
        """Count a reply of a known server that was no answer; many in a row end the run."""
        with self._lock:
            self._in_vain += 1
        self._check_stopped()

    def _check_stopped(self) -> None:
        if self._in_vain >= MOST_SPENT:
            raise PaperclipError(
                f"{self._url} has stopped answering ({self._last})",
                "run the same command again later",
            )

    def _only_model(self) -> str:
        names = persist(self._models, self._patience, self._pace, "the server")
        if len(names) == 1:
            return names[0]
        few = f"it has {', '.join(map(repr, names[:5]))}" if names else self._last
        raise UsageError(
            f"{self._url} does not say which model to use; {few}", "name one with --llm"
        )

    def _models(self) -> list[str]:
        """The names of the server's models, as far as it tells them."""
        status, headers, raw = self._request("GET", "/models")
        raw, found = self._server.without_key(raw, decoded(raw))
        refusal = Refusal(status=status, body=raw, decoded=found)
        self._note(refusal.words)
        if status != 200 or refusal.is_error:
            refuse_hopeless(refusal, self._url)
            raise_if_transient(refusal.code, headers)
        return model_names(found)

    def _request(
        self, method: str, path: str, message: dict | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request and return status, headers and body.

        Raises:
            Transient: the request may succeed later.
            PaperclipError: no request can succeed.
        """
        self._pace.check()
        if self._ended is not None:
            raise self._ended
        self._check_stopped()
        if not self._is_known:
            if self._spent >= MOST_SPENT:
                raise PaperclipError(
                    f"{self._url} has given no answer to {counted(MOST_SPENT, 'requests')}; "
                    f"the last: {self._last}",
                    self._advice,
                )
            self._spent += 1
        most = max(_LEAST_BYTES, _BYTES_A_TOKEN * self._most_tokens)
        try:
            return self._server.request(method, path, message, most)
        except (Transient, PaperclipError) as error:
            self._note(str(error))
            raise


def is_local(url: str) -> bool:
    """Whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(?:\.\d{1,3}){3}", host) is not None
