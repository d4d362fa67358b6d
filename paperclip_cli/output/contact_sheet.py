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
from paperclip_cli.output.scale_bar import scale_bar
from paperclip_cli.records import Hit

_SIDE = 384  # longest side of an image in the page, in pixels
_CARDS = """
section {
  display: grid; gap: 1.25rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr));
}
figure {
  margin: 0; border: 1px solid color-mix(in srgb, currentColor 20%, transparent);
  border-radius: 6px; overflow: hidden;
}
img, .missing {
  width: 100%; aspect-ratio: 1; object-fit: contain; background: #fff; display: block;
}
.picture { position: relative; }
/* White, with a dark ground or rim, so that it can be read on any picture. */
.scale {
  position: absolute; left: 4%; bottom: 4%; height: 3px; background: #fff;
  box-shadow: 0 0 0 1px #000b;
}
.scale span {
  position: absolute; left: -1px; bottom: 7px; padding: 1px 5px; border-radius: 3px;
  background: #000b; color: #fff; font-size: .8em; line-height: 1.3; white-space: nowrap;
}
.missing { display: grid; place-items: center; color: #666; }
figcaption { padding: .6rem .8rem; overflow-wrap: anywhere; }
figcaption b, figcaption small { display: block; }
small, summary, footer { opacity: .7; }
summary { cursor: pointer; }
"""
_STYLE = f"""
:root {{ color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }}
body {{ margin: clamp(.75rem, 4vw, 2rem); overflow-wrap: anywhere; }}{_CARDS}"""
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
    more = f" (+{hit.more} more)" if hit.more else ""
    return (
        f"<figure>{_picture(hit)}"
        f"<figcaption><b>{hit.rank}. {_link(hit)}{more}</b>"
        f"{_text(' · '.join(filter(None, facts)))}"
        f"<small>{_text(', '.join(_numbers(hit)))}</small>{_position(hit)}{_abstract(hit)}"
        "</figcaption></figure>\n"
    )


def _abstract(hit: Hit) -> str:
    """The abstract, folded up. No script is needed for that."""
    if not hit.abstract:
        return ""
    return f"<details><summary>abstract</summary>{_text(hit.abstract)}</details>"


def _numbers(hit: Hit) -> Iterator[str]:
    """The numbers that are known, each with its name or unit."""
    unit, per_unit = separation_unit([hit])
    if hit.score is not None:
        yield f"score {number(hit.score, 3)}"
    if hit.p_chance is not None:
        yield f"chance {chance(hit.p_chance)}"
    if hit.separation is not None:
        yield f"{separation(hit, per_unit)} {unit} away"
    if hit.split != "none":
        yield f"split {hit.split}"


def _position(hit: Hit) -> str:
    if hit.s_ra is None or hit.s_dec is None:
        return ""
    return f"<small>at {hit.s_ra:.5f} {hit.s_dec:+.5f}</small>"


def _picture(hit: Hit) -> str:
    """The image as a data URI, encoded anew so that no browser reads the bytes of the file.

    It is padded to a square, whose width is the hit's `s_fov`, and has words for those who do not
    see it.
    """
    from paperclip_cli.errors import BadItem
    from paperclip_cli.images.pictures import encode_jpeg, make_canvas, read_picture

    try:
        data = encode_jpeg(make_canvas(read_picture(Path(hit.image)), _SIDE))
    except BadItem as error:
        return f'<div class="missing">{_text(str(error))}</div>'
    source = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return (
        f'<div class="picture"><img alt="{_text(one_line(hit))}" src="{source}">{_scale(hit)}</div>'
    )


def _scale(hit: Hit) -> str:
    if not hit.s_fov:
        return ""
    bar = scale_bar(hit.s_fov)
    return (
        f'<div class="scale" style="width:{100 * bar.part:.3f}%" role="img"'
        f' aria-label="scale bar of {bar.label}"><span>{bar.label}</span></div>'
    )


def _link(hit: Hit) -> str:
    url = hit.access_url or ""
    name = _text(hit.title or Path(hit.image).name)
    if not url.startswith(("https://", "http://")):
        return name
    return f'<a href="{_text(url)}" rel="noreferrer">{name}</a>'


def _text(value: str) -> str:
    return html.escape("".join(sign if sign.isprintable() else " " for sign in value))
