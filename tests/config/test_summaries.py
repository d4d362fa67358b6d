"""The address of a server of language models, and the limit of its answers."""

from __future__ import annotations

import pytest

from paperclip_cli.config import EvaluateConfig, SummarizeConfig, configure
from paperclip_cli.errors import UsageError


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8080/v1",
        "https://api.openai.com/v1/",
        "http://10.0.0.1:1/",
        "http://[::1]:8/v1",
        "http://gpu_node-1.lab./v1",
        "https://müller.example/v1",
        "https://gateway.example/api/v1/accounts/a/ai",
    ],
)
def test_addresses_of_servers(url: str) -> None:
    assert SummarizeConfig(backend="openai", base_url=url).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080/v1",
        "ftp://host/v1",
        "http://",
        "http:///v1",
        "http://[::1/v1",
        "http://[nonsense]/v1",
        "http://host:port/v1",
        "http://host:99999/v1",
        "http://host:0/v1",
        "http://a..b/v1",
        "http://.host/v1",
        "http://-host/v1",
        f"http://{'a' * 64}.example/v1",
        "http://ho st/v1",
        "http://host/v1\r",
        " http://host/v1",
        "http://host/v1\x00",
        "http://ho\\st/v1",
        "http://us?er@host/v1",
    ],
)
def test_what_is_no_address_is_one_line(url: str) -> None:
    with pytest.raises(UsageError, match="is not the URL of a server") as error:
        SummarizeConfig(backend="openai", base_url=url)
    assert "http://localhost:8080/v1" in (error.value.hint or "")
    assert error.value.message.isprintable(), "one line"


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@host/v1",
        "http://user:sec/secret@host/v1",
        "http://secret@host/v1",
        "https://host/v1?api-key=secret",
        "https://host/v1#secret",
        "http://[user:secret@host/v1",
        "user:secret@host/v1",
        "http:/user:secret@host/v1",
        "http://user:secret@@host\n/v1",
        "https://host/v1?a=b\nsecret",
    ],
)
def test_a_secret_in_an_address_is_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match="is not the URL of a server") as error:
        SummarizeConfig(backend="openai", base_url=url)
    assert "secret" not in error.value.message


def test_the_limit_of_an_answer() -> None:
    assert SummarizeConfig(backend="openai").max_tokens is None
    assert SummarizeConfig(backend="llama-cpp", max_tokens=4_000).max_tokens == 4_000
    with pytest.raises(UsageError, match="--max-tokens"):
        SummarizeConfig(backend="openai", max_tokens=63)
    with pytest.raises(UsageError, match="no language model"):
        SummarizeConfig(max_tokens=4_000)


def test_the_limit_of_a_judges_answer() -> None:
    config = configure(EvaluateConfig, judge=True, judge_backend="openai", max_tokens=4_000)
    assert config.judge is not None and config.judge.max_tokens == 4_000
    with pytest.raises(UsageError, match="--max-tokens need --judge"):
        configure(EvaluateConfig, max_tokens=4_000)
