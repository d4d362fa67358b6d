"""Hits as VOTable and ECSV for other astronomy programs, with units, UCDs and the frame.

They are not written by astropy, because its import alone would take as long as the query. Every
text is one line without control characters, which XML does not allow. Unknown values are empty.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from paperclip_cli.output.console import printable
from paperclip_cli.output.hits import COLUMNS, Column, values
from paperclip_cli.records import Hit

_POSITION = ("s_ra", "s_dec")
_VOTABLE_TYPES = {
    "int": {"datatype": "long"},
    "float": {"datatype": "double"},
    "str": {"datatype": "unicodeChar", "arraysize": "*"},
}
_ECSV_TYPES = {"int": "int64", "float": "float64", "str": "string"}


def votable(hits: Sequence[Hit], provenance: Mapping[str, str]) -> str:
    """A VOTable 1.4. `provenance` describes the source of the hits."""
    return "".join(f"{line}\n" for line in _votable_lines(hits, provenance))


def _votable_lines(hits: Sequence[Hit], provenance: Mapping[str, str]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
    yield '<RESOURCE type="results">'
    for name, value in provenance.items():
        yield _element("INFO", {"name": name, "value": printable(value)})
    yield _element("COOSYS", {"ID": "icrs", "system": "ICRS"})
    yield f'<TABLE name="hits" nrows="{len(hits)}">'
    yield from map(_field, COLUMNS)
    yield "<DATA><TABLEDATA>"
    for hit in hits:
        yield f"<TR>{''.join(f'<TD>{escape(cell)}</TD>' for cell in _cells(hit))}</TR>"
    yield "</TABLEDATA></DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>"


def _field(column: Column) -> str:
    frame = "icrs" if column.name in _POSITION else None
    known = {
        "name": column.name,
        **_VOTABLE_TYPES[_kind(column)],
        "unit": column.unit,
        "ucd": column.ucd,
        "ref": frame,
    }
    return _element("FIELD", known, f"<DESCRIPTION>{escape(column.description)}</DESCRIPTION>")


def _element(name: str, attributes: Mapping[str, str | None], content: str = "") -> str:
    said = "".join(
        f" {key}={quoteattr(value)}" for key, value in attributes.items() if value is not None
    )
    return f"<{name}{said}>{content}</{name}>" if content else f"<{name}{said}/>"


def ecsv(hits: Sequence[Hit], provenance: Mapping[str, str]) -> str:
    """An ECSV 1.0 table. Its YAML header is written as JSON, which is YAML, too."""
    text = io.StringIO()
    for line in _ecsv_header(provenance):
        text.write(f"# {line}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in COLUMNS])
    writer.writerows(map(_cells, hits))
    return text.getvalue()


def _ecsv_header(provenance: Mapping[str, str]) -> Iterator[str]:
    yield from ("%ECSV 1.0", "---", "delimiter: ','", "datatype:")
    for column in COLUMNS:
        known = {
            "name": column.name,
            "datatype": _ECSV_TYPES[_kind(column)],
            "unit": column.unit,
            "description": column.description,
            "meta": {"ucd": column.ucd} if column.ucd else None,
        }
        yield f"- {_json({key: value for key, value in known.items() if value is not None})}"
    said = {name: printable(value) for name, value in provenance.items()}
    yield f"meta: {_json({'name': 'paperclip', 'frame': 'ICRS', **said})}"
    yield "schema: astropy-2.0"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)  # YAML has no surrogate pairs


def _kind(column: Column) -> str:
    return "str" if column.kind == "list" else column.kind


def _cells(hit: Hit) -> list[str]:
    """The fields of a hit as text; lists are joined by `;`."""
    return [_cell(value) for value in values(hit).values()]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    return printable(";".join(value) if isinstance(value, list) else str(value))
