"""A server's refusal: its own words, what they name, and whether they concern one abstract."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property

from paperclip_cli.errors import PaperclipError
from paperclip_cli.http.settings import OPENAI_KEY
from paperclip_cli.summaries.llm.dialect import names_form
from paperclip_cli.summaries.llm.reply import get

# Of a request that a server does not understand: llama-cpp-python's says 500, Vertex AI 501.
OF_REQUEST = frozenset({200, 400, 422, 500, 501})
_MOST_WORDS = 200  # characters of a server's words that are shown
_MOST_SEARCHED = 500  # and of those that are searched
_DEEPEST = 8  # levels at which the words of an error lie
_QUOTED = 4  # words in a row that are a quotation of the prompt
_PARTS = ("error", "errors", "detail", "message", "msg")  # that hold an error, the outer ones first
_CONTEXT = re.compile(
    r"context[_ -]?(?:length|size|window)|too many (?:input )?tokens|input token count"
    r"|(?:prompt|input|inputs|text|message|messages|sequence|content) (?:is|are) (?:far )?too l"
    r"|reduce (?:the|your) (?:length|prompt)|input tokens (?:exceed|too)|string_above_max"
    r"|(?:maximum|max) (?:prompt|input|sequence) length|range of input length"
    r"|inputs?\W.{0,60}\btokens\b.{0,40}(?:<=|less than)",
    re.IGNORECASE,
)
_FILTER = re.compile(
    r"content[_ -]?(?:filter|policy|management|moderation)|moderation|was flagged|responsibleai"
    r"|prohibited[_ ]content|safety (?:system|filter|polic)|usage (?:guidelines|polic)"
    r"|content exists risk|data_?inspection_?failed|inappropriate content|sensitive content",
    re.IGNORECASE,
)
_NO_JSON = re.compile(r"failed to generate json|json_validate_failed", re.IGNORECASE)
_SPENT = re.compile(
    r"insufficient[_ ](?:quota|balance|credits?|funds)|credit balance is too low|out of credits"
    r"|requires more credits|billing[_ ](?:hard[_ ]limit|not[_ ]active)|payment[_ ]required"
    r"|arrearage|account (?:is|be) (?:not active|in good standing)|spending limit",
    re.IGNORECASE,
)
_QUOTA, _RATE = "exceeded your current quota", re.compile(r"retry in|retrydelay|per[ -]", re.I)
_BUSY = re.compile(r"rate[_ ]?limit|overload|unavailable|time[d_ ]*out|too many requests", re.I)
_KEY = re.compile(
    r"api[ _-]?key.{0,20}(?:invalid|not valid|missing|incorrect)|(?:invalid|incorrect) api", re.I
)
_REFUSES = re.compile(
    r"\b(?:no|not|only|must|should|use)\b|n't\b|un(?:known|supported|recogni|expected|available)"
    r"|invalid|forbid|extra|deprecated|cannot|literal_error|requires?",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_?not_?found|invalid_model"
    r"|\bmodel(?:\s+[\"'`]?[\w./:@-]{1,80}[\"'`]?)?\s+"
    r"(?:(?:is |was )?not (?:found|loaded)|does not exist)",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"too large|at most|less than|maximum (?:value|allowed)|exceeds", re.I)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What a server sent instead of an answer: the status, and the body, raw and decoded.

    `prompt` is what it was asked; where an error quotes it, the words are not the server's.
    """

    status: int
    body: bytes
    decoded: object
    prompt: str = ""

    @cached_property
    def _error(self) -> object:
        """The part of the body that tells the error."""
        found = self.decoded
        if isinstance(found, list) and found:
            found = found[0]  # Gemini's
        choices = get(found, "choices")
        inner = get(choices[0], "error") if isinstance(choices, list) and choices else None
        inner = inner or get(found, _PARTS[0])
        if isinstance(inner, str):
            return _loaded(inner)
        if isinstance(inner, dict | list) and inner:
            return inner
        return found if any(get(found, name) for name in _PARTS) else None

    @property
    def is_error(self) -> bool:
        """Whether it says that something went wrong, whatever its status."""
        return self._error is not None

    @cached_property
    def code(self) -> int:
        """The status: of the reply, or of the error inside a reply of status 200."""
        code = get(self._error, "code")
        if isinstance(code, str) and code.isascii() and code.isdigit():
            code = int(code[:9])
        is_status = isinstance(code, int) and 400 <= code < 600
        return code if self.status == 200 and is_status else self.status  # type: ignore[return-value]

    @cached_property
    def _message(self) -> str:
        text = _flat(self._error) or _plain(self.body)
        raw = get(get(self._error, "metadata"), "raw")  # OpenRouter's: what the provider said
        inner = _flat(_loaded(raw)) if isinstance(raw, str) else ""
        return " ".join((f"{text} ({inner})" if inner and inner != text else text).split())

    @cached_property
    def _searched(self) -> str:
        """The beginning of the server's own words."""
        return _before_quotation(self._message, self.prompt)[:_MOST_SEARCHED]

    @property
    def words(self) -> str:
        """`HTTP 400: the server's words`, in one line."""
        said = self._message[:_MOST_WORDS]
        return f"HTTP {self.code}{f': {said}' if said else ''}"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The texts that may name a part of the request, the most exact first."""
        if self.decoded is None and self.body.lstrip().startswith(b"<"):
            return ("",)  # a page, by someone who has not read the request
        if self.code >= 500 and not _REFUSES.search(self._searched):
            return ("",)  # something broke while the request was answered
        param = get(self._error, "param")
        places = [*([param] if isinstance(param, str) and param else []), *_places(self._error)]
        # The words about a form may name the very keyword, where the place is the whole form.
        ends = [place.rpartition(".")[2] for place in places]
        exact = [end for end in ends if not names_form(end)]
        return (*exact, self._searched, *places)

    @cached_property
    def _kind(self) -> str:
        """Code and type: what tells the kind of an error without words."""
        marks = [get(self._error, name) for name in ("code", "type", "status")]
        marks.append(get(get(self._error, "innererror"), "code"))
        return " ".join(str(mark) for mark in marks if mark)

    @property
    def _signs(self) -> str:
        return f"{self._kind} {self._searched}"

    @property
    def is_of_context(self) -> bool:
        """Whether the prompt is too long for the server."""
        return self.code == 413 or _CONTEXT.search(self._signs) is not None

    @property
    def is_of_abstract(self) -> bool:
        """Whether another abstract may be answered: this one is too long, or filtered out."""
        is_request = self.code in OF_REQUEST | {403, 413}
        return is_request and (self.is_of_context or _FILTER.search(self._signs) is not None)

    @property
    def is_of_money(self) -> bool:
        """Whether nothing is answered before the account has credit."""
        if self.code == 402 or _SPENT.search(self._signs):
            return True
        return _QUOTA in self._signs.lower() and not _RATE.search(self._message)

    @property
    def is_of_key(self) -> bool:
        return self.code == 401 or (self.code < 500 and bool(_KEY.search(self._signs)))

    @property
    def is_of_model_s_json(self) -> bool:
        """Whether the model wrote no JSON, which another seed may change: Groq's servers say so."""
        return self.code == 400 and _NO_JSON.search(self._signs) is not None

    @property
    def is_of_model(self) -> bool:
        """Whether it has no such model or service."""
        is_named = self.code < 500 and _NO_MODEL.search(self._signs) is not None
        return is_named or self.code in (404, 405, 410)

    @property
    def is_passing(self) -> bool:
        """Whether an error inside a reply of status 200 may pass, by its type."""
        return self.code == 200 and _BUSY.search(self._kind) is not None

    @property
    def is_of_size(self) -> bool:
        """Whether it calls a number too large."""
        return _TOO_LARGE.search(self._searched) is not None


