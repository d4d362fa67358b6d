"""Hits as one self-contained HTML page: images embedded, no script, all text escaped."""

from __future__ import annotations

import base64
import html
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from paperclip_cli.output.hits import (
    chance,
    instrument,
    number,
    one_line,
    separation,
    separation_unit,
)
from paperclip_cli.records import Hit

_SIDE = 384  # longest side of an image in the page, in pixels
_CARDS = """
section {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.25rem;
}
figure {
  margin: 0; border: 1px solid color-mix(in srgb, currentColor 20%, transparent);
  border-radius: 6px; overflow: hidden;
}
img, .missing {
  width: 100%; aspect-ratio: 1; object-fit: contain; background: #fff; display: block;
}
.missing { display: grid; place-items: center; color: #666; }
figcaption { padding: .6rem .8rem; overflow-wrap: anywhere; }
figcaption b { display: block; }
small, summary, footer { opacity: .7; }
summary { cursor: pointer; }
"""
_STYLE = f"""
:root {{ color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }}
body {{ margin: 2rem; }}{_CARDS}"""
# Part of a page: nested, so that the rest of the page keeps its own style.
_PART_STYLE = f""".paperclip-hits {{ font: 13px/1.4 system-ui, sans-serif;{_CARDS}
section {{ grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem; }}
}}
"""


def contact_sheet(hits: Sequence[Hit], provenance: Mapping[str, str]) -> str:
    """An HTML page with one section per query, and `provenance` (model, index, ...) at its foot."""
    sections = "\n".join(
        f"<h1>{_text(query)}</h1>\n<section>\n{''.join(map(_figure, group))}</section>"
        for query, group in itertools.groupby(hits, key=lambda hit: hit.query)
    )
    foot = " · ".join(f"{_text(name)}: {_text(value)}" for name, value in provenance.items())
    title = _text(", ".join(dict.fromkeys(hit.query for hit in hits)) or "no hits")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width">\n'
        f"<title>{title} – paperclip</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{sections or '<p>No image matches.</p>'}\n"
        f"<footer><p>{foot}</p></footer>\n</body>\n</html>\n"
    )


def fragment(hits: Sequence[Hit], notes: Sequence[str], most: int) -> str:
    """The first `most` hits as part of a page, for notebooks: embedded images, all text escaped."""
    said = [*notes, *([f"... and {len(hits) - most} more"] if len(hits) > most else [])]
    return (
        f'<div class="paperclip-hits"><style>{_PART_STYLE}</style>\n'
        f"<section>\n{''.join(map(_figure, hits[:most]))}</section>\n"
        f"<footer>{'<br>'.join(map(_text, said))}</footer></div>\n"
    )


def _figure(hit: Hit) -> str:
    cycle = f"cycle {hit.cycle}" if hit.cycle else None
    facts = [str(hit.key or ""), hit.target, instrument(hit), " ".join(hit.filters), cycle]
    numbers = ", ".join(f"{name} {value}" for name, value in _numbers(hit) if value)
    more = f" (+{hit.more} more)" if hit.more else ""
    return (
        f"<figure>{_image(Path(hit.image), one_line(hit))}"
        f"<figcaption><b>{hit.rank}. {_link(hit)}{more}</b>"
        f"{_text(' · '.join(filter(None, facts)))}<br>"
        f"<small>{_text(numbers)}</small>{_abstract(hit)}</figcaption></figure>\n"
    )


def _abstract(hit: Hit) -> str:
    """The abstract, folded up. No script is needed for that."""
    if not hit.abstract:
        return ""
    return f"<details><summary>abstract</summary>{_text(hit.abstract)}</details>"


def _numbers(hit: Hit) -> Iterator[tuple[str, str]]:
    yield "score", number(hit.score, 3)
    yield "chance", chance(hit.p_chance)
    unit, per_unit = separation_unit([hit])
    yield unit, separation(hit, per_unit)
    yield "split", hit.split
    if hit.s_ra is not None and hit.s_dec is not None:
        yield "at", f"{hit.s_ra:.5f} {hit.s_dec:+.5f}"


def _image(path: Path, said: str) -> str:
    """The image as a data URI, encoded anew so that no browser reads the bytes of the file.

    `said` stands in its place for those who do not see it.
    """
    from paperclip_cli.errors import BadItem
    from paperclip_cli.images.pictures import encode_jpeg, make_canvas, read_picture

    try:
        data = encode_jpeg(make_canvas(read_picture(path), _SIDE))
    except BadItem as error:
        return f'<div class="missing">{_text(str(error))}</div>'
    return (
        f'<img alt="{_text(said)}" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
    )


def _link(hit: Hit) -> str:
    url = hit.access_url or ""
    name = _text(hit.title or Path(hit.image).name)
    if not url.startswith(("https://", "http://")):
        return name
    return f'<a href="{_text(url)}" rel="noreferrer">{name}</a>'


def _text(value: str) -> str:
    return html.escape("".join(sign if sign.isprintable() else " " for sign in value))
