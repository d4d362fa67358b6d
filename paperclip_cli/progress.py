"""How a stage tells what it is doing, without knowing who listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One bar, or one line every few seconds where there is no terminal."""

    def advance(self, steps: int = 1, **fields: object) -> None:
        """Count `steps` done; `fields` (loss=1.2, failed=3) are shown beside the count."""


class Table(Protocol):
    """What a long computation measures as it goes: a live table, or a line every so many steps where there is no terminal."""

    def add(self, step: int, **values: float | None) -> None:
        """Values of a step. A step may be told of more than once."""


class Progress(Protocol):
    """Progress bars and notices, all on stderr."""

    def task(
        self, name: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Task]:
        """A context manager that yields a `Task`; `unit` ("images") also gives a rate."""

    def table(self, name: str, total: int, every: int) -> AbstractContextManager[Table]:
        """A context manager that yields a `Table` of `total` steps, one row or line `every` so many."""

    def note(self, text: str) -> None:
        """One line for the user that is not a result."""


class _SilentTask:
    def advance(self, steps: int = 1, **fields: object) -> None:
        return None


class _SilentTable:
    def add(self, step: int, **values: float | None) -> None:
        return None


class SilentProgress:
    """Says nothing: for tests and for use as a library."""

    @contextmanager
    def task(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        yield _SilentTask()

    @contextmanager
    def table(self, name: str, total: int, every: int) -> Iterator[Table]:
        yield _SilentTable()

    def note(self, text: str) -> None:
        return None
