"""The answer in a server's reply, whatever it is wrapped in.

The envelope: one JSON object, or an event stream of its pieces; content as text, as parts, or as
the object itself; an answer that was taken for reasoning (vLLM, if a model closes no thought) or
for the arguments of a tool. The answer: JSON with thoughts or a preamble before it, a fence around
it, an end token or a remark behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from paperclip_cli.summaries.llm.base import Shape

CUT_OFF = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
_FILTERED = re.compile(r"content_?filter|safety|prohibited|blocklist|sensitive|recitation|refusal")
_DEEPEST = 4  # parts in parts
_MOST_OBJECTS = 200  # places in a text where an answer may begin
# The marks around thoughts: DeepSeek's, Qwen's and others, Mistral's, Kimi's, gpt-oss's.
_THOUGHT = re.compile(
    r"<(?:\w+:)?(?:think|thinking|thought|reasoning)>|\[THINK\]|◁think▷"
    r"|<\|channel\|>analysis<\|message\|>"
)
_THOUGHT_ENDS = re.compile(
    r"</(?:\w+:)?(?:think|thinking|thought|reasoning)>|\[/THINK\]|◁/think▷"
    r"|<\|channel\|>final\b[^<]*(?:<\|constrain\|>\w*)?<\|message\|>"
)
_BEHIND = re.compile(r"(?:\s|`|<[^<>\s]{1,40}>|\[/?[A-Z_]{1,20}\])*")  # fences and end tokens
_REASONING = ("reasoning_content", "reasoning")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A chat completion.

    `text` is the JSON of the answer if `has_answer`, else all that the model wrote. `reason` is the
    reason why it ended, in lower case.
    """

    text: str
    has_answer: bool
    reason: str = ""
    prompt_tokens: int = 0
    tokens: int = 0

    @property
    def is_cut(self) -> bool:
        return self.reason in CUT_OFF

    @property
    def is_filtered(self) -> bool:
        return _FILTERED.match(self.reason) is not None


