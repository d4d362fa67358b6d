"""Hits in the formats of files: what `query` prints, and what is written from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paperclip_cli.output.hits import rows_of
from paperclip_cli.records import Hit


def written(hits: Sequence[Hit], form: str, provenance: Mapping[str, str]) -> str:
    """The text of a file: json, jsonl, csv, votable, ecsv, ds9 (regions), or html.

    HTML is a contact sheet. `provenance` says what gave the hits.
    """
    if form == "html":
        from paperclip_cli.output.contact_sheet import contact_sheet

        return contact_sheet(hits, provenance)
    if form == "ds9":
        from paperclip_cli.output.ds9 import regions

        return regions(hits, provenance)
    if form in ("votable", "ecsv"):
        from paperclip_cli.output import votable

        return (votable.votable if form == "votable" else votable.ecsv)(hits, provenance)
    return rows_of(hits, form)
