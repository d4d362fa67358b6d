"""Edits of one key in a flat TOML file: every other line stays as its user wrote it.

The file may be damaged, because an edit may be what repairs it. The parser itself says where a
statement ends: at the first line with which it can be read.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import NamedTuple

_MOST_LINES = 1_000  # of one statement
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_BARE = re.compile(r"""\s*(["']?)(?P<key>[A-Za-z0-9_-]+)\1\s*=""")


class Statement(NamedTuple):
    """Some lines, and the key that they set: None for blank lines, comments and tables."""

    text: str
    key: str | None


def literal(value: str | int | bool) -> str:
    """A value as TOML writes it."""
    # A JSON string is one of TOML, but for DEL. Numbers, true and false are the same in both.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def statements(text: str) -> list[Statement]:
    """The statements of a file, which together are its text. Tables are the last one."""
    lines = _LINE.findall(text)
    found: list[Statement] = []
    at = 0
    while at < len(lines):
        if lines[at].lstrip().startswith("["):
            return [*found, Statement("".join(lines[at:]), None)]
        one = _statement(lines[at : at + _MOST_LINES])
        found.append(one)
        at += len(_LINE.findall(one.text))
    return found


def line_of(text: str, key: str) -> int | None:
    """The number, from 1, of the line in which a key or a table of this name begins."""
    at = 1
    for one in statements(text):
        if one.key == key:
            return at
        at += one.text.count("\n")
    header = re.search(rf"(?m)^\s*\[+\s*[\"']?{re.escape(key)}\b", text)
    return text.count("\n", 0, header.end()) + 1 if header else None


def first_fault(text: str) -> int:
    """The number, from 1, of the first line that cannot be read; of the last, if all can."""
    at = 1
    for one in statements(text):
        if _parsed(one.text) is None:
            return at
        at += one.text.count("\n")
    return max(1, text.rstrip("\n").count("\n") + 1)


def key_of(line: str) -> str | None:
    """The key that a line sets, by the look of it."""
    found = _BARE.match(line)
    return found["key"] if found else None


def with_value(text: str, key: str, value: str | int | bool) -> str:
    """The text with the key set: where it stands, or else below all others."""
    parts = statements(text)
    places = [number for number, one in enumerate(parts) if one.key == key]
    if places:
        changed = dict.fromkeys(places, "") | {places[0]: _with(parts[places[0]], value)}
        return "".join(changed.get(number, one.text) for number, one in enumerate(parts))

    end = _end_of_keys(parts)
    before = "".join(one.text for one in parts[:end])
    ending = "\r\n" if "\r\n" in text else "\n"
    if before and not before.endswith("\n"):
        before += ending
    return f"{before}{key} = {literal(value)}{ending}" + "".join(one.text for one in parts[end:])


def _end_of_keys(parts: list[Statement]) -> int:
    """The number of statements before a new key: it comes behind all others, but above tables."""
    keyed = [number for number, one in enumerate(parts, 1) if one.key is not None]
    if keyed:
        return keyed[-1]
    end = len(parts)
    if parts and parts[-1].text.lstrip().startswith("["):
        end -= 1
        while end and parts[end - 1].text.lstrip().startswith("#"):  # of the table
            end -= 1
    return end


def without(text: str, key: str) -> str:
    """The text without the lines that set the key."""
    return "".join(one.text for one in statements(text) if one.key != key)


def _statement(lines: list[str]) -> Statement:
    """The first statement of some lines. One that cannot be read is a line."""
    for end in range(1, len(lines) + 1):
        text = "".join(lines[:end])
        parsed = _parsed(text)
        if parsed is not None:
            return Statement(text, next(iter(parsed), None))
    return Statement(lines[0], key_of(lines[0]))


def _with(one: Statement, value: str | int | bool) -> str:
    """A statement with another value. What is written before and behind it stays."""
    head = _BARE.match(one.text)
    if head is not None and head["key"] == one.key:
        blanks = re.compile(r"[ \t]*").match(one.text, head.end())
        start = head[0] + (blanks[0] if blanks else "")
    else:
        start = f"{one.key} = "
    ending = re.search(r"\r?\n?$", one.text)
    return f"{start}{literal(value)}{_comment(one.text)}{ending[0] if ending else ''}"


def _comment(text: str) -> str:
    """The comment behind a value, with the blanks before it: at the first # that ends a value.

    Behind what is no value it begins at the last #.
    """
    last = text.rstrip("\r\n")
    starts = [found.start() for found in re.finditer(r"[ \t]*#", last)]
    if _parsed(text) is None:
        return last[starts[-1] :] if starts else ""
    comments = [last[start:] for start in starts if _parsed(last[:start])]
    return comments[0] if comments else ""


def _parsed(text: str) -> dict | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
