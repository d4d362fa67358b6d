"""`summarize` with the servers of many products: what was sent is what the records say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from paperclip_cli.cli.app import run as paperclip
from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import ExitCode, PaperclipError
from paperclip_cli.http import retry
from paperclip_cli.progress import SilentProgress
from paperclip_cli.records import Making
from paperclip_cli.stages.summarize import run
from paperclip_cli.summaries.files import read_failures, read_summaries
from paperclip_cli.summaries.llm import openai
from paperclip_cli.workspace import Workspace
from tests.factories import write_holes
from tests.standin.llm import LlmStandIn, llm_standin
from tests.standin.llm_products import PRODUCTS

VARIED = {
    "OpenAI": ("no minLength",),
    "OpenAI, a reasoning model": ("max_completion_tokens", "no temperature"),
    "Azure": ("max_completion_tokens", "no minLength", "no temperature"),
    "llama-cpp-python": ("json_object with a schema",),
    "Mistral": ("no seed",),
    "a gateway": ("no seed",),
    "Gemini": ("no seed", "no additionalProperties"),
    "DeepSeek": ("json_object with a schema",),
    "DashScope": ("stream",),
}
AT_ONCE = {"html", "none", "shape", "error200", "402", "405", "quota"}  # one request
HOPELESS = {
    "html": "no chat completion .HTTP 200: Please log in",
    "none": "no chat completion",
    "shape": "no chat completion",
    "error200": "answers with an error .HTTP 200: The model is broken",
    "busy200": "no answer to 8 requests; the last: HTTP 503: Overloaded",
    "402": "wants payment .HTTP 402: The words of 402",
    "405": "no such model or service .HTTP 405: The words of 405",
    "quota": "wants payment .HTTP 429: You exceeded your current quota",
    "400": "refuses every request .HTTP 400: The words of 400",
    "500": "no answer to 8 requests; the last: HTTP 500: Something went wrong",
    "429": "no answer to 8 requests; the last: HTTP 429: Rate limit reached",
    "length": "no answer to 8 requests; the last: an answer cut off at 512 tokens",
}


class Notes(SilentProgress):
    """Keeps what the user is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmStandIn]:
    hasty = retry.Patience(tries=6, first_wait=0.01, longest_wait=0.01)
    monkeypatch.setattr(openai, "Patience", lambda tries: hasty)
    with llm_standin() as standin:
        yield standin


def summarize(workspace: Workspace, llm: LlmStandIn, **more: object) -> list[str]:
    notes = Notes()
    config = SummarizeConfig(backend="openai", base_url=llm.url, llm="stand-in", **more)  # type: ignore[arg-type]
    run(config, workspace, notes)
    return notes.told


def made(workspace: Workspace) -> list[Making]:
    found = read_summaries(workspace, "openai").values()
    return [summary.made for summary in found if summary.made is not None]


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_product_answers_and_the_record_says_what_was_sent(
    workspace: Workspace, llm: LlmStandIn, name: str
) -> None:
    write_holes(workspace, 5)
    llm.product = PRODUCTS[name]
    told = summarize(workspace, llm)
    varied = VARIED.get(name, ())
    assert len(made(workspace)) == 5 and len(llm.asked) == 5 + len(varied)
    assert len(llm.accepted) == 5
    for record, asked in zip(made(workspace), llm.accepted, strict=True):
        limit = asked.get("max_tokens", asked.get("max_completion_tokens"))
        said = (asked.get("temperature"), asked.get("seed"), limit)
        assert said == (record.temperature, record.seed, record.max_tokens)
        assert set(record.varied) == set(varied)
    assert len(told) == bool(varied) and all("because it refused: HTTP" in text for text in told)


@pytest.mark.parametrize("fault", HOPELESS)
def test_a_hopeless_server_ends_the_run_in_its_own_words(
    workspace: Workspace, llm: LlmStandIn, fault: str
) -> None:
    write_holes(workspace, 40)
    llm.faults = [fault] * 1_000
    with pytest.raises(PaperclipError, match=HOPELESS[fault]) as error:
        summarize(workspace, llm)
    assert len(llm.asked) <= (1 if fault in AT_ONCE else 8) and error.value.hint
    assert fault != "length" or "--max-tokens" in error.value.hint


@pytest.mark.parametrize("fault", ["html", "none", "error200", "400"])
def test_a_server_that_becomes_hopeless_ends_the_run_soon(
    workspace: Workspace, llm: LlmStandIn, fault: str
) -> None:
    write_holes(workspace, 150, **{f"p{number}": f"FAULT:{fault}" for number in range(20, 151)})
    with pytest.raises(PaperclipError, match="has stopped answering"):
        summarize(workspace, llm)
    assert len(llm.asked) <= 19 + 8 + 8, "some were in flight among the good ones"
    assert len(read_summaries(workspace, "openai")) == 19


@pytest.mark.parametrize("fault", ["500", "busy200", "429", "hangup"])
def test_what_passes_changes_no_request(workspace: Workspace, llm: LlmStandIn, fault: str) -> None:
    write_holes(workspace, 4)
    llm.faults = [fault]
    assert not summarize(workspace, llm)
    first = llm.asked[0]
    for asked in llm.asked:
        assert {**asked, "messages": 0} == {**first, "messages": 0} and asked["seed"] == 42
    assert {(one.temperature, one.seed, one.varied) for one in made(workspace)} == {(0.0, 42, ())}


