"""Console output: reports, tables and rows. Results go to stdout, all else to stderr.

Only this module and `bars` import rich.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from paperclip_cli.errors import ReaderGone
from paperclip_cli.report import Report
from paperclip_cli.wording import counted

if TYPE_CHECKING:
    import numpy as np

# Control characters other than tab and newline, invisible characters that reorder text, and lone
# surrogates.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_USUAL_WIDTH = 80
_WIDEST = 160  # cells of a table: the eye loses a longer line


def report(done: Report, quiet: bool = False, verbose: bool = False) -> None:
    """Prints counts, and what was skipped or failed and why, to stderr."""
    if not quiet:
        state = "nothing to do" if done.unchanged else "done"
        counts = _counts(done)
        print(f"{done.stage}: {state}" + (f" ({counts})" if counts else ""), file=sys.stderr)
        for reason, count in done.excluded.items():
            print(f"  skipped {_counted_reason(count, reason)}", file=sys.stderr)
        _say_notes(done)
        if done.output is not None:
            print(f"  in {done.output}", file=sys.stderr)
    for reason, count in done.reasons().most_common():
        print(f"  failed: {count:,} {reason}", file=sys.stderr)
    _say_failures(done, verbose)


def report_line(done: Report, quiet: bool = False, verbose: bool = False) -> None:
    """Prints counts in one line with the time to stderr, and below it notes and failures if any."""
    if not quiet or done.failures:
        failed = [f"{len(done.failures):,} failed"] if done.failures else []
        counts = ", ".join([*filter(None, [_counts(done)]), *failed])
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {done.stage}: {counts}", file=sys.stderr)
    if not quiet:
        _say_notes(done)
    _say_failures(done, verbose)


def _counts(done: Report) -> str:
    return ", ".join(counted(count, name) for name, count in done.counts.items())


def _say_notes(done: Report) -> None:
    for note in done.notes:
        print(f"  {printable(note)}", file=sys.stderr)


def _say_failures(done: Report, verbose: bool) -> None:
    shown = done.failures if verbose else done.failures[:5]
    for failure in shown:
        print(f"    {printable(failure.item)}: {printable(failure.reason)}", file=sys.stderr)
    if len(done.failures) > len(shown):
        more = len(done.failures) - len(shown)
        print(f"    ... and {more} more (--verbose shows all)", file=sys.stderr)


def _counted_reason(count: int, reason: str) -> str:
    """`2 files that are no JPEG`, or `1 proposal: no abstract` for `proposals: no abstract`."""
    items, colon, why = reason.partition(":")
    return counted(count, items) + colon + why


def rows(items: Sequence[dict], form: str, names: Sequence[str] | None = None) -> str:
    """Results as JSON, JSON Lines or CSV.

    CSV has the columns `names`, or else those of the items. Lists become `;`-joined text in it,
    and so do mappings: `ACS 2;WFC3 1`.
    """
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
    """JSON with control characters and lone surrogates escaped, so that none drives a terminal.

    On a stdout that is not in UTF-8 everything beyond ASCII is escaped, and nothing is lost.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    is_plain = encoding.lower().replace("-", "") not in ("utf8", "utf16", "utf32")
    text = json.dumps(value, indent=indent, ensure_ascii=is_plain)
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def printable(text: str) -> str:
    """`text` in one line without control, escape and invisible characters.

    No text from a file may drive the terminal.
    """
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def path_line(path: str) -> str:
    """A path on its own line: unchanged in a pipe, without control characters on a terminal."""
    if not sys.stdout.isatty():
        return path
    return "".join(sign if sign.isprintable() else "?" for sign in path)


class TableColumn(NamedTuple):
    """A column of text: at most `width` cells wide, or as wide as the other columns allow.

    Columns with a `share` are no wider than their text. Where they do not all fit, each has at
    least its share of the cells that the columns without one leave.
    """

    name: str
    width: int | None = None
    justify: Literal["left", "right"] = "left"
    share: int = 0


class Link(NamedTuple):
    """The text of a cell that leads to a URL on terminals that can."""

    text: str
    url: str


