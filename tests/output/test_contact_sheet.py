"""The contact sheet is self-contained, and hostile text stays text."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from paperclip_cli.output.contact_sheet import contact_sheet, fragment
from paperclip_cli.records import Hit
from tests.small_indexes import write_picture


def hit(image: Path, **more: object) -> Hit:
    values = {
        "rank": 1,
        "query": "galaxy",
        "score": 0.3,
        "percentile": 99.5,
        "mission": "hst",
        "proposal_id": 1,
        "image": str(image),
        "title": "A title",
        "split": "none",
    }
    return Hit(**{**values, **more})  # type: ignore[arg-type]


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.found.append((tag, dict(attributes)))


def test_images_are_inside_and_nothing_is_fetched(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 0)
    Image.fromarray(np.zeros((1000, 500), np.uint16)).save(tmp_path / "large.tiff")
    page = contact_sheet(
        [hit(tmp_path / "a.png"), hit(tmp_path / "large.tiff", rank=2)], {"model": "tiny"}
    )
    images = [attributes["src"] for tag, attributes in Elements(page).found if tag == "img"]
    jpegs = [base64.b64decode(uri.removeprefix("data:image/jpeg;base64,")) for uri in images]
    sizes = [Image.open(io.BytesIO(jpeg)).size for jpeg in jpegs]
    assert sizes == [(16, 16), (384, 384)]
    assert "default-src 'none'" in page and "tiny" in page
    assert not [tag for tag, _ in Elements(page).found if tag in ("script", "link", "iframe")]


def test_hostile_text_is_text(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 0)
    evil = "<script>alert('1')</script>\x1b[31m\x00\u202e"
    link = "javascript:alert(1)"
    observed = {"target": evil, "filters": (evil,), "instrument": evil, "access_url": link}
    page = contact_sheet(
        [hit(tmp_path / "a.png", title=evil, query=evil, **observed)], {evil: evil}
    )
    assert not [tag for tag, _ in Elements(page).found if tag in ("script", "a")]
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", page)


def test_an_image_that_is_gone_leaves_its_place(tmp_path: Path) -> None:
    page = contact_sheet(
        [hit(tmp_path / "gone.png", access_url="https://mast.stsci.edu/a?b&c")], {}
    )
    assert "No such file" in page and 'href="https://mast.stsci.edu/a?b&amp;c"' in page


def test_every_query_has_its_section(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 0)
    one = hit(tmp_path / "a.png", more=3, target="M 51", cycle="26")
    page = contact_sheet([one, replace(one, rank=2), replace(one, query="dust")], {})
    assert re.findall(r"<h1>(.*?)</h1>", page) == ["galaxy", "dust"]
    assert "(+3 more)" in page and "M 51" in page and "cycle 26" in page
    assert "No image matches" in contact_sheet([], {})


def test_a_hit_has_its_position_its_abstract_and_words_for_those_who_do_not_see(
    tmp_path: Path,
) -> None:
    write_picture(tmp_path / "a.png", 0)
    found = hit(
        tmp_path / "a.png",
        s_ra=202.46958,
        s_dec=47.19526,
        abstract="We <b>ask</b>.",
        target='M "51',
    )
    page = contact_sheet([found], {})
    assert "at 202.46958 +47.19526" in page
    assert "<details><summary>abstract</summary>We &lt;b&gt;ask&lt;/b&gt;.</details>" in page
    (image,) = [attributes for tag, attributes in Elements(page).found if tag == "img"]
    assert image["alt"] == '1. A title (hst:1, M "51, score 0.300)'
    assert "details" not in contact_sheet([hit(tmp_path / "a.png")], {})


def test_a_picture_has_a_bar_where_its_scale_is_known(tmp_path: Path) -> None:
    """Its width is in parts of the square that holds the picture: 20 arcsec are 1/3 of 60."""
    write_picture(tmp_path / "a.png", 0)
    known = hit(tmp_path / "a.png", s_fov=1 / 60)
    for page in (contact_sheet([known], {}), fragment([known], [], 1)):
        (bar,) = [at for _, at in Elements(page).found if at.get("class") == "scale"]
        assert bar["style"] == "width:33.333%" and bar["aria-label"] == "scale bar of 20 arcsec"
        assert "<span>20 arcsec</span>" in page
    for unknown in (hit(tmp_path / "a.png"), replace(known, image=str(tmp_path / "gone.png"))):
        assert 'class="scale"' not in contact_sheet([unknown], {})


def test_what_tells_nothing_is_left_out(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 0)
    bare = contact_sheet([hit(tmp_path / "a.png")], {})
    assert "split" not in bare and "away" not in bare
    cone = hit(tmp_path / "a.png", score=None, separation=123.0, split="test")
    page = contact_sheet([cone], {})
    assert "<small>2.05 deg away, split test</small>" in page
