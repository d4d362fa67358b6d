"""The columns of datasets that others made: which are chosen, and what a row says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.dataset.columns import (
    CLASS,
    IMAGE,
    NUMBER,
    OTHER,
    TEXT,
    TEXTS,
    Column,
    Columns,
    LeftOut,
    Wanted,
    choose,
)
from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import Key, Observation

IMAGES, STRINGS, NUMBERS = Column(IMAGE, "image"), Column(TEXT, "string"), Column(NUMBER, "int64")
PLAIN = Columns(image="image", text="caption", group=None, has_keys=False, mission="them")


def chosen(columns: dict[str, Column], **wanted: str) -> Columns:
    return choose(columns, Wanted(**wanted), "them", "org/them")


@pytest.mark.parametrize(
    ("columns", "image", "text"),
    [
        ({"image": IMAGES, "caption": STRINGS, "text": STRINGS}, "image", "caption"),
        ({"picture": IMAGES, "text": STRINGS, "title": STRINGS}, "picture", "text"),
        ({"png": IMAGES, "txt": STRINGS, "__key__": STRINGS, "__url__": STRINGS}, "png", "txt"),
        ({"image": STRINGS, "description": STRINGS}, "image", "description"),
        ({"a": IMAGES, "image": IMAGES, "lines": Column(TEXTS, TEXTS)}, "image", "lines"),
        ({"image": IMAGES, "label": Column(CLASS, CLASS, ("a",)), "n": NUMBERS}, "image", "label"),
    ],
)
def test_the_usual_columns(columns: dict[str, Column], image: str, text: str) -> None:
    found = chosen(columns)
    assert (found.image, found.text, found.group, found.has_keys) == (image, text, None, False)


@pytest.mark.parametrize(
    ("columns", "wanted", "said"),
    [
        ({"a": IMAGES, "b": IMAGES, "text": STRINGS}, {}, "which column holds the image"),
        ({"image": IMAGES, "a": STRINGS, "b": STRINGS}, {}, "which column holds the text"),
        ({"image": IMAGES, "n": NUMBERS}, {}, "which column holds the text"),
        ({"image": IMAGES, "text": STRINGS}, {"text": "words"}, "no column 'words'"),
        ({"image": IMAGES, "text": STRINGS}, {"image": "photo"}, "no column 'photo'"),
        ({"image": NUMBERS, "text": STRINGS}, {}, "'image' cannot be the image: it is int64"),
        ({"image": IMAGES, "text": NUMBERS}, {}, "'text' cannot be the text: it is int64"),
        (
            {"image": IMAGES, "text": STRINGS, "g": Column(OTHER, "bool")},
            {"group": "g"},
            "'g' cannot be the group: it is bool",
        ),
    ],
)
def test_what_is_not_clear_is_refused_with_the_columns(
    columns: dict[str, Column], wanted: dict[str, str], said: str
) -> None:
    with pytest.raises(PaperclipError, match=said) as caught:
        chosen(columns, **wanted)
    for name, column in columns.items():
        assert f"{name} ({column.type})" in str(caught.value.hint)


def test_a_dataset_of_ours_keeps_its_proposals_unless_a_group_is_given() -> None:
    columns = {"image": IMAGES, "caption": STRINGS, "mission": STRINGS, "proposal_id": NUMBERS}
    row = {"mission": "hst", "proposal_id": 15354, "caption": "a galaxy"}
    assert chosen(columns).key_of(row, "a galaxy") == Key("hst", 15354)
    assert chosen(columns, group="proposal_id").key_of(row, "") == Key("them", 15354)
    for bad in ({"mission": "a b"}, {"mission": None}, {"proposal_id": -1}, {"proposal_id": None}):
        with pytest.raises(LeftOut, match="rows without a mission and a proposal"):
            chosen(columns).key_of(row | bad, "")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("  Spiral\n galaxy ", "Spiral galaxy"),
        (["", "first", "second"], "first"),
        ("", None),
        (" \n", None),
        (None, None),
        (float("nan"), None),
        ([], None),
        ([None], None),
        (3, None),
    ],
)
def test_the_text_of_a_row(value: object, found: str | None) -> None:
    if found is not None:
        assert PLAIN.text_of({"caption": value}) == found
        return
    with pytest.raises(LeftOut, match="rows without a text"):
        PLAIN.text_of({"caption": value})


def test_the_names_of_classes_are_texts() -> None:
    column = Column(CLASS, CLASS, ("spiral_galaxy", "ring"))
    columns = chosen({"image": IMAGES, "label": column})
    assert columns.text_of({"label": 0}) == "spiral galaxy"
    for none in (-1, 2, None, "0", True):
        with pytest.raises(LeftOut):
            columns.text_of({"label": none})


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_equal_texts_and_only_those_are_one_group(one: str, other: str) -> None:
    keys = [PLAIN.key_of({}, text) for text in (one, other)]
    assert (keys[0] == keys[1]) == (one.strip() == other.strip())
    assert all(0 <= key.proposal_id < 2**63 and Key.parse(str(key)) == key for key in keys)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *[(number, number) for number in (0, 7, 2**63 - 1)],
        (7.0, 7),
        *[(value, None) for value in (-1, 2**63, float("nan"), 1.5, True, None, "", " ")],
    ],
)
def test_the_group_of_a_row(value: object, number: int | None) -> None:
    columns = chosen({"image": IMAGES, "text": STRINGS, "n": NUMBERS}, group="n")
    if number is not None:
        assert columns.key_of({"n": value}, "") == Key("them", number)
        return
    with pytest.raises(LeftOut, match="rows without a group"):
        columns.key_of({"n": value}, "")


def test_what_we_know_of_a_row_is_kept_where_its_type_is_ours() -> None:
    row = {
        "caption": "a ring",
        "title": "Rings",
        "s_ra": 10,
        "s_dec": float("nan"),
        "filters": ["F606W"],
        "instrument": 5,
        "moving": 1,
        "target": "M 57",
        "seen_sky": True,
    }
    pair = PLAIN.pair(row)
    assert pair.observation == Observation(s_ra=10, filters=("F606W",), target="M 57")
    assert (pair.title, pair.category, pair.abstract) == ("Rings", "", "a ring")
    assert (pair.summary, pair.seen_sky, pair.seen_text) == (None, True, None)
    assert PLAIN.pair(row | {"abstract": "We propose", "filters": [1]}).abstract == "We propose"
