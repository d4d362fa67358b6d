"""Edits of one line of a TOML file, for any file that TOML allows."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.toml_lines import first_fault, line_of, literal, statements, with_value, without

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.one_of(TEXTS, st.integers(-(2**62), 2**62), st.booleans())
OTHERS = (
    "\n",
    "# k = 1\n",
    "  # a note\n",
    'other = "a # b"  # k = 2\n',
    "'quoted' = 5\n",
    'long = """\nk = 3\n# no comment"""\n',
    "raw = '''\nk = 4\n[k]\n'''  # behind\n",
    "array = [\n  1, # k = 5\n  2,\n]\n",
    "dotted.k = 6\n",
    "inline = { k = 7 }\n",
)
OWN = ("k = 1\n", "k=true # mine\n", '"k" = "a#b"   # mine\n', "  'k'   =  '''\nk = 9\n'''\n")
TABLES = ("", "[table]\nk = 8\n", "# of a table\n[[tables]]\nk = 8\n")


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str], bool]:
    """A file, the lines in it that do not set `k`, and whether one does."""
    parts = draw(st.lists(st.sampled_from(OTHERS), unique=True))
    own = draw(st.sampled_from(("", *OWN)))
    tables = draw(st.sampled_from(TABLES))
    place = draw(st.integers(0, len(parts)))
    text = "".join([*parts[:place], own, *parts[place:], tables])
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return text, [*parts, tables], bool(own)


def read(text: str) -> dict:
    return tomllib.loads(text)


@given(files(), VALUES)
def test_a_value_is_set_and_all_else_stays(
    file: tuple[str, list[str], bool], value: str | int | bool
) -> None:
    text, others, _ = file
    edited = with_value(text, "k", value)
    assert read(edited) == read(text) | {"k": value}
    assert "# mine" not in text or "# mine" in edited
    plain = edited.replace("\r\n", "\n")
    assert all(part.removesuffix("\n") in plain for part in others)
    assert with_value(edited, "k", value) == edited
    assert edited.splitlines()[line_of(edited, "k") - 1].lstrip().strip("\"'").startswith("k")


@given(files())
def test_a_value_is_removed_and_all_else_stays(file: tuple[str, list[str], bool]) -> None:
    text, others, is_set = file
    left = without(text, "k")
    assert read(left) == {key: value for key, value in read(text).items() if key != "k"}
    assert (left != text) == is_set
    assert all(part.removesuffix("\n") in left.replace("\r\n", "\n") for part in others)


@given(files())
def test_the_statements_are_the_file(file: tuple[str, list[str], bool]) -> None:
    assert "".join(one.text for one in statements(file[0])) == file[0]


@given(st.text(alphabet="k= \n\r#\"'[]{}1a.\\\t\udcff"), VALUES)
def test_any_text_can_be_edited(text: str, value: str | int | bool) -> None:
    """A damaged file as well: no line is lost but those that set the key."""
    assert "".join(one.text for one in statements(text)) == text
    assert 1 <= first_fault(text) <= text.count("\n") + 1
    for edited in (with_value(text, "k", value), without(text, "k")):
        kept = [one.text for one in statements(text) if one.key != "k"]
        assert all(one.rstrip("\n") in edited for one in kept)


@given(VALUES)
def test_a_value_is_written_in_one_line(value: str | int | bool) -> None:
    written = f"k = {literal(value)}"
    assert read(written) == {"k": value} and "\n" not in written


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        ("", "k = 5\n"),
        ("# mine", "# mine\nk = 5\n"),
        ("k = 1 # few", "k = 5 # few"),
        ("k = 1\nk = 2\n", "k = 5\n"),
        ("k = = 1 # few\na = 1\n", "k = 5 # few\na = 1\n"),
        ('a = 1\n\n[t]\nb = "x"\n', 'a = 1\nk = 5\n\n[t]\nb = "x"\n'),
        ("a = 1\r\n", "a = 1\r\nk = 5\r\n"),
        ('a = "open\n', 'a = "open\nk = 5\n'),
    ],
)
def test_edits_as_a_person_would_make_them(text: str, edited: str) -> None:
    assert with_value(text, "k", 5) == edited
