"""Hits as a file of regions for DS9: their footprints or positions in ICRS, with labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from paperclip_cli.records import Hit
from paperclip_cli.sky.region import Shape, parse_region
from paperclip_cli.sky.vectors import direction


def regions(hits: Sequence[Hit], provenance: Mapping[str, str]) -> str:
    """A region file, with a comment for each hit that has no place on the sky."""
    said = "".join(f"# {name}: {_plain(value)}\n" for name, value in provenance.items())
    lines = "".join(line for hit in hits for line in _of(hit))
    return f"# Region file format: DS9 version 4.1\n{said}global color=green\nicrs\n{lines}"


def _of(hit: Hit) -> Iterator[str]:
    shapes = parse_region(hit.s_region) if hit.s_region else []
    label = _plain(" ".join(filter(None, (f"{hit.rank}.", str(hit.key or ""), hit.target))))
    if not shapes and (hit.s_ra is None or hit.s_dec is None):
        yield f"# no position: {label}\n"
        return
    drawn = [_drawn(shape) for shape in shapes] or [f"point({hit.s_ra:.7f},{hit.s_dec:.7f})"]
    for place, shape in enumerate(drawn):
        kind = " point=cross" if shape.startswith("point") else ""
        yield f"{shape} #{kind} text={{{label if place == 0 else ''}}}\n"


def _drawn(shape: Shape) -> str:
    places = [direction(vertex) for vertex in shape.vertices]
    if len(places) == 2:
        return f"line({','.join(f'{ra:.7f},{dec:.7f}' for ra, dec in places)})"
    if len(places) > 2:
        return f"polygon({','.join(f'{ra:.7f},{dec:.7f}' for ra, dec in places)})"
    ((ra, dec),) = places
    if shape.rim == 0:
        return f"point({ra:.7f},{dec:.7f})"
    return f'circle({ra:.7f},{dec:.7f},{math.degrees(shape.rim) * 3600:.3f}")'


def _plain(text: str) -> str:
    """Text without the signs that end a label or a line of a region file."""
    return " ".join(text.translate({ord(sign): " " for sign in "{};\n\r"}).split())
