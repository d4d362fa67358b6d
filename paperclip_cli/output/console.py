"""What a person sees. The only importer of rich: progress bars, tables, reports. Results go to stdout, all else to stderr."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import TYPE_CHECKING, Literal, NamedTuple

from paperclip_cli.errors import ReaderGone
from paperclip_cli.progress import Progress, SilentProgress, Table, Task
from paperclip_cli.report import Report

if TYPE_CHECKING:
    import numpy as np

# Control characters (but for tabulator and newline), invisible signs that reorder text, halves of surrogate pairs.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_WIDEST = 160  # cells of a table: the eye loses a longer line
_LIVE_ROWS = 12  # of a table that follows a computation
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
        print(text, file=sys.stderr, flush=True)


class _PlainTable:
    """A line every so many steps, and one for each step that is told of again."""

    def __init__(self, name: str, total: int, every: int) -> None:
        self.name, self.total, self.every, self.left = name, total, every, _TimeLeft(total)
        self.step = 0

    def add(self, step: int, **values: float | None) -> None:
        left = self.left.after(step)
        if step % self.every == 0 or step in (self.step, self.total):
            shown: dict[str, object] = {
                name.replace("_", " "): value for name, value in values.items() if value is not None
            }
            print(
                f"{self.name}: step {step}/{self.total}{_fields(shown)}{left}",
                file=sys.stderr,
                flush=True,
            )
        self.step = step


class _TimeLeft:
    def __init__(self, total: int) -> None:
        self.total = total
        self.first: tuple[int, float] | None = None

    def after(self, step: int) -> str:
        """`, 3 min left`; nothing at the first step and at the last."""
        now = time.monotonic()
        first, start = self.first = self.first or (step, now)
        return (
            f", {_duration((self.total - step) * (now - start) / (step - first))} left"
            if first < step < self.total
            else ""
        )


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
        left = (
            f", {_duration((self.total - self.done) * seconds / self.done)} left"
            if self.total and 0 < self.done < self.total
            else ""
        )
        rate = f", {self.done / seconds:.3g} {self.unit}/s" if self.unit else ""
        print(
            f"{self.name}: {self.done}{of}{rate}{left}{_fields(self.fields)}",
            file=sys.stderr,
            flush=True,
        )


class BarProgress:
    """Bars with rate and time left, by rich."""

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
    def __init__(self, live: object, identity: object, unit: str) -> None:
        self.live, self.identity, self.unit = live, identity, unit
        self.start, self.done, self.fields = time.monotonic(), 0, {}  # type: tuple[float, int, dict[str, object]]

    def advance(self, steps: int = 1, **fields: object) -> None:
        self.done += steps
        self.fields.update(fields)
        rate = (
            f"{self.done / max(time.monotonic() - self.start, 1e-9):.3g} {self.unit}/s"
            if self.unit
            else ""
        )
        self.live.update(
            self.identity, advance=steps, rate=rate, extra=_fields(self.fields).lstrip(", ")
        )  # type: ignore[attr-defined]


class _LiveTable:
    """The last rows, of which the last one follows the steps."""

    def __init__(self, live: object, name: str, total: int, every: int) -> None:
        self.live, self.name, self.total, self.every, self.left = (
            live,
            name,
            total,
            every,
            _TimeLeft(total),
        )
        self.rows: list[dict[str, float | None]] = []

    def add(self, step: int, **values: float | None) -> None:
        if self.rows and self.rows[-1]["step"] == step:
            self.rows[-1].update(values)
        else:
            kept = self.rows if not self.rows or self._stays(self.rows[-1]) else self.rows[:-1]
            self.rows = [*kept[1 - _LIVE_ROWS :], {"step": step, **values}]
        self.live.update(self._drawn(self.left.after(step)))  # type: ignore[attr-defined]

    def _stays(self, row: dict[str, float | None]) -> bool:
        return (row["step"] or 0) % self.every == 0 or any(
            name.startswith("validation") for name in row
        )

    def _drawn(self, left: str) -> object:
        from rich.table import Table as Drawn

        drawn = Drawn(
            box=None,
            title=f"{self.name}: {self.rows[-1]['step']:,} of {self.total:,} steps{left}",
            title_justify="left",
        )
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        for name in names:
            drawn.add_column(name.replace("_", " "), justify="right")
        for row in self.rows:
            drawn.add_row(
                *(
                    ""
                    if (value := row.get(name)) is None
                    else f"{value:.4g}"
                    if isinstance(value, float)
                    else f"{value:,}"
                    for name in names
                )
            )
        return drawn


def report(done: Report, quiet: bool = False, verbose: bool = False) -> None:
    """Counts, what was left out and why, what failed and why: all on stderr."""
    err = sys.stderr
    if not quiet:
        state = "nothing to do" if done.unchanged else "done"
        counts = ", ".join(f"{count:,} {name}" for name, count in done.counts.items())
        print(f"{done.stage}: {state}" + (f" ({counts})" if counts else ""), file=err)
        for reason, count in done.excluded.items():
            print(f"  left out: {count:,} {reason}", file=err)
        for note in done.notes:
            print(f"  {note}", file=err)
        if done.output is not None:
            print(f"  in {done.output}", file=err)
    for reason, count in done.reasons().most_common():
        print(f"  failed: {count:,} {reason}", file=err)
    shown = done.failures if verbose else done.failures[:5]
    for failure in shown:
        print(f"    {printable(failure.item)}: {printable(failure.reason)}", file=err)
    if len(done.failures) > len(shown):
        print(f"    ... and {len(done.failures) - len(shown)} more (--verbose shows all)", file=err)


def rows(items: Sequence[dict], form: str, names: Sequence[str] | None = None) -> str:
    """Results as JSON, JSON Lines or CSV. Lists become `;`-joined text in CSV, whose columns are `names`, else what the items have."""
    if form == "json":
        return _json(list(items), indent=2)
    if form == "jsonl":
        return "".join(map(_json, items))
    names = names or list(dict.fromkeys(name for item in items for name in item))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for item in items:
        writer.writerow({name: _cell(value) for name, value in item.items()})
    return text.getvalue()


def _json(value: object, indent: int | None = None) -> str:
    """JSON in which what could drive a terminal, or is no character at all, is written as its number."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def printable(text: str) -> str:
    """`text` in one line, without control characters, escape sequences and invisible signs: no file may drive the terminal."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def path_line(path: str) -> str:
    """A path for a line of its own: as it is for another program, without control characters for a terminal."""
    return (
        "".join(sign if sign.isprintable() else "?" for sign in path)
        if sys.stdout.isatty()
        else path
    )


class TableColumn(NamedTuple):
    """A column of text: at most `width` cells wide, or whatever the others leave over. `links` are one URL a cell."""

    name: str
    cells: Sequence[str]
    width: int | None = None
    justify: Literal["left", "right"] = "left"
    links: Sequence[str] | None = None


def table(columns: Sequence[TableColumn]) -> None:
    """Prints a table that fits the terminal; what is too long ends in an ellipsis. Links are for terminals only."""
    from rich.style import Style
    from rich.table import Table
    from rich.text import Text

    console = stdout_console()
    gap = 1 if console.width < 80 else 2
    made = Table(
        box=None,
        padding=(0, gap, 0, 0),
        pad_edge=False,
        header_style="bold",
        width=min(console.width, _WIDEST),
        show_header=any(column.name for column in columns),
    )
    for column in columns:
        made.add_column(
            column.name,
            justify=column.justify,
            no_wrap=True,
            overflow="ellipsis",
            max_width=column.width,
            ratio=1 if column.width is None else None,
        )
    cells = [
        [
            Text(printable(cell), Style(link=link))
            for cell, link in zip(column.cells, column.links or repeat(None), strict=False)
        ]
        for column in columns
    ]
    for row in zip(*cells, strict=True):
        made.add_row(*row)
    with console.capture() as text:
        console.print(made)
    emit(text.get())


def fitted(text: str, cells: int) -> str:
    """`text` in one line of exactly so many cells of a terminal: cut, or filled with blanks."""
    from rich.cells import set_cell_size

    return set_cell_size(printable(text), cells)


def half_blocks(pictures: Sequence[np.ndarray]) -> str:
    """Pictures uint8 [2 R, C, 3] side by side in R lines of C cells each: a half block shows two pixels, in the colours there are."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    console, lines = stdout_console(), []
    for row in range(0, pictures[0].shape[0], 2):
        line = Text()
        for picture in pictures:
            for above, below in picture[row : row + 2].swapaxes(0, 1).tolist():
                line.append(
                    "▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
                )
            line.append(" ")
        lines.append(line)
    with console.capture() as text:
        console.print(*lines, sep="\n", soft_wrap=True)
    return text.get()


