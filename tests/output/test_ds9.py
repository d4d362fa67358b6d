"""Regions for DS9 lie where astropy puts them, and hostile text stays in its label."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from astropy.coordinates import FK4, SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.output.ds9 import regions
from tests.output.test_hits import BARE, FULL

LINE = re.compile(r"(polygon|circle|point|line)\(([^()]*)\) #(?: point=cross)? text=\{([^{}]*)\}")


def drawn(text: str) -> list[tuple[str, list[float], str]]:
    head, lines = text.split("\nicrs\n")
    assert head.startswith("# Region file format: DS9 version 4.1\n")
    found = [LINE.fullmatch(line) for line in lines.splitlines() if not line.startswith("#")]
    return [
        (match[1], [float(number.rstrip('"')) for number in match[2].split(",")], match[3])
        for match in found
        if match is not None
    ]


def test_a_footprint_is_drawn_where_it_lies() -> None:
    (polygon,) = drawn(regions([FULL], {"query": "x"}))
    assert polygon == ("polygon", [0, 0, 1, 0, 1, 1], "1. hst:15354 NGC 4038")
    turned = replace(FULL, s_region="POLYGON FK4 10 20 11 20 11 21 10 21")
    ((_, numbers, _),) = drawn(regions([turned], {}))
    wanted = SkyCoord([10, 11, 11, 10], [20, 20, 21, 21], unit="deg", frame=FK4(equinox="B1950"))
    found = SkyCoord(numbers[::2], numbers[1::2], unit="deg")
    assert found.separation(wanted.icrs).arcsec.max() < 0.05


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("CIRCLE ICRS 10 -20 0.5", [("circle", [10, -20, 1800])]),
        ("POSITION ICRS 10 -20", [("point", [10, -20])]),
        (None, [("point", [0.0, -18.9])]),
        ("nonsense", [("point", [0.0, -18.9])]),
        (
            "UNION ICRS (CIRCLE 10 -20 1 CIRCLE 30 40 1)",
            [("circle", [10, -20, 3600]), ("circle", [30, 40, 3600])],
        ),
    ],
)
def test_shapes(region: str | None, expected: list) -> None:
    found = drawn(regions([replace(FULL, s_region=region)], {}))
    assert [shape for shape, _, _ in found] == [shape for shape, _ in expected]
    for (_, numbers, _), (_, wanted) in zip(found, expected, strict=True):
        assert numbers == pytest.approx(wanted, abs=1e-3)
    assert [bool(label) for *_, label in found] == [True] + [False] * (len(found) - 1)


def test_a_hit_without_a_place_is_a_comment() -> None:
    text = regions([BARE, FULL], {})
    assert "# no position: 2.\n" in text and len(drawn(text)) == 1


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_becomes_a_line_or_a_shape(target: str, query: str) -> None:
    text = regions([replace(FULL, target=target)], {"query": query})
    assert len(text.split("\n")) == 6 and len(drawn(text)) == 1
