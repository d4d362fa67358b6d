"""Hits as people read them, in a table of the terminal, and as programs do: JSON, CSV, VOTable, ECSV.

Names are ObsCore's where it has one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.records import Hit
from paperclip_cli.render import TableColumn, printable


@dataclass(frozen=True)
class Column:
    """A field of a hit. `kind`: int, float, str or list (of str). `always`: there even where it is unknown."""

    name: str
    kind: str
    description: str
    unit: str | None = None
    ucd: str | None = None
    always: bool = False


COLUMNS = (
    Column("rank", "int", "Place in the answer, from 1", always=True),
    Column("query", "str", "What was asked for", always=True),
    Column("score", "float", "Cosine of query and image", always=True),
    Column("percentile", "float", "Percent of the scores of unrelated texts against the same index that lie below", always=True),
    Column("mission", "str", "Mission of the proposal", ucd="meta.id;instr.obsty", always=True),
    Column("proposal_id", "int", "Number of the proposal", ucd="meta.id;obs.proposal", always=True),
    Column("image", "str", "Path of the image", ucd="meta.ref;meta.file", always=True),
    Column("title", "str", "Title of the proposal", ucd="meta.title;obs.proposal", always=True),
    Column("split", "str", "Side of the model's data: train, validation, test or none", always=True),
    Column("target", "str", "Target as the observer named it", ucd="meta.id;src"),
    Column("s_ra", "float", "Right ascension (ICRS)", "deg", "pos.eq.ra;meta.main"),
    Column("s_dec", "float", "Declination (ICRS)", "deg", "pos.eq.dec;meta.main"),
    Column("separation", "float", "Angle between the observation's centre and the position searched", "arcmin", "pos.angDistance"),
    Column("instrument", "str", "Instrument", ucd="meta.id;instr"),
    Column("detector", "str", "Detector", ucd="meta.id;instr.det"),
    Column("filters", "list", "Filters of the visit", ucd="meta.id;instr.filter"),
    Column("cycle", "str", "Cycle of the proposal", ucd="obs.proposal.cycle"),
    Column("category", "str", "Science category of the proposal"),
    Column("obs_id", "str", "Observation in the archive", ucd="meta.id"),
    Column("t_min", "float", "Start of the observation (Modified Julian Date)", "d", "time.start;obs.exposure"),
    Column("t_exptime", "float", "Exposure time", "s", "time.duration;obs.exposure"),
    Column("s_region", "str", "Footprint (STC-S)", ucd="pos.outline;obs.field"),
    Column("access_url", "str", "The archive's page", ucd="meta.ref.url"),
    Column("preview_uri", "str", "The preview in the archive", ucd="meta.ref"),
    Column("product_uri", "str", "The science file in the archive", ucd="meta.ref"),
    Column("more", "int", "Other images of the same proposal and target that this one stands for", ucd="meta.number", always=True),
)


def values(hit: Hit) -> dict:
    """Every field of a hit by name, None where unknown."""
    found = {column.name: getattr(hit, column.name, None) for column in COLUMNS}
    found.update((column.name, getattr(hit.observation, column.name)) for column in COLUMNS if hasattr(hit.observation, column.name))
    return {**found, "filters": list(hit.observation.filters), "score": round(hit.score, 6), "percentile": round(hit.percentile, 3),
            "separation": None if hit.separation is None else round(hit.separation, 5)}


def known(hit: Hit) -> dict:
    """What JSON says of a hit: the fields that are always there, and those that are known."""
    always = {column.name for column in COLUMNS if column.always}
    return {name: value for name, value in values(hit).items() if name in always or value not in (None, "", [])}


def hit_table(hits: Sequence[Hit], width: int) -> list[TableColumn]:
    """The columns that fit a line of `width` cells: the fewer there are, the less is said beside the title."""
    wide, wider = width >= 90, width >= 130
    titles = [hit.title or hit.abstract or Path(hit.image).name for hit in hits]
    columns = [
        TableColumn("#", [str(hit.rank) for hit in hits], 4, "right"),
        *_if_any(wide, "Proposal", [str(hit.key or "") for hit in hits], 16),
        TableColumn("Title", titles, links=[_link(hit) for hit in hits]),
        *_if_any(wide, "More", [f"+{hit.more}" if hit.more else "" for hit in hits], 6),
        TableColumn("Target", [hit.observation.target or "" for hit in hits], 24 if wider else 16 if wide else 9),
        TableColumn("Instrument" if wide else "Instr.", [_instrument(hit) for hit in hits], 16 if wider else 12 if wide else 7),
        *_if_any(wider, "Filters", [" ".join(hit.observation.filters) for hit in hits], 20),
        *_if_any(True, "Arcmin", ["" if hit.separation is None else f"{hit.separation:.2f}" for hit in hits], 8),
        TableColumn("Score", [f"{hit.score:.3f}" for hit in hits], 6, "right"),
        TableColumn("%ile", [f"{hit.percentile:.2f}" for hit in hits], 6, "right"),
        TableColumn("Split", [hit.split for hit in hits], 10 if wide else 5),
    ]
    return columns


def _if_any(is_room: bool, name: str, cells: list[str], width: int) -> list[TableColumn]:
    return [TableColumn(name, cells, width, "right" if name in ("More", "Arcmin") else "left")] if is_room and any(cells) else []


def _instrument(hit: Hit) -> str:
    return "/".join(filter(None, (hit.observation.instrument, hit.observation.detector)))


def _link(hit: Hit) -> str:
    """The archive's page, or else the image itself."""
    page = hit.observation.access_url or ""
    return page if re.fullmatch(r"https?://[!-~]+", page) else Path(hit.image).as_uri()


