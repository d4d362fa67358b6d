"""STScI's proposal catalogue, `abstracts.cat`: text to records and back. `parse(format_catalogue(x)).proposals == x`.

A record is six labelled fields, a blank line, the abstract, and a line of dashes. Long fields and abstracts are wrapped:

    Prop. Type: GO
    Category:   GALAXIES
    ID:         10001
    Cycle:      12
    Title:      Locating Ultraluminous X-Ray Sources
                in Nearby Galaxies
    PI:         Philip Kaaret

         We propose to observe ultraluminous X-ray sources ...
    (more lines)

    ------------------------------------------------------------------------------
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import Proposal

# The order of the file, and the fields of a Proposal.
LABELS = {
    "Prop. Type": "proposal_type",
    "Category": "category",
    "ID": "proposal_id",
    "Cycle": "cycle",
    "Title": "title",
    "PI": "pi",
}
SEPARATOR = "-" * 78
MAX_BYTES = 2**30

_WIDTH = 75
_VALUE_COLUMN = 12
# A line that is indented further than this is text, whatever it says: so a title or an abstract may hold the words "ID: 5".
_INDENT = r" {0,7}"
_LABEL = re.compile(_INDENT + "(" + "|".join(map(re.escape, LABELS)) + r") {0,3}:(.*)", re.DOTALL)
_SEPARATOR = re.compile(_INDENT + r"-{60,}\s*")
_NUMBER = re.compile(r"[0-9]{1,9}")
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Catalogue:
    """Proposals in the order of the file, each number once; how many records repeated a number; how many blocks of text had none.

    Of records with the same number the last one that has an abstract counts: catalogues are corrected by appending.
    """

    proposals: tuple[Proposal, ...]
    duplicates: int = 0
    without_id: int = 0


def read_catalogue(path: Path, mission: str) -> Catalogue:
    """Reads a catalogue file. PaperclipError where there is none, or no proposal in it."""
    hint = "it must be STScI's abstracts.cat or a file of the same layout; give another one with --catalog FILE"
    if not path.is_file():
        raise PaperclipError(f"there is no proposal catalogue {path}", hint)
    if path.stat().st_size > MAX_BYTES:
        raise PaperclipError(f"{path} is larger than {MAX_BYTES // 2**20:,} MiB", hint)
    data = path.read_bytes()
    if not data.strip():
        raise PaperclipError(f"the proposal catalogue {path} is empty", hint)
    catalogue = parse(decode(data), mission)
    if not catalogue.proposals:
        raise PaperclipError(f"there is no proposal in {path} (no line such as `ID: 12345`)", hint)
    return catalogue


def decode(data: bytes) -> str:
    """UTF-8 where a line is UTF-8, else Windows-1252, of which Latin-1 is nearly a part: one stray byte spoils one letter."""
    return "\n".join(_decode_line(line) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))


def one_line(text: str) -> str:
    """Text on one line: white space collapsed, control characters and lone surrogates as blanks."""
    return " ".join(_NO_TEXT.sub(" ", text).split())


def parse(text: str, mission: str) -> Catalogue:
    """Parses a catalogue in one pass; nothing in the text is an error. Fields come out as `one_line` leaves them."""
    found: dict[int, Proposal] = {}
    records = without_id = 0
    for block in _blocks(text):
        proposal = block.proposal(mission)
        if proposal is None:
            without_id += 1
            continue
        records += 1
        earlier = found.get(proposal.proposal_id)
        if earlier is None or proposal.abstract or not earlier.abstract:
            found[proposal.proposal_id] = proposal
    return Catalogue(tuple(found.values()), records - len(found), without_id)


def format_catalogue(proposals: Iterable[Proposal]) -> str:
    """The text of a catalogue file."""
    return (
        SEPARATOR
        + "\n"
        + "".join(f"\n{_format_record(proposal)}\n{SEPARATOR}\n" for proposal in proposals)
    )


@dataclass
class _Block:
    """What stands between two separators, while it is being read."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    abstract: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    open_field: str | None = None

    def add(self, line: str) -> None:
        label = self._label(line)
        if label is not None:
            self.open_field = label[1]
            self.fields[label[1]] = [label[2]]
        elif not line.strip():
            self.open_field = None
        else:
            self._lines_of(line).append(line)

    def starts_another(self, line: str) -> bool:
        """Whether a record begins here although the line of dashes before it is missing."""
        label = _LABEL.match(line)
        return bool(self.abstract and label and label[1] == next(iter(LABELS)))

    def proposal(self, mission: str) -> Proposal | None:
        """The record, or None where it has no valid number."""
        values = {LABELS[label]: one_line(" ".join(lines)) for label, lines in self.fields.items()}
        number = values.pop("proposal_id", "")
        if not _NUMBER.fullmatch(number):
            return None
        return Proposal(
            mission=mission,
            proposal_id=int(number),
            abstract=one_line(" ".join(self.abstract)),
            **values,
        )

    def _label(self, line: str) -> re.Match[str] | None:
        """A label, before the abstract has begun. A second one of the same name is text."""
        match = None if self.abstract else _LABEL.match(line)
        return match if match and match[1] not in self.fields else None

    def _lines_of(self, line: str) -> list[str]:
        """Where a line of text belongs: to the field above it, to the abstract, or nowhere."""
        if not self.fields:
            return self.stray
        # Below PI the abstract may begin without a blank line; a name that is wrapped is indented as far as it was.
        begins_abstract = self.open_field == "PI" and not line.startswith(" " * 8)
        if self.open_field is None or begins_abstract:
            self.open_field = None
            return self.abstract
        return self.fields[self.open_field]


def _blocks(text: str) -> Iterator[_Block]:
    block = _Block()
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        ends = _SEPARATOR.fullmatch(line) is not None
        if ends or block.starts_another(line):
            if block.fields or block.stray:
                yield block
            block = _Block()
        if not ends:
            block.add(line)
    if block.fields or block.stray:
        yield block


def _format_record(proposal: Proposal) -> str:
    fields = [
        _format_field(label, one_line(str(getattr(proposal, name))))
        for label, name in LABELS.items()
    ]
    lines = _wrap(one_line(proposal.abstract), _WIDTH, " " * 5, "")
    return "\n".join([*fields, "", *map(_as_text, lines), ""])


def _format_field(label: str, value: str) -> str:
    head = f"{label}:".ljust(_VALUE_COLUMN)
    return "\n".join(_wrap(value, _WIDTH, head, " " * _VALUE_COLUMN)) or head.rstrip()


def _as_text(line: str) -> str:
    """Indents a line that would be read as a label or a separator."""
    return (
        " " * _VALUE_COLUMN + line.lstrip()
        if _LABEL.match(line) or _SEPARATOR.fullmatch(line)
        else line
    )


def _wrap(text: str, width: int, first: str, rest: str) -> list[str]:
    """Breaks at blanks only: a word, however long or hyphenated, stays whole."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    )


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")
