"""Positions and single coordinates in all the ways in which people write them."""

from __future__ import annotations

import re
from typing import NamedTuple

from paperclip_cli.config.quantities import NUMBER
from paperclip_cli.errors import UsageError
from paperclip_cli.sky.frames import FRAMES, HOURS, to_icrs
from paperclip_cli.values import DASHES

# Signs and blanks that papers, spreadsheets and catalogues have in place of ASCII's.
_SIGNS = str.maketrans(
    {
        **dict.fromkeys(DASHES, "-"),
        **dict.fromkeys("º˚", "°"),
        **dict.fromkeys("′’ʹ", "'"),
        **dict.fromkeys("″”ʺ", '"'),
        **dict.fromkeys("\u00a0\u2007\u2009\u202f", " "),
        **dict(zip("ʰᵈᵐˢ", "hdms", strict=True)),
    }
)
# One coordinate: a decimal, or parts divided by blanks, by colons, by letters (h or d, m, s) or by
# the signs for degrees, minutes and seconds.
_COORDINATE = re.compile(
    rf"""(?P<sign>[+\-]?)\s*(?P<first>{NUMBER}(?:e[+\-]?\d+)?)\s*(?P<mark>[hd°:]?)
         (?:\s*(?P<second>{NUMBER})\s*[m':]?(?:\s*(?P<third>{NUMBER})\s*(?:s|"|'')?)?)?""",
    re.VERBOSE | re.ASCII,
)
_BETWEEN = re.compile(r"\s*[,;]\s*|\s+|(?=[+\-])")
_WORDS = {
    "d": re.compile(r"(?<![a-z])deg(?:s|rees?)?(?![a-z])"),
    "h": re.compile(r"(?<![a-z])(?:hours?|hrs?)(?![a-z])"),
    "m": re.compile(r"(?<![a-z])(?:arc)?min(?:s|utes?)?(?![a-z])"),
    "s": re.compile(r"(?<![a-z])(?:arc)?sec(?:s|onds?)?(?![a-z])"),
}
_FRAME = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, FRAMES))})(?![\w.]|[+\-]\d)")
# What people write before the two coordinates, and what the words say of the frame.
_LABELS = [
    (re.compile(rf"{first}\s*[=:]?\s*(?P<first>.+?)\s*{second}\s*[=:]?\s*(?P<second>.+)"), frame)
    for first, second, frame in (
        ("(?:ra|r\\.a\\.|α|alpha)", "(?:dec|decl\\.?|de|δ|delta)(?![a-z])", ""),
        ("(?:l|ℓ|glon)", "(?:b|glat)", "galactic"),
    )
] + [(re.compile(r"(?P<first>[^lb]+)l\b(?P<second>[^lb]+)b"), "galactic")]
# IAU's designations say a position: J132952.7+471143, or 2MASS's J13295269+4711429.
_DESIGNATION = re.compile(
    r"([jb]?)\s*(\d\d)(\d\d)(\d\d)(\d*|\.\d+)\s*([+\-])(\d\d)(\d\d)(\d\d)(\d*|\.\d+)"
)
# Quasars and pulsars are named after hours and minutes, and degrees with or without their tenths
# or minutes, of B1950: 0106+013, 1226+023, 1937+21.
_SHORT_NAME = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d(?:\d|\.\d+)?\s?[+\-](?:[0-8]\d|90)\d{0,2}")
_EPOCH = re.compile(r"^j\s*(?=\d\d?[\s:h]\s*\d)")  # J13:29:52.7+47:11:43
_QUOTED = re.compile(r"^([\"'])(.*)\1$", re.DOTALL)
_HINT = 'write "202.47 47.195" (degrees) or "13:29:52 +47:11:43" (hours, degrees)'


class _Written(NamedTuple):
    """A text in plain signs and lower case, without the words that name its frame."""

    text: str
    frames: frozenset[str]

    @classmethod
    def of(cls, text: str) -> _Written:
        plain = (
            _QUOTED.sub(r"\2", plain_signs(text).strip())
            .lower()
            .translate(str.maketrans("()[]{}<>", " " * 8))
        )
        frames = frozenset(FRAMES[word] for word in _FRAME.findall(plain))
        plain = _FRAME.sub(" ", plain)
        for sign, words in _WORDS.items():
            plain = words.sub(sign, plain)
        return cls(_EPOCH.sub("", plain.strip(" \t\n,;")), frames)


def plain_signs(text: str) -> str:
    """The text with ASCII's own minus, degree, minute and second signs."""
    return text.translate(_SIGNS)


def read_position(text: str, frame: str) -> tuple[float, float] | None:
    """As `coordinates.parse_position`."""
    written = _Written.of(text)
    halves, labelled = _labelled(written.text)
    wanted = _frames(written.frames | labelled, frame)
    found = _designated(written.text, wanted[0]) or _pair(text, halves, wanted[0])
    if found is not None and len(wanted) > 1:
        raise UsageError(f"{text!r} is in several frames: {', '.join(wanted)}", "name one frame")
    if found is not None:
        return to_icrs(*found)
    if _SHORT_NAME.fullmatch(written.text):
        return None
    if not written.frames and re.fullmatch(r"[\d\s.,;:+\-]*", written.text):
        raise _nowhere(text)
    return None