def table_file(hits: Sequence[Hit], form: str, provenance: Mapping[str, str]) -> str:
    """Hits as VOTable or ECSV (`form`), with units, UCDs and the frame; `provenance` says what gave them."""
    from astropy.table import Column as PlainColumn
    from astropy.table import MaskedColumn, Table

    table = Table(meta={"name": "paperclip", **provenance})
    rows = [values(hit) for hit in hits]
    for column in COLUMNS:
        cells = [_cell(row[column.name]) for row in rows]
        blank, dtype = _TYPES[column.kind]
        filled = [blank if cell is None else cell for cell in cells]
        # Only whole numbers need a mask: an unknown float is NaN, an unknown text is empty.
        mask = {"mask": [cell is None for cell in cells]} if column.kind == "int" else {}
        made = MaskedColumn if mask else PlainColumn
        table[column.name] = made(filled, dtype=dtype, unit=column.unit, description=column.description,
                                  meta={"ucd": column.ucd} if column.ucd else {}, **mask)
    return _ecsv(table) if form == "ecsv" else _votable(table)


def _cell(value: object) -> object:
    """Text without the control characters that XML may not hold."""
    text = ";".join(value) if isinstance(value, list) else value
    return printable(text) if isinstance(text, str) else text


_TYPES = {"int": (0, "int64"), "float": (float("nan"), "float64"), "str": ("", "str"), "list": ("", "str")}


def _ecsv(table) -> str:  # type: ignore[no-untyped-def]
    table.meta["frame"] = "ICRS"
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    return text.getvalue()


def _votable(table) -> str:  # type: ignore[no-untyped-def]
    from astropy.io.votable import from_table, writeto
    from astropy.io.votable.tree import CooSys, Info

    document = from_table(table)
    resource = document.resources[0]
    frame = CooSys(ID="icrs", system="ICRS")
    resource.coordinate_systems.append(frame)
    for name, value in table.meta.items():
        resource.infos.append(Info(name=name, value=value))
    for field in resource.tables[0].fields:
        column = table[field.name]
        field.ucd = column.meta.get("ucd")
        if field.name in ("s_ra", "s_dec"):
            field.ref = frame.ID
    data = io.BytesIO()
    writeto(document, data)
    return data.getvalue().decode()
