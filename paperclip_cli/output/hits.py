"""Hits as a terminal table for people, and as JSON and CSV for programs.

Names are ObsCore's where it has one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from paperclip_cli.output.console import Link, TableColumn, printable, rows
from paperclip_cli.records import Hit


@dataclass(frozen=True, kw_only=True)
class Column:
    """A field of a hit. `kind` is int, float, str or list (of str).

    A field that is there `always` is written even where its value is unknown.
    """

    name: str
    kind: str
    description: str
    unit: str | None = None
    ucd: str | None = None
    always: bool = False


COLUMNS = (
    Column(name="rank", kind="int", description="Place in the answer, from 1", always=True),
    Column(name="query", kind="str", description="The query", always=True),
    Column(name="score", kind="float", description="Cosine of query and image", always=True),
    Column(
        name="percentile",
        kind="float",
        description="Percentile of the score among those of unrelated texts in the same index",
        always=True,
    ),
    Column(
        name="p_chance",
        kind="float",
        description="Probability that an unrelated text finds a hit as good",
        ucd="stat.probability",
        always=True,
    ),
    Column(
        name="mission",
        kind="str",
        description="Mission of the proposal",
        ucd="meta.id;instr.obsty",
        always=True,
    ),
    Column(
        name="proposal_id",
        kind="int",
        description="Number of the proposal",
        ucd="meta.id;obs.proposal",
        always=True,
    ),
    Column(
        name="image",
        kind="str",
        description="Path of the image",
        ucd="meta.ref;meta.file",
        always=True,
    ),
    Column(
        name="title",
        kind="str",
        description="Title of the proposal",
        ucd="meta.title;obs.proposal",
        always=True,
    ),
    Column(
        name="split",
        kind="str",
        description="Side of the model's data: train, validation, test or none",
        always=True,
    ),
    Column(
        name="target", kind="str", description="Target as the observer named it", ucd="meta.id;src"
    ),
    Column(
        name="s_ra",
        kind="float",
        description="Right ascension (ICRS)",
        unit="deg",
        ucd="pos.eq.ra;meta.main",
    ),
    Column(
        name="s_dec",
        kind="float",
        description="Declination (ICRS)",
        unit="deg",
        ucd="pos.eq.dec;meta.main",
    ),
    Column(
        name="separation",
        kind="float",
        description="Angle between the observation's centre and the position searched",
        unit="arcmin",
        ucd="pos.angDistance",
    ),
    Column(name="instrument", kind="str", description="Instrument", ucd="meta.id;instr"),
    Column(name="detector", kind="str", description="Detector", ucd="meta.id;instr.det"),
    Column(
        name="filters", kind="list", description="Filters of the visit", ucd="meta.id;instr.filter"
    ),
    Column(name="cycle", kind="str", description="Cycle of the proposal", ucd="obs.proposal.cycle"),
    Column(name="category", kind="str", description="Science category of the proposal"),
    Column(name="obs_id", kind="str", description="Observation in the archive", ucd="meta.id"),
    Column(
        name="t_min",
        kind="float",
        description="Start of the observation (Modified Julian Date)",
        unit="d",
        ucd="time.start;obs.exposure",
    ),
    Column(
        name="t_exptime",
        kind="float",
        description="Exposure time",
        unit="s",
        ucd="time.duration;obs.exposure",
    ),
    Column(
        name="s_region", kind="str", description="Footprint (STC-S)", ucd="pos.outline;obs.field"
    ),
    Column(
        name="s_fov",
        kind="float",
        description="Width of the square that just holds the image",
        unit="deg",
        ucd="phys.angSize;instr.fov",
    ),
    Column(
        name="tile_region",
        kind="str",
        description="The part of it that matched (STC-S), in an index of tiles",
        ucd="pos.outline",
    ),
    Column(name="access_url", kind="str", description="The archive's page", ucd="meta.ref.url"),
    Column(
        name="preview_uri", kind="str", description="The preview in the archive", ucd="meta.ref"
    ),
    Column(
        name="product_uri",
        kind="str",
        description="The science file in the archive",
        ucd="meta.ref",
    ),
    Column(
        name="more",
        kind="int",
        description="Other images of the same proposal and target that this hit represents",
        ucd="meta.number",
        always=True,
    ),
    Column(
        name="provenance",
        kind="str",
        description="Software, index and model that gave the answer",
        always=True,
    ),
)


# The columns that describe an image, whatever the query.
_OF_A_QUERY = {
    *("rank", "query", "score", "percentile", "p_chance", "separation", "tile_region", "more")
}
IMAGE_COLUMNS = tuple(
    column for column in COLUMNS if column.name not in {*_OF_A_QUERY, "provenance"}
)
_MOST_ARCMIN = 100  # from here on, distances are easier to read in degrees
_DIGITS = {
    "score": 6,
    "percentile": 3,
    "p_chance": 4,
    "separation": 5,
    "s_fov": 9,
}  # the last ones that mean anything


def values(hit: Hit) -> dict:
    """Every field of a hit by name, None where unknown."""
    found = {column.name: getattr(hit, column.name) for column in COLUMNS}
    rounded = {
        name: round(value, digits)
        for name, digits in _DIGITS.items()
        if (value := found[name]) is not None
    }
    return found | rounded | {"filters": list(hit.filters)}


def known(hit: Hit) -> dict:
    """The fields of a hit in JSON: those that are always there, and those that are known."""
    always = {column.name for column in COLUMNS if column.always}
    return {
        name: value
        for name, value in values(hit).items()
        if name in always or value not in (None, "", [])
    }


def rows_of(hits: Sequence[Hit], form: str) -> str:
    """The hits as JSON, JSON Lines or CSV. CSV has every column, the others what is known."""
    if form == "csv":
        return rows([values(hit) for hit in hits], form, [column.name for column in COLUMNS])
    return rows([known(hit) for hit in hits], form)


def one_line(hit: Hit) -> str:
    """A hit in one line: `1. Galaxy mergers (hst:15354, NGC 4038, ACS/WFC, score 0.312)`."""
    score = number(hit.score, 3) and f"score {number(hit.score, 3)}"
    unit, per_unit = separation_unit([hit])
    apart = separation(hit, per_unit) and f"{separation(hit, per_unit)} {unit}"
    facts = [str(hit.key or ""), hit.target, instrument(hit), score, apart]
    title = hit.title or Path(hit.image).name
    return printable(f"{hit.rank}. {title} ({', '.join(filter(None, facts))})")


def hit_table(hits: Sequence[Hit], width: int) -> tuple[list[TableColumn], list[list[str | Link]]]:
    """The columns that fit a line of `width` cells, and the rows.

    A narrower line has fewer columns beside the proposal and the title. Those that tell nothing are
    left out.
    """
    usual, wide, wider = width >= 50, width >= 90, width >= 130
    unit, per_unit = separation_unit(hits)
    columns: dict[TableColumn, Callable[[Hit], str | Link]] = {
        TableColumn("#", 4, "right"): lambda hit: str(hit.rank),
        TableColumn("Proposal", 16): lambda hit: str(hit.key or ""),
        TableColumn("Title", share=5): _linked_title,
        TableColumn("More", 6, "right"): lambda hit: f"+{hit.more}" if hit.more and wide else "",
        TableColumn("Target", 32, share=2): lambda hit: hit.target or "" if usual else "",
        TableColumn("Instrument" if wide else "Instr.", 16, share=2): (
            lambda hit: instrument(hit) if usual else ""
        ),
        TableColumn("Filters", 24, share=2): lambda hit: " ".join(hit.filters) if wider else "",
        TableColumn(unit.capitalize(), 8, "right"): lambda hit: separation(hit, per_unit),
        TableColumn("Score", 6, "right"): lambda hit: number(hit.score, 3),
        TableColumn("Chance", 6, "right"): lambda hit: chance(hit.p_chance),
        TableColumn("Split", 10): lambda hit: hit.split if wide and hit.split != "none" else "",
    }
    rows = [[cell(hit) for cell in columns.values()] for hit in hits]
    shown = [any(row[place] for row in rows) for place in range(len(columns))]
    return list(compress(columns, shown)), [list(compress(row, shown)) for row in rows]


def separation_unit(hits: Sequence[Hit]) -> tuple[str, float]:
    """The unit for the distances of some hits, `arcmin` or `deg`, and its length in arcmin."""
    furthest = max((hit.separation for hit in hits if hit.separation is not None), default=0)
    return ("deg", 60.0) if furthest >= _MOST_ARCMIN else ("arcmin", 1.0)


def separation(hit: Hit, per_unit: float) -> str:
    """The distance of a hit in such units; empty where it is unknown."""
    return number(hit.separation if hit.separation is None else hit.separation / per_unit, 2)


def _linked_title(hit: Hit) -> Link:
    return Link(hit.title or hit.abstract or Path(hit.image).name, link(hit))


def number(value: float | None, digits: int) -> str:
    """A number for a person; empty where it is unknown."""
    return "" if value is None else f"{value:.{digits}f}"


def chance(value: float | None) -> str:
    """A probability for a person: `0.42`, `<0.01`; empty where it is unknown."""
    return "<0.01" if value is not None and value < 0.005 else number(value, 2)


def instrument(hit: Hit) -> str:
    """The instrument of a hit with its detector."""
    return with_detector(hit.instrument, hit.detector)


def with_detector(instrument: str | None, detector: str | None) -> str:
    """`ACS/WFC`, whether the archive calls the instrument `ACS` or `ACS/WFC`."""
    name, part = instrument or "", detector or ""
    return name if part in name.split("/") else "/".join(filter(None, (name, part)))


def link(hit: Hit) -> str:
    """The archive's page, or else the image itself."""
    page = hit.access_url or ""
    return page if re.fullmatch(r"https?://[!-~]+", page) else Path(hit.image).as_uri()