def test_the_record_of_a_failure_says_what_was_sent_too(
    workspace: Workspace, llm: LlmStandIn
) -> None:
    write_holes(workspace, 3, p2="FAULT:filter Black holes.", p3="FAULT:500 Black holes.")
    llm.product, llm.refused_field = PRODUCTS["OpenAI, a reasoning model"], "seed"
    summarize(workspace, llm, workers=1)
    failed = read_failures(workspace, "openai").values()
    assert [one.may_pass for one in failed] == [False, True]
    for one in failed:
        assert one.made is not None and one.made.tries == 0
        assert one.made.seed is None is one.made.temperature
        assert set(one.made.varied) == {"no seed", "no temperature", "max_completion_tokens"}


@pytest.mark.parametrize("fault", ["context", "filter"])
def test_one_abstract_is_refused_alone(workspace: Workspace, llm: LlmStandIn, fault: str) -> None:
    refused = [*range(1, 11), 13]  # also if the first ten are
    write_holes(
        workspace, 14, **{f"p{number}": f"FAULT:{fault} Black holes." for number in refused}
    )
    told = summarize(workspace, llm)
    assert len(told) == (fault == "context") and all("--context" in text for text in told)
    assert sorted(key.proposal_id for key in read_summaries(workspace, "openai")) == [11, 12, 14]
    failed = read_failures(workspace, "openai").values()
    assert len(failed) == 11
    assert all("refuses the request (HTTP 400" in one.reason for one in failed)
    assert not any(one.may_pass for one in failed) and len(llm.asked) == 14


@pytest.mark.parametrize("fault", ["prose", "refusal"])
def test_an_answer_of_another_form_is_the_models_failure(
    workspace: Workspace, llm: LlmStandIn, fault: str
) -> None:
    write_holes(workspace, 12)
    llm.faults = [fault] * 1_000
    summarize(workspace, llm, tries=2)
    failed = read_failures(workspace, "openai").values()
    assert len(failed) == 12 and len(llm.asked) == 24
    assert all(one.reason.endswith("(the last: not in the form)") and one.text for one in failed)


def test_a_limit_of_the_answer_is_sent_recorded_and_part_of_the_set(
    workspace: Workspace, llm: LlmStandIn
) -> None:
    write_holes(workspace, 2)
    summarize(workspace, llm, max_tokens=9_000)
    assert [asked["max_tokens"] for asked in llm.asked] == [9_000] * 2
    assert {one.max_tokens for one in made(workspace)} == {9_000}
    write_holes(workspace, 3)
    with pytest.raises(PaperclipError, match=r"were made by openai stand-in .*-9000, not by"):
        summarize(workspace, llm)
    summarize(workspace, llm, max_tokens=9_000)
    assert len(made(workspace)) == 3

    summarize(workspace, llm, set_name="usual", max_tokens=512)
    assert not summarize(workspace, llm, set_name="usual"), "the usual limit may be given or not"


def test_a_cut_answer_says_so_and_is_asked_for_again_with_another_limit(
    workspace: Workspace, llm: LlmStandIn
) -> None:
    write_holes(workspace, 2, p2="FAULT:length Black holes.")
    summarize(workspace, llm, tries=2)
    (failed,) = read_failures(workspace, "openai").values()
    assert failed.reason.endswith("(the last: cut off at 512 tokens; see --max-tokens)")


def test_max_tokens_goes_with_a_language_model(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--cache-dir", str(workspace.root), "summarize"]
    for arguments in (["--max-tokens", "900"], ["--backend", "openai", "--max-tokens", "1"]):
        assert paperclip([*place, *arguments]) == ExitCode.USAGE
        assert "--max-tokens" in capsys.readouterr().err


@pytest.mark.parametrize(
    "key", ["sk-se\rcret", "sk-secret\nsk-secret", "sk secret", "sk-sécret", "sk-\x01secret"]
)
def test_a_key_that_is_none_is_one_line_and_never_shown(
    workspace: Workspace,
    llm: LlmStandIn,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    write_holes(workspace, 1)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    place = ["--cache-dir", str(workspace.root), "summarize", "--backend", "openai"]
    assert paperclip([*place, "--base-url", llm.url]) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert "OPENAI_API_KEY is not a key" in said and "secret" not in said and "cret" not in said
    assert not llm.asked


@pytest.mark.parametrize("key", ["sk-very-secret", "secret", 'sk-secret/+="quoted"\\'])
def test_a_key_that_a_server_repeats_is_not_shown(
    workspace: Workspace,
    llm: LlmStandIn,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    write_holes(workspace, 8, p2="FAULT:echo", **{f"p{n}": "FAULT:echoes" for n in range(3, 9)})
    monkeypatch.setenv("OPENAI_API_KEY", key)
    place = ["--cache-dir", str(workspace.root), "summarize", "--backend", "openai"]
    assert paperclip([*place, "--base-url", llm.url, "--workers", "1"]) == ExitCode.PARTIAL
    said = capsys.readouterr().err
    assert "Not for Bearer ***" in said and "Not for ***" in said and key[:4] not in said
    kept = workspace.summaries("openai")
    text = b"".join(path.read_bytes() for path in kept.iterdir() if path.is_file())
    assert b"I cannot say ***." in text and key[:4].encode() not in text


def test_a_key_that_is_a_word_does_not_spoil_an_answer(
    workspace: Workspace, llm: LlmStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_holes(workspace, 1)
    monkeypatch.setenv("OPENAI_API_KEY", "holes")
    summarize(workspace, llm)
    (found,) = read_summaries(workspace, "openai").values()
    assert found.objects_and_phenomena == ("black holes",)
