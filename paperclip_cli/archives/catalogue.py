"""STScI's proposal catalogue, `abstracts.cat`: text to records and back.

It holds that `parse(format_catalogue(x)).proposals == x`. A record is six labelled fields, a blank
line, the abstract, and a line of dashes. Long fields and abstracts are wrapped:

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

from paperclip_cli.archives.cells import ProposalNumber, proposal_number
from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import Key, Proposal

# The labels in the file's order, and their fields of a Proposal.
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
# A line indented further than this is text, whatever it says, so that a title or an abstract may
# hold "ID: 5".
_INDENT = r" {0,7}"
_LABEL = re.compile(_INDENT + "(" + "|".join(map(re.escape, LABELS)) + r") {0,3}:(.*)", re.DOTALL)
_SEPARATOR = re.compile(_INDENT + r"-{60,}\s*")
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Proposals in the order of the file, each number once.

    Of records with the same number, the last one with an abstract counts, since catalogues are
    corrected by appending. `duplicates` counts the records that repeat a number, `without_id` the
    blocks of text without one, and `oddities` name both, with their lines. `missions` are those
    that stand before a number (`hst:101`).
    """

    proposals: tuple[Proposal, ...]
    duplicates: int = 0
    without_id: int = 0
    missions: frozenset[str] = frozenset()
    oddities: tuple[str, ...] = ()


def read_catalogue(path: Path, mission: str) -> Catalogue:
    """Read a catalogue file.

    Raises:
        PaperclipError: there is no such file, or it has no proposals.
    """
    hint = "give STScI's abstracts.cat, or a file of the same layout, with --catalog FILE"
    if not path.is_file():
        raise PaperclipError(f"no proposal catalogue at {path}", hint)
    if path.stat().st_size > MAX_BYTES:
        raise PaperclipError(f"{path} is larger than {MAX_BYTES // 2**20:,} MiB", hint)

    data = path.read_bytes()
    if not data.strip():
        raise PaperclipError(f"the proposal catalogue {path} is empty", hint)

    catalogue = parse(decode(data), mission)
    if not catalogue.proposals:
        raise PaperclipError(f"no proposals in {path} (no line such as `ID: 12345`)", hint)
    return catalogue


def decode(data: bytes) -> str:
    """Decode each line as UTF-8 if it is valid, else as Windows-1252. Lines end with `\\n`.

    Windows-1252 contains nearly all of Latin-1. One stray byte spoils only one letter. Spreadsheets
    also write UTF-16, which begins with a mark.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    lines = re.split(rb"\r\n|\r|\n", data.removeprefix(b"\xef\xbb\xbf"))
    return "\n".join(map(_decode_line, lines))


def one_line(text: str) -> str:
    """The text on one line: white space collapsed, control characters and surrogates blanked."""
    return " ".join(_NO_TEXT.sub(" ", text).split())


def parse(text: str, mission: str) -> Catalogue:
    """Parse a catalogue in one pass.

    Nothing in the text is an error. Fields are normalised by `one_line`.
    """
    found: dict[int, Proposal] = {}
    records = without_id = 0
    missions: set[str] = set()
    places: dict[int, int] = {}
    odd: list[str] = []
    for block in _blocks(text):
        number = block.number()
        if number is None:
            without_id += 1
            odd.append(
                f"line {block.line}: ID {block.written_id!r} is not the number of a proposal"
            )
            continue
        records += 1
        missions.add(number.mission)
        proposal = block.proposal(Key(mission, number.number))
        earlier = found.get(proposal.proposal_id)
        if earlier is None or proposal.abstract or not earlier.abstract:
            found[proposal.proposal_id] = proposal
        if earlier is not None:
            before = places[proposal.proposal_id]
            odd.append(f"line {block.line}: ID {block.written_id!r} is also in line {before}")
        places[proposal.proposal_id] = block.line
    return Catalogue(
        proposals=tuple(found.values()),
        duplicates=records - len(found),
        without_id=without_id,
        missions=frozenset(missions - {""}),
        oddities=tuple(odd),
    )


def format_catalogue(proposals: Iterable[Proposal]) -> str:
    """The text of a catalogue file."""
    records = (f"\n{_format_record(proposal)}\n{SEPARATOR}\n" for proposal in proposals)
    return f"{SEPARATOR}\n" + "".join(records)


@dataclass(kw_only=True)
class _Block:
    """The text between two separators, while it is being read.

    `line` is that of its number or, before there is one, that of its first text.
    """

    line: int = 0
    fields: dict[str, list[str]] = field(default_factory=dict)
    abstract: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    open_field: str | None = None

    def add(self, line: str, number: int) -> None:
        label = self._label(line)
        if line.strip() and (not self.line or (label and LABELS[label[1]] == "proposal_id")):
            self.line = number
        if label is not None:
            self.open_field = label[1]
            self.fields[label[1]] = [label[2]]
        elif not line.strip():
            self.open_field = None
        else:
            self._lines_of(line).append(line)

    def starts_another(self, line: str) -> bool:
        """Whether a record begins here, without the line of dashes before it."""
        label = _LABEL.match(line)
        return bool(self.abstract and label and label[1] == next(iter(LABELS)))

    @property
    def written_id(self) -> str:
        """What stands for the number of the record."""
        return one_line(" ".join(self.fields.get("ID", ())))[:60]

    def number(self) -> ProposalNumber | None:
        """The number of the record, or None if it has no valid one."""
        try:
            return proposal_number(self.written_id)
        except ValueError:
            return None

    def proposal(self, key: Key) -> Proposal:
        """The record."""
        values = {
            LABELS[label]: one_line(" ".join(lines))
            for label, lines in self.fields.items()
            if LABELS[label] != "proposal_id"
        }
        return Proposal(
            mission=key.mission,
            proposal_id=key.proposal_id,
            abstract=one_line(" ".join(self.abstract)),
            **values,
        )

    def _label(self, line: str) -> re.Match[str] | None:
        """The label of a line before the abstract, or None; a repeated label is text."""
        match = None if self.abstract else _LABEL.match(line)
        return match if match and match[1] not in self.fields else None

    def _lines_of(self, line: str) -> list[str]:
        """The lines that a line of text is part of: a field's, the abstract's, or neither's."""
        if not self.fields:
            return self.stray

        # Below PI the abstract may begin without a blank line. The rest of a wrapped name is
        # indented as far as its beginning.
        begins_abstract = self.open_field == "PI" and not line.startswith(" " * 8)
        if self.open_field is None or begins_abstract:
            self.open_field = None
            return self.abstract
        return self.fields[self.open_field]


def _blocks(text: str) -> Iterator[_Block]:
    block = _Block()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        ends = _SEPARATOR.fullmatch(line) is not None
        if ends or block.starts_another(line):
            if block.fields or block.stray:
                yield block
            block = _Block()
        if not ends:
            block.add(line, number)
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
    """Indent a line that would be read as a label or a separator."""
    is_misread = _LABEL.match(line) or _SEPARATOR.fullmatch(line)
    return " " * _VALUE_COLUMN + line.lstrip() if is_misread else line


def _wrap(text: str, width: int, first: str, rest: str) -> list[str]:
    """Wrap text at blanks only: a word stays whole, however long or hyphenated."""
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
