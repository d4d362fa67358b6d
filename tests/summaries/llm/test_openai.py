"""The backend `openai` against a stand-in on loopback: requests, replies and faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paperclip_cli.errors import BadItem, PaperclipError, Unreachable, UsageError
from paperclip_cli.http.retry import Patience
from paperclip_cli.summaries.llm import schema
from paperclip_cli.summaries.llm.base import Answer, Sampling, Sent
from paperclip_cli.summaries.llm.openai import ServerWriter, is_local
from paperclip_cli.summaries.llm.prompt import PLACE, Prompt
from tests.standin.llm import SUMMARY, LlmStandIn, llm_standin

PROMPT = Prompt.parse(f"Summarize: {PLACE}")
HASTY = Patience(tries=3, first_wait=0.01, longest_wait=0.02)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmStandIn]:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # not for a server on this machine
    with llm_standin() as standin:
        yield standin


def writer(
    server: LlmStandIn,
    model: str = "stand-in",
    key: str = "",
    timeout: float = 20.0,
    context: int | None = None,
) -> ServerWriter:
    return ServerWriter(
        server.url, model, key, PROMPT, context=context, timeout=timeout, patience=HASTY
    )


def ask(asking: ServerWriter, abstract: str = "Black holes.", temperature: float = 0.0) -> Answer:
    (answer,) = asking.write([abstract], Sampling(temperature, 3))
    return answer


def test_a_request_says_everything_and_the_answer_is_read(server: LlmStandIn) -> None:
    assert ask(writer(server)) == Answer(SUMMARY, True, 11, 7)
    (asked,) = server.asked
    assert asked["messages"] == [{"role": "user", "content": "Summarize: Black holes."}]
    expected = {"model": "stand-in", "temperature": 0.0, "seed": 3, "max_tokens": 512}
    assert {name: asked[name] for name in expected} == expected
    form = asked["response_format"]["json_schema"]
    assert form["strict"] is True and form["schema"] == schema.json_schema()


@pytest.mark.parametrize("status", [400, 422, 500])
def test_the_first_way_to_tell_the_form_that_the_server_takes_is_kept(
    server: LlmStandIn, status: int
) -> None:
    server.takes, server.refusal = ("json_object",), status
    asking = writer(server)
    assert [ask(asking).text for _ in range(2)] == [SUMMARY] * 2
    kinds = [asked["response_format"]["type"] for asked in server.asked]
    assert kinds == ["json_schema", "json_object", "json_object"]
    assert server.asked[-1]["response_format"]["schema"] == schema.json_schema()


def test_only_what_an_error_names_is_changed(server: LlmStandIn) -> None:
    server.refused_field = "max_tokens"
    answer = ask(writer(server))
    first, last = server.asked
    assert last.pop("max_completion_tokens") == first.pop("max_tokens") == 512 and first == last
    assert answer.sent == Sent(0.0, 3, 512, ("max_completion_tokens",))


def test_a_server_that_is_down_at_first_is_not_taken_for_one_that_refuses(
    server: LlmStandIn,
) -> None:
    asking = writer(server)
    with pytest.raises(Unreachable, match=r"HTTP 500 .3 tries"):
        ask(asking, "FAULT:500")
    ask(asking)
    last = server.asked[-1]
    assert last["response_format"]["type"] == "json_schema" and "max_tokens" in last


def test_a_server_without_schemas_is_told_to_the_user(server: LlmStandIn) -> None:
    server.takes = ()
    told = r"accepts no request for a JSON schema .HTTP 400: Unsupported: response_format"
    with pytest.raises(PaperclipError, match=told):
        ask(writer(server))


def test_the_only_model_of_a_server_needs_no_name(server: LlmStandIn) -> None:
    assert writer(server, model="").model == "stand-in"
    server.models = ["a", "b"]
    with pytest.raises(UsageError, match="does not say which model to use; it has 'a', 'b'"):
        writer(server, model="")


@pytest.mark.parametrize(
    ("listing", "told"),
    [
        (b'[{"id": "stand-in"}]', ""),  # Together's
        (b"<html>Please log in.</html>", "which model to use; HTTP 200: Please log in"),
        (b'{"error": "Unexpected endpoint. (GET /models)"}', "HTTP 200: Unexpected endpoint"),
        (b'{"error": {"message": "No key", "code": 401}}', "HTTP 200|refuses the key"),
    ],
)
def test_what_a_server_says_of_its_models(server: LlmStandIn, listing: bytes, told: str) -> None:
    server.listing = listing
    if told:
        with pytest.raises(PaperclipError, match=told):
            writer(server, model="")
    else:
        assert writer(server, model="").model == "stand-in"


def test_a_server_that_has_answered_may_forbid_one_abstract(server: LlmStandIn) -> None:
    with pytest.raises(PaperclipError, match=r"refuses the key .HTTP 403: The words of 403"):
        ask(writer(server), "FAULT:403")
    asking = writer(server)
    ask(asking)
    with pytest.raises(BadItem, match="HTTP 403: The words of 403"):
        ask(asking, "FAULT:403")


def test_created_is_an_answer_and_json_that_a_model_did_not_write_is_asked_for_again(
    server: LlmStandIn,
) -> None:
    assert ask(writer(server), "FAULT:201").text == SUMMARY
    answer = ask(writer(server), "FAULT:json")
    assert schema.parse(answer.text) is None and "Failed to generate JSON" in answer.text


def test_the_key_goes_to_the_server_and_not_a_netrc_s(
    server: LlmStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.key = "secret"
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert ask(writer(server, key="secret")).text == SUMMARY

    told = r"refuses the key .HTTP 401: Incorrect API key"
    with pytest.raises(PaperclipError, match=told) as error:
        ask(writer(server, key="wrong"))
    assert "OPENAI_API_KEY" in (error.value.hint or "") and "wrong" not in error.value.message


@pytest.mark.parametrize(
    ("model", "fault", "message"),
    [
        ("other", "", "no such model or service"),
        ("stand-in", "FAULT:301", "redirects to another address"),
    ],
)
def test_what_no_abstract_could_be_answered_with_ends_the_run(
    server: LlmStandIn, model: str, fault: str, message: str
) -> None:
    with pytest.raises(PaperclipError, match=message):
        ask(writer(server, model), fault)


def test_no_server_is_said_at_once(server: LlmStandIn) -> None:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    with pytest.raises(PaperclipError, match=r"no server answers at .*: connection refused"):
        ask(ServerWriter(url, "m", "", PROMPT))


@pytest.mark.parametrize("fault", ["garbage", "html", "refusal", "shape"])
def test_what_is_no_answer_has_not_the_form_and_keeps_its_text(
    server: LlmStandIn, fault: str
) -> None:
    asking = writer(server)
    ask(asking)
    answer = ask(asking, f"FAULT:{fault}")
    assert schema.parse(answer.text) is None and answer.text and answer.is_whole
    assert fault != "refusal" or answer.text == "I cannot help with that."


def test_an_answer_that_the_limit_cut_off_is_not_whole(server: LlmStandIn) -> None:
    assert not ask(writer(server), "FAULT:length").is_whole


@pytest.mark.parametrize(("fault", "requests"), [("429", 3), ("500", 3), ("hangup", 3)])
def test_what_may_pass_is_tried_again_and_then_given_up(
    server: LlmStandIn, fault: str, requests: int
) -> None:
    asking = writer(server)
    ask(asking)
    with pytest.raises(Unreachable, match="3 tries"):
        ask(asking, f"FAULT:{fault}")
    assert len(server.asked) == 1 + requests


def test_an_endless_answer_ends_by_its_size_or_its_time(server: LlmStandIn) -> None:
    with pytest.raises(BadItem, match="the server's answer is larger than 1 MiB"):
        ask(writer(server), "FAULT:endless")
    with pytest.raises(Unreachable, match="too slowly"):
        ask(writer(server, timeout=0.3), "FAULT:trickle")


def test_a_request_that_only_this_abstract_spoils_is_its_failure(server: LlmStandIn) -> None:
    asking = writer(server)
    ask(asking)
    told = r"refuses the request .HTTP 400: This model's maximum context"
    with pytest.raises(BadItem, match=told):
        ask(asking, "FAULT:context")


def test_a_server_that_is_gone_ends_the_run(server: LlmStandIn) -> None:
    asking = writer(server)
    ask(asking)
    for _ in range(9):
        with pytest.raises(Unreachable):
            ask(asking, "FAULT:500")
    with pytest.raises(PaperclipError, match="has stopped answering"):
        ask(asking, "FAULT:500")


def test_room_is_an_estimate_where_the_context_is_given(server: LlmStandIn) -> None:
    assert writer(server).room > 10**9
    asking = writer(server, context=600)
    assert 0 < asking.room < 600 - 512 and asking.count("a" * 30) == 10
    with pytest.raises(PaperclipError, match="no room"):
        writer(server, context=512).prepare()


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.0.0.2/v1", True),
        ("http://[::1]:8/v1", True),
        ("http://127.0.0.1.example.org/v1", False),
        ("https://api.openai.com/v1", False),
        ("x", False),
    ],
)
def test_what_is_on_this_machine(url: str, local: bool) -> None:
    assert is_local(url) is local