def table(columns: Sequence[TableColumn], rows: Iterable[Sequence[str | Link]]) -> None:
    """Prints a table that fits the terminal. Long cells end in an ellipsis."""
    from rich.style import Style
    from rich.table import Table
    from rich.text import Text

    console = stdout_console()
    gap = 1 if console.width < 80 else 2
    width = min(console.width, _WIDEST)
    cells = [[_link(cell) for cell in row] for row in rows]
    has_shares = any(column.share for column in columns)
    if has_shares:
        columns = _fitting(columns, cells, width, gap)
    made = Table(
        box=None,
        padding=(0, gap, 0, 0),
        pad_edge=False,
        header_style="bold",
        width=None if has_shares else width,
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
    for row in cells:
        made.add_row(*(Text(printable(text), Style(link=url or None)) for text, url in row))

    with console.capture() as text:
        console.print(made)
    emit(text.get())


def _link(cell: str | Link) -> Link:
    return cell if isinstance(cell, Link) else Link(cell, "")


def _fitting(
    columns: Sequence[TableColumn], rows: Sequence[Sequence[Link]], width: int, gap: int
) -> list[TableColumn]:
    """The columns with the widths that they have in a table of at most `width` cells."""
    from rich.cells import cell_len

    wanted = []
    for place, column in enumerate(columns):
        texts = [column.name, *(printable(row[place].text) for row in rows)]
        longest = max(map(cell_len, texts))
        wanted.append(longest if column.width is None else min(longest, column.width))
    left = width - gap * (len(columns) - 1)
    left -= sum(cells for cells, column in zip(wanted, columns, strict=True) if not column.share)
    places = [place for place, column in enumerate(columns) if column.share]
    shares = sum(columns[place].share for place in places)
    # Those that want least in proportion come first, and leave to the others what they do not need.
    for place in sorted(places, key=lambda place: wanted[place] / columns[place].share):
        wanted[place] = min(wanted[place], max(1, left * columns[place].share // shares))
        left -= wanted[place]
        shares -= columns[place].share
    return [column._replace(width=cells) for cells, column in zip(wanted, columns, strict=True)]


def fitted(text: str, cells: int) -> str:
    """`text` in one line of exactly `cells` terminal cells: cut, or padded with blanks."""
    from rich.cells import set_cell_size

    return set_cell_size(printable(text), cells)


def half_blocks(pictures: Sequence[np.ndarray]) -> str:
    """Pictures uint8 [2 R, C, 3] side by side, each in R lines of C cells.

    A half block shows two pixels, in the colours that the terminal has.
    """
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
    """Whether stdout is a terminal with colours, and NO_COLOR is not set."""
    return stdout_console().color_system is not None and "NO_COLOR" not in os.environ


def has_graphics() -> bool:
    """Whether the terminal is known to support kitty's graphics protocol.

    It is not asked, because then its answer would have to be read. tmux hides the protocol.
    """
    names = {os.environ.get("TERM", ""), os.environ.get("TERM_PROGRAM", "").lower()}
    is_known = (
        not names.isdisjoint(("xterm-kitty", "xterm-ghostty", "ghostty", "wezterm"))
        or "KITTY_WINDOW_ID" in os.environ
    )
    return is_known and "TMUX" not in os.environ


def terminal_width() -> int:
    """Cells per line: of the terminal, or else `COLUMNS`, or else 80."""
    return stdout_console().width


def emit(text: str) -> None:
    """Prints a result to stdout.

    Raises:
        ReaderGone: stdout was closed by its reader.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Otherwise Python would report the error again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGone from error


def stdout_console():  # type: ignore[no-untyped-def]
    """A rich console on stdout. rich itself obeys NO_COLOR and omits colour without a terminal."""
    return _console(stderr=False)


def stderr_console():  # type: ignore[no-untyped-def]
    """A rich console on stderr."""
    return _console(stderr=True)


def _console(stderr: bool):  # type: ignore[no-untyped-def]
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if console.width < 1:  # COLUMNS=0, as some terminals in containers have it
        console.width = _USUAL_WIDTH
    return console


def _cell(value: object) -> object:
    if isinstance(value, dict):
        value = [f"{name} {held}" for name, held in value.items()]
    if isinstance(value, list):
        value = ";".join(map(str, value))
    # The csv module leaves a lone carriage return unquoted, and readers take it for a line end.
    return _CONTROLS.sub(" ", value.replace("\r", " ")) if isinstance(value, str) else value
