"""The report of a stage: its counts, exclusions and failures; and the checks of `doctor`."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from paperclip_cli.errors import ExitCode, PaperclipError


@dataclass(frozen=True)
class Failure:
    """An item that should have worked and did not."""

    item: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Counts and reasons of one run of a stage.

    `excluded` counts items skipped by rule (no image, no abstract, a colour composite), which is no
    failure. `failures` are items that should have worked: with any, the process exits with 3.
    `unchanged` means that there was nothing to do. `output` is a path, or the address of an index.
    """

    stage: str
    counts: dict[str, int] = field(default_factory=dict)
    excluded: dict[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    output: Path | str | None = None
    unchanged: bool = False

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.PARTIAL if self.failures else ExitCode.OK

    def reasons(self) -> Counter[str]:
        """Failures counted by reason."""
        return Counter(failure.reason for failure in self.failures)


class State(enum.StrEnum):
    """The result of a check: all is well, something is worth knowing, or it will not work."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one check: its subject, its finding, and advice where something is wrong."""

    topic: str
    name: str
    found: str
    state: State = State.OK
    advice: str = ""

    @classmethod
    def of_error(cls, topic: str, name: str, error: PaperclipError) -> Check:
        """A problem, with the remedy that the error names."""
        return cls(
            topic=topic,
            name=name,
            found=error.message,
            state=State.PROBLEM,
            advice=error.hint or "",
        )
