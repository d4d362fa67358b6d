"""The cards of a FITS header, read so that a card which makes no sense counts as absent.

The format is that of the FITS standard 4.0, section 4. Real headers depart from it: numbers with a
comma or NaN, strings without quotes or without an end. No such card may cost the picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

CARD = 80  # bytes
_COMMENTARY = frozenset((b"", b"COMMENT", b"HISTORY", b"CONTINUE"))
_STRING = re.compile(rb" *'((?:[^']|'')*)' *(?:/.*)?")
_INTEGER = re.compile(rb"[+-]?\d{1,20}")
_FLOAT = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?")
_MOST_CONTINUED = 50  # cards of one string

Value = str | int | float | bool


class Cards:
    """A header's cards by keyword. Where a keyword is repeated, its first readable card counts."""

    def __init__(self, header: bytes) -> None:
        """`header` is what stands in the file, up to the END card or beyond."""
        self._images = [header[i : i + CARD] for i in range(0, len(header) - CARD + 1, CARD)]
        self._places: dict[bytes, list[int]] = {}
        for place, image in enumerate(self._images):
            keyword = image[:8].strip(b" \0").upper()
            if keyword == b"END" and not image[8:].strip(b" \0"):
                break
            if keyword not in _COMMENTARY and image[8:9] == b"=":
                self._places.setdefault(keyword, []).append(place)

    def __contains__(self, name: str) -> bool:
        """Whether there is a card of that name, readable or not."""
        return bool(self._places_of(name))

    def count(self, name: str) -> int:
        """The number of cards of that name, readable or not."""
        return len(self._places_of(name))

    def value(self, name: str) -> Value | None:
        """The value of a card; None if it is absent, undefined or unreadable."""
        found = (self._value(place) for place in self._places_of(name))
        return next((value for value in found if value is not None), None)

    def text(self, name: str) -> str | None:
        """The value of a string card in one line; None if it is blank or something else."""
        value = self.value(name)
        return (" ".join(value.split()) or None) if isinstance(value, str) else None

    def number(self, name: str) -> float | None:
        """The value of a card as a number; None if it is something else."""
        value = self.value(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number else None  # type: ignore[arg-type]

    def integer(self, name: str) -> int | None:
        """The value of a card as a whole number (also `64.`); None if it is something else."""
        value = self.value(name)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def word(self, name: str) -> str | None:
        """The value of a card whose values are single words, in upper case.

        A word has a plain meaning without quotes too, or with only the first of them.
        """
        places = self._places_of(name)
        value = self.value(name)
        if value is None and places:
            value = self._images[places[0]][9:].split(b"/")[0].strip(b" '\0").decode("latin-1")
        word = value.strip().upper() if isinstance(value, str) else ""
        return word or None

    def names(self, pattern: re.Pattern[str]) -> list[str]:
        """The keywords that match as a whole, of cards readable or not."""
        names = (name.decode("latin-1") for name in self._places)
        return [name for name in names if pattern.fullmatch(name)]

    def matching(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, Value]]:
        """The readable cards whose whole keyword matches, in their order in the header."""
        names = self.names(pattern)
        places = sorted((place, name) for name in names for place in self._places_of(name))
        for place, name in places:
            value = self._value(place)
            if value is not None:
                yield name, value

    def is_blank(self, name: str) -> bool:
        """Whether the first card of that name leaves its value undefined."""
        places = self._places_of(name)
        return bool(places) and not self._images[places[0]][9:].split(b"/")[0].strip(b" \0")

    def _places_of(self, name: str) -> list[int]:
        return self._places.get(name.encode("latin-1"), [])

    def _value(self, place: int) -> Value | None:
        field = self._images[place][9:].replace(b"\0", b" ")
        if string := _STRING.fullmatch(field):
            return self._whole_string(string[1], place)
        word = field.split(b"/")[0].strip()
        if word in (b"T", b"F"):
            return word == b"T"
        if _INTEGER.fullmatch(word):
            return int(word)
        if not _FLOAT.fullmatch(word):
            return None
        number = float(word.upper().replace(b"D", b"E"))
        return number if math.isfinite(number) else None

    def _whole_string(self, start: bytes, place: int) -> str:
        """A string that may go on in CONTINUE cards, as its last character `&` says."""
        parts, rest = [start], self._images[place + 1 : place + 1 + _MOST_CONTINUED]
        for image in rest:
            more = _STRING.fullmatch(image[8:])
            if not parts[-1].rstrip().endswith(b"&") or image[:8] != b"CONTINUE" or not more:
                break
            parts[-1:] = [parts[-1].rstrip()[:-1], more[1]]
        data = b"".join(parts).replace(b"''", b"'").rstrip()
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("latin-1")


def first_value(headers: Sequence[Cards], *names: str) -> Value | None:
    """The value of the first of `names` that some header gives; the last header is asked first."""
    return next(values_of(headers, *names), None)


def values_of(headers: Sequence[Cards], *names: str) -> Iterator[Value]:
    """The values that headers give for any of `names`, in the order of `first_value`."""
    found = (header.value(name) for name in names for header in reversed(headers))
    return (value for value in found if value is not None and value != "")


def card_of(name: str, value: Value) -> bytes:
    """A card of 80 bytes as the standard wants it; what is not printable becomes `?`."""
    if isinstance(value, str):
        text = "'" + value.replace("'", "''").ljust(8) + "'"
    else:
        text = ("T" if value else "F") if isinstance(value, bool) else repr(value).upper()
        text = text.rjust(20)
    line = f"{name:<8}= {text}".encode("ascii", "replace")
    return bytes(c if 32 <= c < 127 else 63 for c in line)[:CARD].ljust(CARD)
