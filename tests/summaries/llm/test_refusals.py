"""Refusals of servers: what is read from them, and what of a request they change."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.summaries.llm import schema
from paperclip_cli.summaries.llm.base import Sampling, Sent
from paperclip_cli.summaries.llm.dialect import FORMS, Dialect
from paperclip_cli.summaries.llm.refusals import Refusal
from paperclip_cli.summaries.llm.reply import broke_off, decoded, model_names, read_reply

SAMPLING = Sampling(0.3, 7)


def refusal(body: object, status: int = 400) -> Refusal:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Refusal(status=status, body=raw, decoded=decoded(raw))


def error(message: str, **more: object) -> dict:
    return {"error": {"message": message, **more}}


def beside(body: object, first: Dialect | None = None) -> Dialect | None:
    return (first or Dialect()).beside(refusal(body).names, schema.shape())


def test_the_first_request_says_everything() -> None:
    said = Dialect().request(schema.shape(), SAMPLING, 900)
    form = said.pop("response_format")
    assert said == {"temperature": 0.3, "seed": 7, "max_tokens": 900}
    assert form["type"] == "json_schema" and form["json_schema"]["schema"] == schema.json_schema()
    assert Dialect().sent(SAMPLING, 900) == Sent(0.3, 7, 900)


@pytest.mark.parametrize(
    ("body", "varied"),
    [
        (error("Use 'max_completion_tokens'.", param="max_tokens"), "max_completion_tokens"),
        (error("max_tokens is not supported. Use max_completion_tokens"), "max_completion_tokens"),
        (error("'temperature' does not support 0 with this model.", param="temperature"), None),
        (error("Unsupported parameter(s): `seed`, `temperature`"), "no seed"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs"}]}, "no seed"),
        ({"object": "error", "message": {"detail": [{"loc": ["body", "seed"]}]}}, "no seed"),
        ([error('Invalid JSON payload received. Unknown name "seed"')], "no seed"),
        (error("In context=('items',), 'minLength' is not permitted."), "no minLength"),
        (error("'minLength' is not permitted.", param="response_format"), "no minLength"),
        (error("response schemas specified unsupported field min_length"), "no minLength"),
        (error("For 'array' type, property 'maxItems' is not supported"), "no maxItems"),
        (error("Unknown name \"title\" at 'generation_config.response_schema'"), "no title"),
        (error("response_format.json_schema: 'strict' is not known"), "no strict"),
        (error("no", param="response_format.json_schema.strict"), "no strict"),
        (error("This response_format type is unavailable now"), "json_object with a schema"),
        (error("does not support response format `json_schema`"), "json_object with a schema"),
        ({"error": "Failed to parse grammar"}, "json_object with a schema"),
        (error("'messages' must contain the word 'json' in some form"), "the word JSON"),
        (error("only support stream mode, please enable the stream parameter"), "stream"),
        (error("Provider returned error", metadata={"raw": '{"error": "seed: no"}'}), "no seed"),
    ],
)
def test_one_thing_is_changed_which_the_error_names(body: object, varied: str | None) -> None:
    found = beside(body)
    assert found is not None and found.varied == (varied or "no temperature",)
    before, after = (one.request(schema.shape(), SAMPLING, 512) for one in (Dialect(), found))
    changed = sum(before.get(name) != after.get(name) for name in before | after)
    assert changed in ((0,) if found.says_json else (1, 2))
    assert ("JSON" in found.told("Go.")) is found.says_json


@pytest.mark.parametrize(
    "body",
    [
        error("Bad Request"),
        error("The model `seed-oss` is not loaded"),
        error("a title is a description of the type"),
        b"<html>We stream max_tokens at a temperature</html>",
        b"",
    ],
)
def test_an_error_that_names_nothing_of_the_request_changes_nothing(body: object) -> None:
    assert beside(body) is None


def test_what_was_changed_already_is_not_changed_again() -> None:
    dialect, seen = Dialect(), []
    told = "seed temperature max_tokens max_completion_tokens response_format 'strict' only stream"
    told += " minLength minItems maxItems additionalProperties 'title' 'description'"
    while (found := beside(error(told), dialect)) is not None:
        dialect = found
        seen.append(found)
    assert len(seen) == len(set(seen)) <= 15 and dialect.form == FORMS[-1]
    said = dialect.request(schema.shape(), SAMPLING, 512)
    assert said == {"response_format": {"type": "json_object"}, "stream": True}
    sent = dialect.sent(SAMPLING, 512)
    assert sent.seed is None is sent.temperature and sent.max_tokens is None


def test_a_keyword_goes_from_the_whole_schema_and_a_field_of_its_name_stays() -> None:
    found = Dialect(without=("minLength", "title", "additionalProperties"))
    form = found.request(schema.shape(), SAMPLING, 512)["response_format"]["json_schema"]["schema"]
    assert not {'"minLength"', '"title"', '"additionalProperties"'} & set(
        json.dumps(form).replace(":", " ").split()
    )
    assert form["properties"].keys() == schema.json_schema()["properties"].keys()
    assert form["required"] == schema.json_schema()["required"]


ABSTRACT = "We measure the temperature of a stellar stream, and seed black holes in it."


@pytest.mark.parametrize(
    "words",
    [
        f"Invalid prompt: '{ABSTRACT}'",
        f"Input should be a list, got {ABSTRACT.split(',')[0]}",
        f"Invalid content ({ABSTRACT[:50]}",
    ],
)
def test_words_of_the_abstract_are_not_the_servers(words: str) -> None:
    body = error(words)
    told = Refusal(status=400, body=b"", decoded=body, prompt=f"Summarize this.\n\n{ABSTRACT}")
    assert Dialect().beside(told.names, schema.shape()) is None
    assert not told.is_of_abstract and words[:20] in told.words


@pytest.mark.parametrize(
    ("words", "varies"),
    [
        ("Internal error: the GPU's temperature is high", False),
        ("The response stream was reset", False),
        ("CUDA out of memory at response_format", False),
        ("{'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted'}", True),
        ("response_format: json_schema is not implemented", True),
    ],
)
def test_a_server_that_breaks_has_to_refuse_what_it_names(words: str, varies: bool) -> None:
    names = refusal(error(words), 500).names
    assert (Dialect().beside(names, schema.shape()) is not None) is varies


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (error("This model's maximum context length is 4096 tokens. However, max_tokens"), 400),
        (error("the request exceeds the available context size", code=400), 400),
        (error("the request exceeds the available context size", code=500), 500),
        (error("prompt is too long: 210000 tokens > 200000 maximum"), 400),
        (error("Please shorten", code="context_length_exceeded"), 400),
        (error("The response was filtered", code="content_filter", param="prompt"), 400),
        (error("no", innererror={"code": "ResponsibleAIPolicyViolation"}), 400),
        (error("Your input was flagged", code=403), 403),
        (error("The input token count (1200000) exceeds the maximum number of tokens"), 400),
        (error("Input is too long for requested model."), 400),
        ({"error": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"}, 422),
        (error("<400> InternalError.Algo.InvalidParameter: Range of input length should be"), 400),
        (error("Content Exists Risk", type="invalid_request_error"), 400),
        (
            error("Input data may contain inappropriate content.", code="data_inspection_failed"),
            400,
        ),
        (b"Payload Too Large", 413),
    ],
)
def test_a_refusal_of_one_abstract(body: object, status: int) -> None:
    assert refusal(body, status).is_of_abstract


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (error("Too many tokens per minute"), 429),
        (error("The server is overloaded"), 503),
        (error("Incorrect API key provided"), 401),
        (error("The request took too long"), 500),
        (error("Unsupported parameter: 'seed'"), 400),
    ],
)
def test_a_refusal_of_every_abstract(body: object, status: int) -> None:
    assert not refusal(body, status).is_of_abstract


def test_money_and_keys() -> None:
    assert refusal(error("Insufficient credits", code=402), 402).is_of_money
    assert refusal(error("You exceeded", code="insufficient_quota"), 429).is_of_money
    assert refusal(error("Your credit balance is too low to access the API")).is_of_money
    assert not refusal(error("You exceeded your current quota. Retry in 3 s"), 429).is_of_money
    assert not refusal(error("Rate limit reached"), 429).is_of_money
    assert refusal(error("API key not valid. Please pass a valid API key.")).is_of_key
    assert not refusal(error("Unsupported parameter: 'seed'")).is_of_key
    assert refusal(error("No.", code="json_validate_failed")).is_of_model_s_json
    assert refusal(error("The model `x` does not exist", code="model_not_found")).is_of_model
    assert refusal({"error": 'model "x" not found, try pulling it first'}, 400).is_of_model
    assert not refusal(error("'seed' is not supported with this model. Not found")).is_of_model
    assert refusal(error("Slow down", type="rate_limit_error"), 200).is_passing
    assert not refusal(error("The model is broken"), 200).is_passing


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (error("No.\n Never."), 400, "HTTP 400: No. Never."),
        ({"error": "no such model"}, 404, "HTTP 404: no such model"),
        ({"detail": "Not Found"}, 404, "HTTP 404: Not Found"),
        ({"message": "Unauthorized"}, 401, "HTTP 401: Unauthorized"),
        ({"detail": [{"loc": ["body", "x"], "msg": "odd"}]}, 422, "HTTP 422: body.x: odd"),
        (error("Broken", code=502), 200, "HTTP 502: Broken"),
        ({"choices": [{"error": {"code": 429, "message": "Slow"}}]}, 200, "HTTP 429: Slow"),
        (
            error("Provider returned error", metadata={"raw": '{"error": {"message": "Bad"}}'}),
            400,
            "HTTP 400: Provider returned error (Bad)",
        ),
        (b"<html><style>a{}</style><h1>Please</h1> log in</html>", 200, "HTTP 200: Please log in"),
        (b"plain words", 500, "HTTP 500: plain words"),
        ({"error": True, "message": "Down"}, 500, "HTTP 500: Down"),
        ({"success": False, "errors": [{"message": "Gone"}]}, 400, "HTTP 400: Gone"),
        ({"fault": "odd"}, 400, 'HTTP 400: {"fault": "odd"}'),
        (
            {"object": "error", "message": '{"detail": [{"loc": ["body", "x"], "msg": "No"}]}'},
            422,
            "HTTP 422: body.x: No",
        ),
        (b'{"error":' * 200 + b"1" + b"}" * 200, 400, None),
        (b"", 500, "HTTP 500"),
        (b"\x1b[31m", 500, "HTTP 500: [31m"),
    ],
)
def test_the_servers_own_words(body: object, status: int, words: str | None) -> None:
    told = refusal(body, status).words
    assert told == words if words else told.startswith("HTTP 400") and len(told) < 220


KEYS = """error errors detail message msg code type param status loc metadata raw innererror choices
    delta content text thinking value reasoning_content refusal tool_calls function arguments usage
    finish_reason prompt_tokens completion_tokens data id object""".split()
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 10**12),
    st.floats(allow_nan=False),
    st.sampled_from(["", "seed", '{"error": {"message": "x"}}', "context length", *KEYS]),
    st.text(max_size=8),
)
BODIES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(BODIES, st.sampled_from([200, 400, 402, 403, 422, 429, 500]), st.booleans())
def test_whatever_a_server_sends_is_read(body: object, status: int, streams: bool) -> None:
    raw = json.dumps(body).encode()
    told = refusal(b"data: " + raw + b"\n\n" if streams else raw, status)
    read_reply(told.decoded, schema.shape())
    model_names(told.decoded)
    broke_off(told.decoded)
    assert told.words.startswith("HTTP ") and "\n" not in told.words
    assert 200 <= told.code < 600
    kinds = ("is_error", "is_of_abstract", "is_of_money", "is_of_key", "is_of_model", "is_passing")
    assert all(isinstance(getattr(told, kind), bool) for kind in kinds)
    Dialect().beside(told.names, schema.shape())
