"""Settings of `summarize`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import paperclip_cli.config.readers as readers
from paperclip_cli.config.checks import at_least, is_address, one_of, within
from paperclip_cli.config.choices import Backend, values_of
from paperclip_cli.config.given import given, text
from paperclip_cli.errors import UsageError

KEYWORDS, LLAMA_CPP, OUTLINES, OPENAI = BACKENDS = values_of(Backend)
_CONTEXT = 4096  # tokens: twice the longest abstract with its prompt and answer


def _server(url: object, backend: object, option: str) -> str | None:
    """The URL that was given, else that of the environment for the backend that needs one."""
    if url is None or url == "":
        return os.environ.get("OPENAI_BASE_URL") or None if backend == OPENAI else None
    return text(url, option)


@dataclass(frozen=True, kw_only=True)
class SummarizeConfig:
    """Which proposals to summarize, and with which model.

    `set_name` names the set of summaries; the default is the backend's name. `limit` takes only the
    first proposals. `llm` is a file or folder, a Hub name (`org/name`, or `org/name:file.gguf`), or
    a model of the server at `base_url`. A proposal gets at most `tries` attempts, the first at
    `temperature`. `context` is in tokens, and so is `max_tokens`, the limit of an answer (None: the
    usual one, enough for an answer without a thought before it). `timeout` is the limit for one
    answer of a server, in seconds. `workers` is the number of concurrent requests (openai),
    `batch_size` the number of abstracts in a batch (outlines), and `threads` the number of
    processors (llama-cpp).
    """

    backend: Backend = "keywords"
    set_name: str | None = given("set", default=None)
    missions: tuple[str, ...] = given("mission", read=readers.values, default=())
    limit: int | None = None
    llm: str | None = None
    base_url: str | None = given("base_url", "backend", read=_server, default=None)
    prompt: Path | None = None
    tries: int = 5
    temperature: float = 0.0
    seed: int = 42
    context: int | None = None
    max_tokens: int | None = None
    workers: int = 4
    batch_size: int = 8
    threads: int | None = None
    timeout: float = 300.0
    retry_failed: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        one_of("--backend", self.backend, Backend)
        for option in ("limit", "tries", "workers", "batch-size", "threads"):
            at_least(f"--{option}", getattr(self, option.replace("-", "_")), 1)
        at_least("--context", self.context, 256)
        at_least("--max-tokens", self.max_tokens, 64)
        if self.max_tokens is not None and self.backend == KEYWORDS:
            raise UsageError(
                "--max-tokens does not go with --backend keywords, which uses no language model",
                f"choose --backend {' or '.join(BACKENDS[1:])}",
            )
        at_least("--seed", self.seed, 0)
        within("--temperature", self.temperature, "from 0 to 2", lambda value: 0 <= value <= 2)
        within(
            "--timeout", self.timeout, "of seconds above 0", lambda value: 0 < value < float("inf")
        )
        if self.llm is not None and self.backend == KEYWORDS:
            raise UsageError(
                "--llm does not go with --backend keywords, which uses no language model",
                f"choose --backend {' or '.join(BACKENDS[1:])}",
            )
        if self.base_url is not None:
            self._check_url(self.base_url)

    def _check_url(self, url: str) -> None:
        if self.backend != OPENAI:
            raise UsageError(
                f"--base-url does not go with --backend {self.backend}",
                f"choose --backend {OPENAI}",
            )
        if not _is_server(url):
            raise UsageError(
                f"--base-url {without_secrets(url)} is not the URL of a server",
                "write for example http://localhost:8080/v1",
            )

    @property
    def resolved_set(self) -> str:
        return self.set_name or self.backend

    @property
    def resolved_context(self) -> int:
        """The context of a model on this machine, in tokens."""
        return self.context or _CONTEXT


def _is_server(url: str) -> bool:
    """Whether a text is the URL of a server, without a password, a query or a fragment."""
    if not is_address(url) or re.fullmatch(r"[^\s\x00-\x1f\x7f\\]+", url) is None:
        return False
    parts = urlsplit(url)
    return _is_host(parts) and parts.username is None and not parts.query + parts.fragment


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if ":" in host:
        import ipaddress  # which every other command would wait for

        try:
            ipaddress.IPv6Address(host.partition("%")[0])
        except ValueError:
            return False
        return True
    try:
        name = host.encode("idna").decode()
    except UnicodeError:  # an empty label, or one that is too long
        return False
    return re.fullmatch(r"(?!-)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?", name) is not None


def without_secrets(url: str) -> str:
    """An address in one line, without what may be a password or a key in it."""
    before, at, behind = url.rpartition("@")
    if at:
        scheme = re.match(r"[\w+.-]*://", before)
        url = f"{scheme[0] if scheme else ''}...@{behind}"
    shown = re.sub(r"(?s)(?<=[?#]).*", "...", url)
    return "".join(sign if sign.isprintable() else "?" for sign in shown)