def has_pictures() -> bool:
    """Whether stdout is a terminal that shows colours, and may."""
    return stdout_console().color_system is not None and "NO_COLOR" not in os.environ


def has_graphics() -> bool:
    """Whether the terminal is known for kitty's graphics protocol. Asking it would need its answer read; tmux hides it."""
    names = {os.environ.get("TERM", ""), os.environ.get("TERM_PROGRAM", "").lower()}
    is_known = (
        not names.isdisjoint(("xterm-kitty", "xterm-ghostty", "ghostty", "wezterm"))
        or "KITTY_WINDOW_ID" in os.environ
    )
    return is_known and "TMUX" not in os.environ


def terminal_width() -> int:
    """Cells in a line: of the terminal, or of `COLUMNS`, or 80."""
    return stdout_console().width


def emit(text: str) -> None:
    """Prints a result to stdout. ReaderGone where nobody reads any more."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGone from error


def stdout_console():  # type: ignore[no-untyped-def]
    """A rich console on stdout; rich itself obeys NO_COLOR and leaves colour out where there is no terminal."""
    from rich.console import Console

    return Console(highlight=False)


def stderr_console():  # type: ignore[no-untyped-def]
    """A rich console on stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ";".join(map(str, value))
    # The csv module leaves a lone carriage return unquoted, and readers take it for the end of a line.
    return _CONTROLS.sub(" ", value.replace("\r", " ")) if isinstance(value, str) else value


def _fields(fields: dict[str, object]) -> str:
    return "".join(
        f", {name} {value:.4g}" if isinstance(value, float) else f", {name} {value}"
        for name, value in fields.items()
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
