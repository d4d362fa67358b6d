"""What the products that speak OpenAI's language refuse, and how they wrap an answer.

The words are those of their documentation and of their users' reports, read on 2026-11-29.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

SUMMARY = json.dumps(
    {"objects_and_phenomena": ["black holes"], "science_use_cases": ["weigh black holes"]}
)
VERDICT = '{"relevant": true}'
DRAFT = '{"objects_and_phenomena": ["a draft"], "science_use_cases": ["draft this"]}'
Refusal = tuple[int, dict | list]


def completion(message: dict, reason: str = "stop") -> dict:
    """A chat completion with usage."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    usage = {"prompt_tokens": 11, "completion_tokens": 7}
    return {"object": "chat.completion", "choices": [choice], "usage": usage}


def stream(*pieces: dict, end: dict | None = None) -> bytes:
    """An event stream of deltas, with a comment that keeps the connection alive."""
    chunks = [{"choices": [{"index": 0, "delta": piece}]} for piece in pieces]
    usage = {"prompt_tokens": 11, "completion_tokens": 7}
    chunks.append(end or {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": usage})
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    return f": PROCESSING\n\n{events}data: [DONE]\n\n".encode()


def _nothing(asked: dict) -> Refusal | None:
    return None


@dataclass(frozen=True)
class Product:
    """A server: its refusal of a request, if any, and the message around an answer."""

    name: str
    refusal: Callable[[dict], Refusal | None] = _nothing
    message: Callable[[str], dict] = lambda said: {"content": said}
    streams: bool = False

    def reply(self, asked: dict) -> tuple[bytes, str]:
        """The body of a completion, and its type."""
        asks_judge = '"relevant"' in asked["messages"][0]["content"]
        said = VERDICT if asks_judge else SUMMARY
        if self.streams:
            half = len(said) // 2
            pieces = [{"content": said[:half]}, {"content": said[half:]}]
            return stream({"reasoning_content": "Hm."}, *pieces), "text/event-stream"
        return json.dumps(completion(self.message(said))).encode(), "application/json"


def schema_of(asked: dict) -> dict:
    """The schema in a request, or nothing."""
    form = asked["response_format"]
    return form.get("json_schema", {}).get("schema") or form.get("schema") or {}


def _openai_error(message: str, param: str | None, code: str | None = None) -> Refusal:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return 400, {"error": error}


def _min_length(asked: dict) -> Refusal | None:
    where = "('properties', 'objects_and_phenomena', 'items')"
    words = f"Invalid schema for response_format 'summary': In context={where}, 'minLength'"
    found = "minLength" in json.dumps(schema_of(asked))
    return _openai_error(f"{words} is not permitted.", "response_format") if found else None


def _reasoning(asked: dict) -> Refusal | None:
    if "max_tokens" in asked:
        words = "Unsupported parameter: 'max_tokens' is not supported with this model."
        words += " Use 'max_completion_tokens' instead."
        return _openai_error(words, "max_tokens", "unsupported_parameter")
    if "temperature" in asked:
        words = f"Unsupported value: 'temperature' does not support {asked['temperature']} with"
        words += " this model. Only the default (1) value is supported."
        return _openai_error(words, "temperature", "unsupported_value")
    return None


def _llama_cpp_python(asked: dict) -> Refusal | None:
    if asked["response_format"]["type"] == "json_object":
        return None
    words = (
        "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': "
        "\"Input should be 'text' or 'json_object'\", 'input': 'json_schema'}]"
    )
    return 500, {"error": {"message": words, "type": "internal_server_error", "param": None}}


def _lm_studio(asked: dict) -> Refusal | None:
    if asked["response_format"]["type"] == "json_schema":
        return None
    return 400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}


def _mistral(asked: dict) -> Refusal | None:
    if "seed" not in asked:
        return None
    item = {
        "type": "extra_forbidden",
        "loc": ["body", "seed"],
        "msg": "Extra inputs are not permitted",
        "input": asked["seed"],
    }
    return 422, {"object": "error", "message": {"detail": [item]}, "type": "invalid_request_error"}


def _gateway(asked: dict) -> Refusal | None:
    """A provider's own refusal inside that of the gateway."""
    if "seed" not in asked:
        return None
    raw = json.dumps({"error": {"message": "seed is not supported by this model"}})
    error = {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}}
    return 400, {"error": error}


def _gemini(asked: dict) -> Refusal | None:
    told = "Invalid JSON payload received. Unknown name"
    if "seed" in asked:
        words = f'{told} "seed": Cannot find field.'
    elif "additionalProperties" in json.dumps(schema_of(asked)):
        words = f"{told} \"additionalProperties\" at 'generation_config.response_schema'."
    else:
        return None
    return 400, [{"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}]


def _deepseek(asked: dict) -> Refusal | None:
    if asked["response_format"]["type"] != "json_object":
        return _openai_error("This response_format type is unavailable now", None)
    if "json" in asked["messages"][0]["content"].lower():
        return None
    words = "Prompt must contain the word 'json' in some form to use 'response_format' of type"
    return _openai_error(f"{words} 'json_object'.", None)


def _dashscope(asked: dict) -> Refusal | None:
    if asked.get("stream"):
        return None
    return _openai_error(
        "This model only support stream mode, please enable the stream parameter.", None
    )


_THOUGHT = f"The user wants JSON, perhaps {DRAFT}, or better not."
PRODUCTS = {
    product.name: product
    for product in (
        Product("OpenAI", _min_length),
        Product("OpenAI, a reasoning model", _reasoning),
        Product("Azure", lambda asked: _min_length(asked) or _reasoning(asked)),
        Product("vLLM"),
        Product(
            "vLLM, JSON taken for a thought",
            message=lambda said: {"content": None, "reasoning_content": said},
        ),
        Product(
            "llama-server", message=lambda said: {"content": said, "reasoning_content": _THOUGHT}
        ),
        Product(
            "llama-cpp-python", _llama_cpp_python, lambda said: {"content": f" {said}<end_of_turn>"}
        ),
        Product("Ollama", message=lambda said: {"content": f"<think>{_THOUGHT}</think>\n\n{said}"}),
        Product(
            "LM Studio",
            _lm_studio,
            lambda said: {"content": f"Here is the summary:\n```json\n{said}\n```\nAnything else?"},
        ),
        Product(
            "Mistral",
            _mistral,
            lambda said: {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": _THOUGHT}]},
                    {"type": "text", "text": said},
                ]
            },
        ),
        Product("a gateway", _gateway, streams=True),
        Product("Gemini", _gemini),
        Product(
            "DeepSeek", _deepseek, lambda said: {"content": said, "reasoning_content": _THOUGHT}
        ),
        Product("DashScope", _dashscope, streams=True),
    )
}
