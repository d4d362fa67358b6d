"""What the environment says about the network: proxies, addresses and keys.

Libraries answer a malformed one with whatever their parser raises, and a value may hold a password.
So each is checked before the library sees it, and only the variable's name is told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from paperclip_cli.config.checks import is_address
from paperclip_cli.errors import PaperclipError

HUB_TOKEN, MAST_TOKEN, OPENAI_KEY = KEYS = "HF_TOKEN", "MAST_API_TOKEN", "OPENAI_API_KEY"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_OF_A_PROXY = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def check_proxies() -> None:
    """PaperclipError if a variable such as HTTPS_PROXY is set and is not a proxy's address."""
    for fault in proxy_faults():
        raise PaperclipError(fault, "write for example http://proxy.example.org:3128, or unset it")


def proxy_faults() -> Iterator[str]:
    """What is wrong with the variables of proxies, one line each."""
    for name in (*_PROXIES, *map(str.upper, _PROXIES)):
        given = os.environ.get(name, "").strip()
        if given and not is_address(given if "://" in given else f"http://{given}", _OF_A_PROXY):
            yield f"{name} is not the address of a proxy"


def check_address(name: str) -> None:
    """PaperclipError if the variable `name` is set and is not the URL of a server."""
    given = os.environ.get(name)
    if given and not is_address(given):
        raise PaperclipError(
            f"{name} is not the URL of a server", "write for example https://huggingface.co"
        )


def key_in(name: str) -> str:
    """The key or token in the variable `name`, empty if it is unset. Space around it is dropped.

    Raises:
        PaperclipError: no request can carry it. It is not shown.
    """
    given = os.environ.get(name, "").strip()
    if not re.fullmatch(r"[!-~]*", given):
        raise PaperclipError(
            f"{name} is not a key: it has spaces, several lines or characters that are not ASCII",
            "copy it again, or unset it",
        )
    return given