def parse_coordinate(text: str, is_ra: bool) -> float:
    """One coordinate of a table, in degrees: `202.47`, `-157.53` or, in hours, `13:29:52.7`.

    Raises:
        ValueError: the text is not a coordinate.
    """
    match = _COORDINATE.fullmatch(plain_signs(text).strip().lower())
    is_bare = match is not None and match["second"] is not None and not match["mark"]
    value = None if match is None or (is_bare and not match["third"]) else _value(match, is_ra)
    # In a column of degrees, `05` is 5; but `0106` is 1 hour and 6 minutes.
    if value is None or match is None or (is_ra and _digits(match) > 3):
        raise ValueError(text)
    return value


def _labelled(text: str) -> tuple[list[tuple[str, str]], frozenset[str]]:
    """The ways to cut a text into two coordinates, and the frame that their labels name."""
    for labels, frame in _LABELS:
        match = labels.fullmatch(text)
        if match and not re.search("[a-z]{2}", match["first"] + match["second"]):
            first, second = (match[name].strip(" ,;") for name in ("first", "second"))
            return [(first, second)], frozenset({frame} - {""})
    cuts = _BETWEEN.finditer(text)
    return [(text[: cut.start()], text[cut.end() :]) for cut in cuts], frozenset()


def _frames(named: frozenset[str], asked: str) -> list[str]:
    """The frames that a position is said to be in: those that its text names, and `asked`."""
    # "ICRS (J2000)" is often written for either; they differ by 0.02 arcsec.
    named = named - {"fk5"} if "icrs" in named else named
    return sorted(named | ({asked} - {"icrs"})) or ["icrs"]


def _designated(text: str, frame: str) -> tuple[str, float, float] | None:
    """The frame and the position that a designation says."""
    match = _DESIGNATION.fullmatch(text)
    if match is None or frame not in HOURS:
        return None
    epoch, hours, minutes, seconds, more, sign, degrees, arcmin, arcsec, finer = match.groups()
    parts = (
        f"{hours}:{minutes}:{_decimal(seconds, more)}",
        f"{sign}{degrees}:{arcmin}:{_decimal(arcsec, finer)}",
    )
    found = _pair(text, [parts], "fk4" if epoch == "b" else frame)
    assert found is not None
    return found


def _decimal(seconds: str, more: str) -> str:
    """Seconds with their decimals, before which 2MASS leaves out the point."""
    return f"{seconds}.{more.lstrip('.') or '0'}"


def _pair(text: str, halves: list[tuple[str, str]], frame: str) -> tuple[str, float, float] | None:
    """The frame and the two coordinates, from the first way to cut them apart that fits."""
    for both in halves:
        first, second = (_COORDINATE.fullmatch(half.strip()) for half in both)
        if first is None or second is None or not _are_clear(first, second):
            continue
        if not _is_longitude(first):
            continue
        lon, lat = _value(first, is_ra=frame in HOURS), _value(second, is_ra=False)
        least = 0 if frame in HOURS else -180
        if lon is None or lat is None or not least <= lon <= 360 or not -90 <= lat <= 90:
            raise _nowhere(text)
        return frame, lon % 360, lat
    return None


def _are_clear(first: re.Match[str], second: re.Match[str]) -> bool:
    """Whether each coordinate is marked, or both have as many parts, with a sign between them."""
    if all(one["second"] is None or one["mark"] for one in (first, second)):
        return True
    has_marks = bool(first["mark"] or second["mark"])
    parts = [sum(one[name] is not None for name in ("second", "third")) for one in (first, second)]
    return not has_marks and parts[0] == parts[1] and (parts[0] == 2 or bool(second["sign"]))


def _is_longitude(match: re.Match[str]) -> bool:
    """Whether a number alone can be degrees: `83.6` and `083.63`, not `0106` or `05`.

    What has more digits before its point than a longitude, or a leading zero but neither three
    digits nor a point, is hours or a name.
    """
    digits, first = _digits(match), match["first"]
    is_padded = digits == 2 and first.startswith("0") and "." not in first
    return digits <= 3 and not is_padded


def _digits(match: re.Match[str]) -> int:
    """The digits before the point of a number alone; 0 for what says its unit, or has parts."""
    if match["mark"] or match["second"] is not None or "e" in match["first"]:
        return 0
    return len(match["first"].partition(".")[0])


def _value(match: re.Match[str], is_ra: bool) -> float | None:
    """The value in degrees, or None if the parts make no sense.

    Examples are 61 minutes, 1.5 hours and 3 minutes, and a declination in hours.
    """
    parts = [part for part in match.group("first", "second", "third") if part is not None]
    numbers = [float(part) for part in parts] + [0.0, 0.0]
    has_inner_fraction = any(set(part) & set(".e") for part in parts[:-1])
    if has_inner_fraction or max(numbers[1:3]) >= 60 or (match["mark"] == "h" and not is_ra):
        return None

    value = numbers[0] + numbers[1] / 60 + numbers[2] / 3600
    in_hours = is_ra and (match["mark"] in ("h", ":") or (len(parts) > 1 and not match["mark"]))
    if in_hours and (value > 24 or match["sign"] == "-"):
        return None
    return value * (15 if in_hours else 1) * (-1 if match["sign"] == "-" else 1)


def _nowhere(text: str) -> UsageError:
    return UsageError(f"{text!r} is not a place on the sky", _HINT)
