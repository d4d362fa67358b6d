"""Replies of servers: the answer is found in whatever envelope it comes, and only the answer."""

from __future__ import annotations

import gc
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.summaries.llm import judge, schema
from paperclip_cli.summaries.llm.reply import Reply, decoded, read_reply
from tests.standin.llm_products import DRAFT, SUMMARY, completion, stream


def read(message: dict, reason: str = "stop") -> Reply:
    body = json.dumps(completion(message, reason)).encode()
    found = read_reply(decoded(body), schema.shape())
    assert found is not None
    return found


def part(text: str, kind: str = "text") -> dict:
    return {"type": kind, "text": text}


THOUGHT = f"I could write {DRAFT}, but no."
SPACED = json.dumps(json.loads(SUMMARY), indent=2)
ENVELOPES = {
    "plain": {"content": SUMMARY},
    "spaced": {"content": f"\n{SPACED}\n"},
    "parts": {"content": [part(SUMMARY[:20]), part(SUMMARY[20:])]},
    "texts": {"content": [SUMMARY]},
    "output": {"content": [part(SUMMARY, "output_text")]},
    "one part": {"content": part(SUMMARY)},
    "decoded": {"content": json.loads(SUMMARY)},
    "thinking part": {
        "content": [{"type": "thinking", "thinking": [part(THOUGHT)]}, part(SUMMARY)]
    },
    "think": {"content": f"<think>\n{THOUGHT}\n</think>\n\n{SUMMARY}"},
    "template's think": {"content": f"{THOUGHT}</think>{SUMMARY}"},
    "thinking": {"content": f"<thinking>{THOUGHT}</thinking>{SUMMARY}"},
    "namespace": {"content": f"<seed:think>{THOUGHT}</seed:think>{SUMMARY}"},
    "Magistral": {"content": f"[THINK]{THOUGHT}[/THINK]{SUMMARY}</s>"},
    "Kimi": {"content": f"◁think▷{THOUGHT}◁/think▷{SUMMARY}"},
    "harmony": {
        "content": f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{SUMMARY}<|return|>"
    },
    "fence": {"content": f"```json\n{SPACED}\n```"},
    "bare fence": {"content": f"```\n{SUMMARY}\n```"},
    "preamble": {"content": f"Sure! The {{form}} that you want:\n\n{SUMMARY}\n\nI hope it helps."},
    "corrected": {"content": f"{DRAFT}\nOn second thoughts:\n{SUMMARY}"},
    "wrapped": {"content": f'{{"summary": {SUMMARY}}}'},
    "end token": {"content": f"{SUMMARY}<|im_end|>\n<|endoftext|>"},
    "turn's end": {"content": f"{SUMMARY}<end_of_turn>"},
    "reasoning_content": {"content": None, "reasoning_content": SUMMARY},
    "reasoning": {"content": "", "reasoning": f"\n```json\n{SUMMARY}\n```\n"},
    "reasoning and its draft": {"content": None, "reasoning_content": f"{THOUGHT}\n{SUMMARY}"},
    "think alone": {"content": f"<think>{SUMMARY}</think>"},
    "thoughts apart": {"content": SUMMARY, "reasoning_content": THOUGHT},
    "thought behind": {"content": f"{SUMMARY}<think>{THOUGHT}</think>"},
    "two thoughts": {"content": f"<think>Hm.</think><think>{THOUGHT}</think>{SUMMARY}"},
    "value": {"content": [{"type": "text", "text": {"value": SUMMARY}}]},
    "string": {"content": json.dumps(SUMMARY)},
    "tool": {"content": None, "tool_calls": [{"function": {"arguments": SUMMARY}}]},
}
NO_ANSWERS = {
    "prose": ({"content": "Black holes are nice."}, "stop"),
    "draft in a thought": ({"content": f"<think>{THOUGHT}</think>I cannot say."}, "stop"),
    "thought without end": ({"content": f"<think>{THOUGHT}"}, "length"),
    "thought that was cut": ({"content": None, "reasoning_content": THOUGHT}, "length"),
    "cut after a draft": ({"content": "", "reasoning_content": f"Say {DRAFT}"}, "length"),
    "draft amid a thought": ({"content": None, "reasoning_content": THOUGHT}, "stop"),
    "another form": ({"content": '{"objects": ["black holes"]}'}, "stop"),
    "cut": ({"content": SUMMARY[:-5]}, "length"),
    "nothing": ({"content": None}, "stop"),
    "odd parts": ({"content": [None, 7, {"type": "image"}, {"text": 3}]}, "stop"),
    "nested": ({"content": '{"a":' * 5_000}, "stop"),
    "nested thoughts": (
        json.loads('{"content":' + '[{"thinking":' * 300 + '""' + "}]" * 300 + "}"),
        "",
    ),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_the_answer_is_found_in_its_envelope(name: str) -> None:
    found = read(ENVELOPES[name])
    assert found.has_answer and json.loads(found.text) == json.loads(SUMMARY)
    assert schema.parse(found.text) is not None
    assert (found.prompt_tokens, found.tokens) == (11, 7)


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_holds_no_answer_is_none(name: str) -> None:
    message, reason = NO_ANSWERS[name]
    found = read(message, reason)
    assert not found.has_answer and found.is_cut is (reason == "length")


@pytest.mark.parametrize("reason", ["length", "LENGTH", "max_tokens", "model_length"])
def test_servers_call_a_cut_differently(reason: str) -> None:
    assert read({"content": "{"}, reason).is_cut


def test_an_event_stream_adds_up() -> None:
    half = len(SUMMARY) // 2
    body = stream({"role": "assistant"}, {"content": SUMMARY[:half]}, {"content": SUMMARY[half:]})
    found = read_reply(decoded(body), schema.shape())
    assert found == Reply(text=SUMMARY, has_answer=True, reason="stop", prompt_tokens=11, tokens=7)
    whole = f"event: message\r\ndata: {json.dumps(completion({'content': SUMMARY}))}\r\n\r\n"
    found = read_reply(decoded(whole.encode()), schema.shape())
    assert found is not None and found.has_answer


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_event_streams_are_cut_into_events_in_any_way(end: str) -> None:
    half = len(SUMMARY) // 2
    body = stream({"content": SUMMARY[:half]}, {"content": SUMMARY[half:]}).decode()
    whole = json.dumps(completion({"content": f"\u2028{SUMMARY}"}), indent=1, ensure_ascii=False)
    spread = "".join(f"data: {line}\n" for line in whole.split("\n"))
    for text in (body, body.replace("\n\n", "\n"), f"\ufeff{spread}\n", body.replace(": ", ":")):
        found = read_reply(decoded(text.replace("\n", end).encode()), schema.shape())
        assert found is not None and found.has_answer and found.reason == "stop"
        assert json.loads(found.text) == json.loads(SUMMARY)


def test_the_arguments_of_a_tool_add_up_too() -> None:
    half = len(SUMMARY) // 2
    pieces = ({"function": {"arguments": text}} for text in (SUMMARY[:half], SUMMARY[half:]))
    found = read_reply(decoded(stream(*({"tool_calls": [one]} for one in pieces))), schema.shape())
    assert found is not None and found.text == SUMMARY


def test_an_error_in_an_event_stream_is_the_reply() -> None:
    broken = stream({"content": SUMMARY[:9]}, end={"error": {"code": 502, "message": "Gone."}})
    assert read_reply(decoded(broken), schema.shape()) is None
    assert decoded(broken) == {"error": {"code": 502, "message": "Gone."}}
    told = {"object": "error", "message": "Gone.", "code": 502}
    assert decoded(stream({"content": SUMMARY[:9]}, end=told)) == told


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>Please log in.</html>",
        b'{"choices": []}',
        b'{"choices": {"0": null}}',
        b'{"choices": [{"text": "a completion of another kind"}]}',
        b'{"error": "no"}',
        b"data: [DONE]\n\n",
        b"\x00\xff{[" * 50,
        b"[" * 100_000,
    ],
)
def test_what_is_no_chat_completion_is_none(body: bytes) -> None:
    gc.collect()  # what other tests left would be finalised at the depth of the last body, and fail
    assert read_reply(decoded(body), schema.shape()) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_nothing_around_an_answer_hides_it(before: str, after: str) -> None:
    found = read({"content": f"{before}\n{SUMMARY}\n{after}"})
    marks = ("think", "THINK", "channel", "thought", "reasoning")
    if not any(mark in before + after for mark in marks):
        assert found.has_answer and found.text == SUMMARY


def test_the_last_word_of_a_judge_counts() -> None:
    body = json.dumps(
        completion({"content": '<think>{"relevant": false}?</think> ```{"relevant": true}```'})
    )
    found = read_reply(decoded(body.encode()), judge.shape())
    assert found is not None and json.loads(found.text) == {"relevant": True}
