"""Summarize."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from paperclip_cli.config.checks import at_least, one_of, within
from paperclip_cli.config.choices import Backend, values_of
from paperclip_cli.errors import UsageError

KEYWORDS, LLAMA_CPP, OUTLINES, OPENAI = BACKENDS = values_of(Backend)
_CONTEXT = 4096  # tokens: the longest abstract, the prompt and the answer, twice


@dataclass(frozen=True, kw_only=True)
class SummarizeConfig:
    """`set_name` names the set of summaries; the backend's name if not given. `limit`: no more than the first proposals.

    `llm` is a file or folder, a Hub name (`org/name`, or `org/name:file.gguf`), or a model of the server at `base_url`. An answer gets
    `tries`, the first at `temperature`. `context` is in tokens, `timeout` in seconds for an answer of a server. `workers` requests are in
    flight (openai), `batch_size` abstracts go through the model together (outlines), on `threads` processors (llama-cpp).
    """

    backend: Backend = "keywords"
    set_name: str | None = None
    missions: tuple[str, ...] = ()
    limit: int | None = None
    llm: str | None = None
    base_url: str | None = None
    prompt: Path | None = None
    tries: int = 5
    temperature: float = 0.0
    seed: int = 42
    context: int | None = None
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
        at_least("--seed", self.seed, 0)
        within("--temperature", self.temperature, "from 0 to 2", lambda value: 0 <= value <= 2)
        within(
            "--timeout", self.timeout, "of seconds above 0", lambda value: 0 < value < float("inf")
        )
        if self.llm is not None and self.backend == KEYWORDS:
            raise UsageError(
                "--llm does not go with --backend keywords, which asks no model",
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
        parts = urlsplit(url)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.username is not None
            or parts.query
            or parts.fragment
        ):
            raise UsageError(
                f"--base-url {url} is not the address of a server",
                "write for example http://localhost:8080/v1",
            )

    @property
    def resolved_set(self) -> str:
        return self.set_name or self.backend

    @property
    def resolved_context(self) -> int:
        """For a model on this machine."""
        return self.context or _CONTEXT
