"""A judge at the servers of many products: verdicts are read by the code that reads summaries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from paperclip_cli.errors import BadItem, PaperclipError
from paperclip_cli.http.retry import Patience
from paperclip_cli.summaries.llm.judge import QUESTION, LanguageJudge, shape
from paperclip_cli.summaries.llm.openai import ServerWriter
from tests.standin.llm import LlmStandIn, llm_standin
from tests.standin.llm_products import PRODUCTS

HASTY = Patience(tries=6, first_wait=0.01, longest_wait=0.02)


@pytest.fixture
def llm() -> Iterator[LlmStandIn]:
    with llm_standin() as standin:
        yield standin


def judge(llm: LlmStandIn, most_tokens: int | None = None) -> LanguageJudge:
    writer = ServerWriter(
        *(llm.url, "stand-in", "", QUESTION), patience=HASTY, shape=shape(), most_tokens=most_tokens
    )
    return LanguageJudge(writer, most_tokens)


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_product_can_judge(llm: LlmStandIn, name: str) -> None:
    llm.product = PRODUCTS[name]
    judging = judge(llm, 2_000)
    assert [judging.is_relevant("comets", f"Comet {number}.") for number in range(3)] == [True] * 3
    assert len(llm.accepted) == 3
    limits = {asked.get("max_tokens", asked.get("max_completion_tokens")) for asked in llm.accepted}
    assert limits == {2_000}


@pytest.mark.parametrize("fault", ["html", "none", "error200", "402", "405", "quota", "500"])
def test_a_hopeless_server_ends_the_evaluation(llm: LlmStandIn, fault: str) -> None:
    llm.faults = [fault] * 100
    judging = judge(llm)
    with pytest.raises(PaperclipError) as error:
        for number in range(40):
            with pytest.raises(BadItem):
                judging.is_relevant("comets", f"Comet {number}.")
    assert len(llm.asked) <= 8 and "HTTP" in error.value.message


@pytest.mark.parametrize("fault", ["context", "filter", "prose", "refusal", "json"])
def test_one_abstract_has_no_verdict_alone(llm: LlmStandIn, fault: str) -> None:
    llm.product = PRODUCTS["vLLM"]
    judging = judge(llm)
    for number in range(12):
        with pytest.raises(BadItem):
            judging.is_relevant("comets", f"FAULT:{fault} Comet {number}.")
    assert judging.is_relevant("comets", "A comet.")


def test_a_verdict_that_is_cut_names_the_limit(llm: LlmStandIn) -> None:
    with pytest.raises(BadItem, match="cut off; --max-tokens leaves more room"):
        judge(llm).is_relevant("comets", "FAULT:length")