def decoded(body: bytes) -> object:
    """What a body holds: JSON, the completion that an event stream adds up to, or None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _streamed(body)


def read_reply(found: object, shape: Shape) -> Reply | None:
    """The chat completion in a decoded body, or None if it is none."""
    choices = get(found, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = get(choice, "message")
    if not isinstance(message, dict):
        return None
    reason = get(choice, "finish_reason")
    reason = reason.lower() if isinstance(reason, str) else ""

    said, thought = _written(message)
    answer = None
    for text, is_thought in ((said, False), (thought, True)):
        # A draft in the middle of a thought is no answer, nor is one in a thought that was cut.
        if answer is None and not (is_thought and reason in CUT_OFF):
            answer = _object_in(text, shape, at_end=is_thought)
    refusal = get(message, "refusal")
    written = [text for text in (said, refusal, thought) if isinstance(text, str) and text]
    usage = get(found, "usage")
    return Reply(
        text=answer or (written[0] if written else ""),
        has_answer=answer is not None,
        reason=reason,
        prompt_tokens=_number(usage, "prompt_tokens"),
        tokens=_number(usage, "completion_tokens"),
    )


def model_names(found: object) -> list[str]:
    """The names in a list of models."""
    listed = found if isinstance(found, list) else get(found, "data")
    entries = listed if isinstance(listed, list) else []
    return [name for entry in entries if isinstance(name := get(entry, "id"), str)]


def broke_off(found: object) -> bool:
    """Whether a completion tells that it broke off, as OpenRouter's do."""
    choices = get(found, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return bool(get(choice, "error") or get(found, "error"))


def get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _written(message: dict) -> tuple[str, str]:
    """What a message says, and the thoughts before it."""
    said, thought = _texts(message.get("content"))
    begin, ends = _THOUGHT.search(said), list(_THOUGHT_ENDS.finditer(said))
    if ends:  # a template may have written the beginning
        first = begin.start() if begin and begin.start() < ends[0].start() else 0
        thought += said[first : ends[-1].start()]
        said = said[:first] + said[ends[-1].end() :]
    elif begin:
        thought += said[begin.end() :]  # the thought never ended
        said = said[: begin.start()]
    if not said.strip():
        said = _arguments(message.get("tool_calls"))
    if said.lstrip().startswith('"'):
        inner = _json(said)
        said = inner if isinstance(inner, str) else said  # JSON in a string of JSON
    reasons = [message.get(name) for name in _REASONING]
    thought += next((text for text in reasons if isinstance(text, str) and text), "")
    return said, thought


def _texts(content: object, deep: int = 0) -> tuple[str, str]:
    """The text of a content, and that of its thoughts."""
    if isinstance(content, str) or deep > _DEEPEST:
        return content if isinstance(content, str) else "", ""
    if isinstance(content, dict) and not {"type", "text"} & content.keys():
        return json.dumps(content, ensure_ascii=False), ""  # the answer itself, decoded
    said = thought = ""
    for part in content if isinstance(content, list) else [content]:
        text = part if isinstance(part, str) else get(part, "text")
        text = get(text, "value") if isinstance(text, dict) else text
        if isinstance(text, str):
            said += text
        inner = get(part, "thinking")
        if inner is not None:
            thought += _texts(inner, deep + 1)[0]
    return said, thought


def _arguments(calls: object) -> str:
    """The arguments of the first call of a tool: gateways make a schema into a tool."""
    call = calls[0] if isinstance(calls, list) and calls else None
    arguments = get(get(call, "function"), "arguments")
    return arguments if isinstance(arguments, str) else ""


def _object_in(text: str, shape: Shape, at_end: bool) -> str | None:
    """The last JSON object in a text that has all fields of the form, as it is written.

    With `at_end`, only fences and end tokens may follow it.
    """
    wanted, decoder = set(shape.schema["required"]), json.JSONDecoder()
    places = [found.start() for found in re.finditer(r"\{", text)]
    for start in reversed(places[-_MOST_OBJECTS:]):
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if wanted <= found.keys() and not (at_end and _BEHIND.fullmatch(text, end) is None):
            return text[start:end]
    return None


def _streamed(body: bytes) -> object:
    """The completion of an event stream: its pieces put together, or its error."""
    text: dict[str, str] = {}
    called, reason, usage = "", None, None
    events = list(_events(body))
    for event in events:
        choices = get(event, "choices")
        if get(event, "error") or (choices is None and get(event, "message")):
            return event
        usage = get(event, "usage") or usage
        choice = choices[0] if isinstance(choices, list) and choices else None
        if get(choice, "error"):
            return choice
        reason = get(choice, "finish_reason") or reason
        piece = get(choice, "delta") or get(choice, "message")
        for name in ("content", "refusal", *_REASONING):
            said, thought = _texts(get(piece, name))
            text[name] = text.get(name, "") + said
            text[_REASONING[0]] = text.get(_REASONING[0], "") + thought
        called += _arguments(get(piece, "tool_calls"))
    if not events:
        return None
    message: dict = {name: piece for name, piece in text.items() if piece}
    if called:
        message["tool_calls"] = [{"function": {"arguments": called}}]
    choices = [{"message": message, "finish_reason": reason}] if reason or message else []
    return {"choices": choices, "usage": usage}


def _events(body: bytes) -> Iterator[object]:
    """What the events hold that is JSON. An event ends at an empty line, or with its line."""
    text = body.decode("utf-8-sig", errors="replace")
    # No other sign ends a line: JSON's strings may hold what Python's splitlines cuts at.
    for event in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        lines = (line for line in event.split("\n") if line.startswith("data:"))
        data = [line.partition(":")[2] for line in lines]
        whole = _json("\n".join(data))
        yield from [whole] if whole is not None else filter(None, map(_json, data))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _number(usage: object, name: str) -> int:
    found = get(usage, name)
    return found if isinstance(found, int) and 0 <= found < 10**9 else 0