def refuse_hopeless(refusal: Refusal, url: str, has_answered: bool = False) -> None:
    """End the run where no request will be answered.

    Raises:
        PaperclipError: that is so.
    """
    words = refusal.words
    if refusal.is_of_money:
        raise PaperclipError(f"{url} wants payment ({words})", "add credit there")
    # A server that has answered may forbid one abstract.
    if refusal.is_of_key or (refusal.code == 403 and not has_answered):
        raise PaperclipError(f"{url} refuses the key ({words})", f"set {OPENAI_KEY}")
    if refusal.is_of_model:
        raise PaperclipError(
            f"{url} has no such model or service ({words})",
            "check --llm and --base-url, which usually ends in /v1",
        )


def _before_quotation(text: str, prompt: str) -> str:
    """A text as far as it does not quote some words of the prompt."""
    asked, said = prompt.split(), text.split()
    runs = {tuple(asked[at : at + _QUOTED]) for at in range(len(asked) - _QUOTED + 1)}
    for at in range(len(said)):
        if tuple(said[at : at + _QUOTED]) in runs:
            return " ".join(said[:at])
    return text


def _flat(value: object, deep: int = 0) -> str:
    """The words in an error of any shape."""
    if deep > _DEEPEST:
        return ""
    if isinstance(value, str):
        loaded = _loaded(value)  # Mistral's errors are JSON inside JSON
        return value if isinstance(loaded, str) else _flat(loaded, deep + 1)
    if isinstance(value, list):
        return "; ".join(filter(None, (_flat(one, deep + 1) for one in value[:3])))
    if isinstance(value, dict):
        place = _place(value)
        for name in reversed(_PARTS):
            if text := _flat(value.get(name), deep + 1):
                return f"{place}: {text}" if place else text
    return ""


def _places(error: object) -> list[str]:
    """The places in the request that a validator of the server names, as FastAPI's does."""
    found = error
    for _ in range(_DEEPEST):
        if isinstance(found, dict):
            found = found.get("detail") or found.get("message")
        if isinstance(found, str):
            found = _loaded(found)
    items = found if isinstance(found, list) else []
    return [place for item in items[:5] if (place := _place(item))]


def _place(item: object) -> str:
    steps = get(item, "loc")
    return ".".join(map(str, steps[:9])) if isinstance(steps, list) else ""


def _loaded(text: str) -> object:
    """The error that a text holds as JSON, or else the text."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return get(found, _PARTS[0]) or found


def _plain(body: bytes) -> str:
    """The words of a page or a text, or a body as it is."""
    text = body[: 2**14].decode("utf-8", errors="replace")
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>", " ", text)
    text = re.sub(r"(?s)<[^>]{0,2000}>", " ", text)
    return "".join(sign for sign in text if sign.isprintable() or sign.isspace())
