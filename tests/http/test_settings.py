"""A malformed proxy, address or key is named by its variable, and its value is not told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paperclip_cli.config.checks import is_address
from paperclip_cli.errors import PaperclipError
from paperclip_cli.http.settings import check_address, check_proxies, key_in


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("http://localhost:8080/v1", True),
        ("https://[::1]:80", True),
        ("http://[::1", False),
        ("http://", False),
        ("host:80", False),
        ("ftp://host", False),
        ("http://host:99999", False),
        ("http://host:x", False),
        ("http://two words", False),
    ],
)
def test_an_address_has_a_scheme_a_host_and_a_port_that_exists(url: str, is_one: bool) -> None:
    assert is_address(url) == is_one


@pytest.mark.parametrize("value", ["", "host:3128", "http://me:pass@host:3128", "socks5h://host"])
def test_proxies_as_libraries_take_them_are_good(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    check_proxies()


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("HTTPS_PROXY", "http://me:secret@host:port", check_proxies),
        ("all_proxy", "http://[secret", check_proxies),
        ("HF_ENDPOINT", "secret", lambda: check_address("HF_ENDPOINT")),
        ("HF_TOKEN", "secrät", lambda: key_in("HF_TOKEN")),
        ("HF_TOKEN", "secret\nsecret", lambda: key_in("HF_TOKEN")),
    ],
)
def test_a_wrong_variable_is_named_without_its_value(
    name: str, value: str, check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(PaperclipError) as failed:
        check()
    said = f"{failed.value.message} {failed.value.hint}"
    assert said.startswith(f"{name} is not ") and "secr" not in said


def test_a_key_may_end_in_a_newline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc\n")
    assert key_in("HF_TOKEN") == "hf_abc"
