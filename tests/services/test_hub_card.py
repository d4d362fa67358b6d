"""Cards: their licence, and JSON without the paths of this machine."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.services.hub_card import last_part, licence_of, with_licence, without_paths

LICENCES = st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)
CARDS = [
    "# No header\n",
    "---\nlicense: other\ntags:\n- a\n---\n# A\n",
    "---\ntags:\n- license: mit\n---\nlicense: in the text\n",
    "---\nlicense: [mit, other]\n---\n",
    "---\nlicense:\n- mit\n- other\ntags:\n- a\n---\n# A\n",
    "---\ntags:\n- a\nlicense:\n  - mit\n  - other\n---\n",
]


@pytest.mark.parametrize("card", CARDS)
@given(licence=LICENCES)
def test_a_licence_is_put_into_the_header_and_nothing_else_changes(card: str, licence: str) -> None:
    made = with_licence(card, licence)
    assert licence_of(made) == licence
    inside = made.removeprefix("---\n").partition("\n---\n")[0]  # a licence may end in dashes
    header = yaml.safe_load(inside.replace(f"license: {licence}", "license: x", 1))
    assert header["license"] == "x"
    body = card.split("---\n")[-1]
    assert made.endswith(body) and with_licence(made, licence) == made


def test_a_licence_outside_of_the_header_is_none() -> None:
    assert [licence_of(card) for card in CARDS] == [None, "other", None, None, None, None]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/me/clip", "clip"),
        ("/home/me/clip/", "clip"),
        ("~/clip", "clip"),
        (r"C:\Users\me\clip", "clip"),
        ("D:/data/clip", "clip"),
        (r"\\server\share\clip", "clip"),
        ("file:///home/me/a b.csv", "a b.csv"),
        ("openai/clip-vit-base-patch16", "openai/clip-vit-base-patch16"),
        ("scratch:tiny", "scratch:tiny"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("mast:HST/product/x.fits", "mast:HST/product/x.fits"),
        ("/", "/"),
        ("</w>", "</w>"),
        ("a / b", "a / b"),
        ("", ""),
    ],
)
def test_of_an_absolute_path_the_last_part_is_left(text: str, left: str) -> None:
    assert last_part(text) == left
    data = json.dumps({"a": [text, {"b": text}], text or "c": 1}).encode()
    cleaned, found = without_paths(data)
    assert json.loads(cleaned) == {"a": [left, {"b": left}], left or "c": 1}
    assert found == ({} if text == left else {text: left})
    assert (cleaned == data) is (text == left), "what needs no change keeps its bytes"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("/~\\:ab", max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("/ab", max_size=5), inner),
)


@given(VALUES)
def test_no_absolute_path_is_left_and_the_second_time_nothing_changes(value: object) -> None:
    cleaned, _ = without_paths(json.dumps(value).encode())
    assert without_paths(cleaned) == (cleaned, {})


def test_what_is_no_json_is_an_error() -> None:
    with pytest.raises(ValueError):
        without_paths(b"{")
