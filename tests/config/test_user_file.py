"""The file of the settings, for any file that TOML allows: an edit changes one key and no more."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.config.user_file import line_of, write_key
from paperclip_cli.errors import PaperclipError

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
EXAMPLES = {"k": "k = 20"}


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


@contextmanager
def file_of(text: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.toml")
        path.write_bytes(text.encode())
        yield path


def read(path: Path) -> str:
    return path.read_bytes().decode()


@given(files(), VALUES)
def test_a_value_is_set_and_all_else_stays(
    file: tuple[str, list[str], bool], value: str | int | bool
) -> None:
    text, others, _ = file
    with file_of(text) as path:
        write_key(path, "k", value, EXAMPLES)
        edited = read(path)
        assert tomllib.loads(edited) == tomllib.loads(text) | {"k": value}
        assert "# mine" not in text or "# mine" in edited
        assert {*"".join(others).splitlines()} - {""} <= {*edited.splitlines()}
        assert not write_key(path, "k", value, EXAMPLES) and read(path) == edited


@given(files())
def test_a_value_is_removed_and_all_else_stays(file: tuple[str, list[str], bool]) -> None:
    text, others, is_set = file
    with file_of(text) as path:
        assert write_key(path, "k", None, EXAMPLES) == is_set
        left = read(path)
    kept = {key: value for key, value in tomllib.loads(text).items() if key != "k"}
    assert tomllib.loads(left) == kept
    assert {*"".join(others).splitlines()} - {""} <= {*left.splitlines()}


@given(st.text(alphabet="k= \n\r#\"'[]{}1a.\\\t"), VALUES)
def test_any_other_text_is_left_alone(text: str, value: str | int | bool) -> None:
    """What is edited is what was meant; what cannot be read is told, and stays."""
    with file_of(text) as path:
        try:
            write_key(path, "k", value, EXAMPLES)
        except PaperclipError as error:
            assert read(path) == text and error.hint is not None and "edit" in error.hint
        else:
            assert tomllib.loads(read(path)) == tomllib.loads(text) | {"k": value}


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        ("", "k = 5\n"),
        ("# mine", "# mine\nk = 5\n"),
        ("k = 1 # few", "k = 5 # few"),
        ('a = 1\n\n[t]\nb = "x"\n', 'a = 1\nk = 5\n\n[t]\nb = "x"\n'),
        ("a = 1\r\n", "a = 1\r\nk = 5\r\n"),
    ],
)
def test_edits_as_a_person_would_make_them(text: str, edited: str) -> None:
    with file_of(text) as path:
        write_key(path, "k", 5, EXAMPLES)
        assert read(path) == edited


def test_the_line_of_a_key() -> None:
    text = "# k\n'a' = 1\n  k = 2\n[table]\nx = 1\n[[ tables ]]\n"
    found = {key: line_of(text, key) for key in ("a", "k", "table", "tables", "z")}
    assert found == {"a": 2, "k": 3, "table": 4, "tables": 6, "z": None}
