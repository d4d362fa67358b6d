"""From options, as a shell or a program gives them, to a configuration.

A field of a configuration names the option that it is read from, and the function that reads it:

    cycles: tuple[str, ...] = given("cycle", read=cycles, default=())

So the command line and the Python API convert and check every option in the same way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache, partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from paperclip_cli.config.checks import option
from paperclip_cli.errors import UsageError

Config = TypeVar("Config")
_OPTIONS = "options"


@dataclass(frozen=True)
class Options:
    """The options that a field is read from, and how.

    `read` takes the values of the options (None where one was not given) and, last, the first
    option as it is typed (`--near`), for its messages. None reads what the field's type says.
    `defaults` are those of the options, as they are typed, where they are not the field's.
    """

    names: tuple[str, ...]
    read: Callable[..., object] | None = None
    defaults: Mapping[str, object] = field(default_factory=dict)


def given(
    *names: str,
    read: Callable[..., object] | None = None,
    default: object = MISSING,
    typed: object = MISSING,
    **defaults: object,
) -> Any:
    """A field that is read from the options `names`. See `Options`.

    `typed` is the default of the first option, as it is typed, and `defaults` are those of others.
    """
    if typed is not MISSING:
        defaults[names[0]] = typed
    return field(default=default, metadata={_OPTIONS: Options(names, read, defaults)})  # type: ignore[call-overload]


@cache
def options_of(one: Field) -> Options:
    """The options that a field is read from: most fields are named like their option."""
    return one.metadata.get(_OPTIONS) or Options((one.name,))


def option_names(kind: type) -> list[str]:
    """The names of the options of a configuration, each once."""
    named = (name for one in fields(kind) for name in options_of(one).names)  # type: ignore[arg-type]
    return list(dict.fromkeys(named))


def option_defaults(kind: type) -> dict[str, object]:
    """The default of each option, as it is typed. None is an option that is not given."""
    found: dict[str, object] = dict.fromkeys(option_names(kind))
    for one in reversed(fields(kind)):  # type: ignore[arg-type]
        is_nothing = one.default is MISSING or one.default == ()
        found[options_of(one).names[0]] = None if is_nothing else one.default
    for one in fields(kind):  # type: ignore[arg-type]
        found |= options_of(one).defaults
    return found


def configure(kind: type[Config], /, **options: object) -> Config:
    """The configuration of class `kind` that the options describe. None is "not given".

    Raises:
        TypeError: an option does not exist.
        UsageError: a value cannot be read, or the configuration does not allow it.
    """
    names = option_names(kind)
    for name in options:
        must_exist(name, names)
    found = {}
    for one in fields(kind):  # type: ignore[arg-type]
        source = options_of(one)
        values = [options.get(name) for name in source.names]
        if any(value is not None for value in values):
            typed = option(source.names[0])
            read = source.read or partial(_plain, one)
            found[one.name] = read(*values, typed)
    return kind(**found)


def listed(value: object) -> tuple[Any, ...]:
    """The items of a list, or a single value as a tuple of one."""
    is_single = isinstance(value, str | bytes | os.PathLike) or not isinstance(value, Iterable)
    return (value,) if is_single else tuple(value)  # type: ignore[arg-type]


def whole(value: object, option: str) -> int:
    """A whole number."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise _wrong(value, option, "a whole number")
    return int(value)


def real(value: object, option: str) -> float:
    """A number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise _wrong(value, option, "a number")
    return float(value)


def is_text(value: str) -> bool:
    """Whether a text is one: bytes in another encoding become lone surrogates."""
    return not any("\ud800" <= sign <= "\udfff" for sign in value)


def text(value: object, option: str) -> str:
    """A text. A path is one, too: many options name something in the cache or its folder."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
        # A path may hold any bytes.
    elif isinstance(value, str) and not is_text(value):
        raise UsageError(
            f"{option} {value!r} has bytes that are not text in the encoding of this shell",
            "type it again, or in a shell whose locale is UTF-8 (LC_ALL=C.UTF-8)",
        )
    if not isinstance(value, str):
        raise _wrong(value, option, "a text")
    return value


def path(value: object, option: str) -> Path:
    """A path."""
    if not isinstance(value, str | os.PathLike):
        raise _wrong(value, option, "a path")
    return Path(value)


def switch(value: object, option: str) -> bool:
    """True or False. Nothing else: the text "no" would count as true."""
    if not isinstance(value, bool):
        raise _wrong(value, option, "True or False")
    return value


def _choice(value: object, option: str) -> object:
    """One of a fixed choice, which the configuration itself checks."""
    return value


READERS: dict[str, Callable[[Any, str], object]] = {
    "int": whole,
    "float": real,
    "str": text,
    "Path": path,
    "bool": switch,
}


def _plain(one: Field, value: object, option: str) -> object:
    """A value of the type that the field is annotated with."""
    annotation = str(one.type).removesuffix(" | None")
    several = re.fullmatch(r"tuple\[(\w+), \.\.\.\]", annotation)
    if several:
        return tuple(READERS[several[1]](item, option) for item in listed(value))
    return READERS.get(annotation, _choice)(value, option)


def must_exist(name: str, names: Collection[str]) -> None:
    """TypeError, with the nearest of the `names`, unless the option `name` is one of them."""
    if name in names:
        return
    from difflib import get_close_matches

    near = get_close_matches(name, names, 1)
    raise TypeError(
        f"there is no option {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    )


def _wrong(value: object, option: str, what: str) -> UsageError:
    return UsageError(f"{option} {value!r} is not {what}", f"give {what}")
