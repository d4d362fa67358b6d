"""Progress on stderr: bars and a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paperclip_cli.output.console import stderr_console
from paperclip_cli.progress import Progress, SilentProgress, Table, Task
from paperclip_cli.wording import counted

_LIVE_ROWS = 12  # of a live table
PLAIN_INTERVAL = 5.0  # seconds between lines where there is no terminal


def progress(quiet: bool = False) -> Progress:
    """Bars on a terminal, a plain line every few seconds elsewhere, nothing with --quiet."""
    if quiet:
        return SilentProgress()
    return BarProgress() if sys.stderr.isatty() else PlainProgress()


class PlainProgress:
    """One line every few seconds: for logs, pipes and SLURM."""

    @contextmanager
    def task(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        task = _PlainTask(name, total, unit)
        yield task
        task.say()

    @contextmanager
    def table(self, name: str, total: int, every: int) -> Iterator[Table]:
        yield _PlainTable(name, total, every)

    def note(self, text: str) -> None:
        _say(text)


class _PlainTable:
    """A line every `every` steps, and one for each step that is added again."""

    def __init__(self, name: str, total: int, every: int) -> None:
        self.name, self.total, self.every, self.left = name, total, every, _TimeLeft(total)
        self.step = 0

    def add(self, step: int, **values: float | None) -> None:
        left = self.left.after(step)
        if step % self.every == 0 or step in (self.step, self.total):
            known = {name: value for name, value in values.items() if value is not None}
            fields = _fields({name.replace("_", " "): value for name, value in known.items()})
            _say(f"{self.name}: step {step}/{self.total}{fields}{left}")
        self.step = step


class _TimeLeft:
    def __init__(self, total: int) -> None:
        self.total = total
        self.first: tuple[int, float] | None = None

    def after(self, step: int) -> str:
        """`, 3 min left`, or nothing at the first step and at the last."""
        now = time.monotonic()
        first, start = self.first = self.first or (step, now)
        if not first < step < self.total:
            return ""
        return _left((self.total - step) * (now - start) / (step - first))


class _PlainTask:
    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done, self.fields = 0, {}  # type: tuple[int, dict[str, object]]
        self.start = self.said = time.monotonic()
        self.said_done = -1

    def advance(self, steps: int = 1, **fields: object) -> None:
        self.done += steps
        self.fields.update(fields)
        if time.monotonic() - self.said >= PLAIN_INTERVAL:
            self.say()

    def say(self) -> None:
        if self.done == self.said_done:
            return
        self.said, self.said_done = time.monotonic(), self.done
        seconds = max(self.said - self.start, 1e-9)

        of = f"/{self.total}" if self.total is not None else ""
        left = ""
        if self.total and 0 < self.done < self.total:
            left = _left((self.total - self.done) * seconds / self.done)
        rate = f", {self.done / seconds:.3g} {self.unit}/s" if self.unit else ""
        _say(f"{self.name}: {self.done}{of}{rate}{left}{_fields(self.fields)}")


class BarProgress:
    """Bars with rate and time left, drawn by rich."""

    @contextmanager
    def task(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=30),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[rate]}"),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[extra]}"),
        )
        with bars.Progress(*columns, console=stderr_console(), transient=False) as live:
            yield _BarTask(live, live.add_task(name, total=total, rate="", extra=""), unit)

    @contextmanager
    def table(self, name: str, total: int, every: int) -> Iterator[Table]:
        from rich.live import Live

        with Live(console=stderr_console(), refresh_per_second=4) as live:
            yield _LiveTable(live, name, total, every)

    def note(self, text: str) -> None:
        stderr_console().print(text, highlight=False, markup=False, soft_wrap=True)


class _BarTask:
    def __init__(self, live: Any, identity: Any, unit: str) -> None:
        self.live, self.identity, self.unit = live, identity, unit
        self.start, self.done = time.monotonic(), 0
        self.fields: dict[str, object] = {}

    def advance(self, steps: int = 1, **fields: object) -> None:
        self.done += steps
        self.fields.update(fields)
        seconds = max(time.monotonic() - self.start, 1e-9)
        rate = f"{self.done / seconds:.3g} {self.unit}/s" if self.unit else ""
        extra = _fields(self.fields).lstrip(", ")
        self.live.update(self.identity, advance=steps, rate=rate, extra=extra)


class _LiveTable:
    """The latest rows of a table. The last row follows the current step."""

    def __init__(self, live: Any, name: str, total: int, every: int) -> None:
        self.live, self.name = live, name
        self.total, self.every, self.left = total, every, _TimeLeft(total)
        self.rows: list[dict[str, float | None]] = []

    def add(self, step: int, **values: float | None) -> None:
        if self.rows and self.rows[-1]["step"] == step:
            self.rows[-1].update(values)
        else:
            kept = self.rows if not self.rows or self._stays(self.rows[-1]) else self.rows[:-1]
            self.rows = [*kept[1 - _LIVE_ROWS :], {"step": step, **values}]
        self.live.update(self._drawn(self.left.after(step)))

    def _stays(self, row: dict[str, float | None]) -> bool:
        return (row["step"] or 0) % self.every == 0 or any(
            name.startswith("validation") for name in row
        )

    def _drawn(self, left: str) -> object:
        from rich.table import Table as Drawn

        title = f"{self.name}: {self.rows[-1]['step']:,} of {counted(self.total, 'steps')}{left}"
        drawn = Drawn(box=None, title=title, title_justify="left")

        names = list(dict.fromkeys(name for row in self.rows for name in row))
        for name in names:
            drawn.add_column(name.replace("_", " "), justify="right")
        for row in self.rows:
            drawn.add_row(*(_cell(row.get(name)) for name in names))
        return drawn


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _left(seconds: float) -> str:
    return f", {_duration(seconds)} left"


def _fields(fields: dict[str, object]) -> str:
    return "".join(
        f", {name} {value:.4g}" if isinstance(value, float) else f", {name} {value}"
        for name, value in fields.items()
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
