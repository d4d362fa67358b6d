"""Protocols for progress messages: a stage does not know who shows them, or how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

# Whether libraries may draw their own bars on a terminal. Only the command line lets them.
libraries_may_draw: ContextVar[bool] = ContextVar("libraries_may_draw", default=False)


class Task(Protocol):
    """One bar, or one line every few seconds where there is no terminal."""

    def advance(self, steps: int = 1, **fields: object) -> None:
        """Counts `steps` as done. `fields` (loss=1.2, failed=3) are shown beside the count."""


class Table(Protocol):
    """Measurements of a long computation: a live table, or lines where there is no terminal."""

    def add(self, step: int, **values: float | None) -> None:
        """Adds the values of a step. A step may be given more than once."""


class Progress(Protocol):
    """Progress bars and notices, all on stderr."""

    def task(
        self, name: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Task]:
        """A context manager that yields a `Task`; `unit` ("images") also gives a rate."""

    def table(self, name: str, total: int, every: int) -> AbstractContextManager[Table]:
        """A context manager that yields a `Table`: one row or line per `every` of `total` steps."""

    def note(self, text: str) -> None:
        """Shows the user one line that is not a result."""


class _SilentTask:
    def advance(self, steps: int = 1, **fields: object) -> None:
        return None


class _SilentTable:
    def add(self, step: int, **values: float | None) -> None:
        return None


class SilentProgress:
    """No output: for tests and for use as a library."""

    @contextmanager
    def task(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        yield _SilentTask()

    @contextmanager
    def table(self, name: str, total: int, every: int) -> Iterator[Table]:
        yield _SilentTable()

    def note(self, text: str) -> None:
        return None
