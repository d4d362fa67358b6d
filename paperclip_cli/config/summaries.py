"""Summarize."""

from __future__ import annotations

from dataclasses import dataclass

from paperclip_cli.config.checks import at_least
from paperclip_cli.errors import UsageError


@dataclass(frozen=True)
class SummarizeConfig:
    """`set_name` names the set of summaries; the backend's name if not given. `limit`: no more than the first proposals."""

    backend: str = "keywords"
    set_name: str | None = None
    missions: tuple[str, ...] = ()
    limit: int | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.backend != "keywords":
            raise UsageError(f"unknown summarizer backend {self.backend!r}", "choose keywords")
        at_least("--limit", self.limit, 1)

    @property
    def resolved_set(self) -> str:
        return self.set_name or self.backend
