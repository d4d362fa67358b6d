"""A user's own defaults: variables of the environment, and below them the lines of a TOML file.

The command line reads them: an option that is typed counts first, then the variable, then the
file, then the default of the program. Functions of the Python API do not, because a program says
what it wants.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from paperclip_cli.config.checks import is_in_engine
from paperclip_cli.config.given import READERS
from paperclip_cli.config.user_file import (
    VARIABLE,
    Value,
    line_of,
    parsed,
    settings_path,
    text_in,
    write_key,
)
from paperclip_cli.errors import PaperclipError, UsageError

# Names of keys and the like.
_SECRET = r"(?i)(?:^|[-_])(?:\w*keys?|\w*tokens?|secret|pass(?:word|wd|phrase)?)$"
_WORDS = {"true": True, "yes": True, "on": True, "1": True} | dict.fromkeys(
    ("false", "no", "off", "0"), False
)

Source = Literal["default", "file", "environment"]


def _check_index(value: Value) -> None:
    from paperclip_cli.config import readers
    from paperclip_cli.workspace import is_name

    for name in readers.index_names(value, "index"):
        if not is_in_engine(name) and not is_name(name):
            raise UsageError(
                f"index {name!r} is not the name of an index",
                "use letters, digits, '.', '_' and '-'",
            )


def _check_k(value: Value) -> None:
    from paperclip_cli.config.search import QueryConfig

    QueryConfig(k=int(value))


def _check_llm(value: Value) -> None:
    if not str(value).strip():
        raise UsageError("llm is empty", "name a model, or unset it")


def _check_base_url(value: Value) -> None:
    from paperclip_cli.config.summaries import SummarizeConfig

    SummarizeConfig(backend="openai", base_url=str(value))


def _check_contact(value: Value) -> None:
    if not re.fullmatch(r"[ -~]*[!-~][ -~]*", str(value)):
        raise UsageError("contact is not an address", "give one line of ASCII, as me@example.org")


def _check_nothing(value: Value) -> None:
    """The type says it all."""


def _default(name: str) -> Value | None:
    """The program's own value. None is an option that is not given."""
    from paperclip_cli.config.search import QueryConfig

    own: dict[str, Value] = {"k": QueryConfig.k, "thumbnails": False}
    return own.get(name)


class Setting(NamedTuple):  # a dataclass takes a millisecond to make, and every query waits for it
    """A setting: its name, the variable above it, and its type, `int`, `str` or `bool`.

    `example` is a line of the file. `commands` use it. A variable that `is_read_there` is read, and
    checked, by what uses it.
    """

    name: str
    variable: str
    kind: str
    check: Callable[[Value], None]
    example: str
    commands: tuple[str, ...]
    is_read_there: bool = False


SETTINGS = (
    Setting(
        name="index",
        variable="PAPERCLIP_INDEX",
        kind="str",
        check=_check_index,
        example='index = "default"',
        commands=("query", "cite"),
    ),
    Setting(
        name="k",
        variable="PAPERCLIP_K",
        kind="int",
        check=_check_k,
        example="k = 20",
        commands=("query",),
    ),
    Setting(
        name="thumbnails",
        variable="PAPERCLIP_THUMBNAILS",
        kind="bool",
        check=_check_nothing,
        example="thumbnails = true",
        commands=("query",),
    ),
    Setting(
        name="llm",
        variable="PAPERCLIP_LLM",
        kind="str",
        check=_check_llm,
        example='llm = "org/name"',
        commands=("summarize", "evaluate"),
    ),
    Setting(
        name="base-url",
        variable="OPENAI_BASE_URL",
        kind="str",
        check=_check_base_url,
        example='base-url = "http://localhost:8080/v1"',
        commands=("summarize", "evaluate"),
        is_read_there=True,
    ),
    Setting(
        name="contact",
        variable="PAPERCLIP_CONTACT",
        kind="str",
        check=_check_contact,
        example='contact = "me@example.org"',
        commands=("fetch", "get"),
        is_read_there=True,
    ),
)
_BY_NAME = {one.name: one for one in SETTINGS}
_EXAMPLES = {one.name: one.example for one in SETTINGS}


class Resolved(NamedTuple):
    """The value of a setting (None: there is none), and where it comes from.

    `place` is the path of the file, or the name of the variable.
    """

    setting: Setting
    value: Value | None
    source: Source = "default"
    place: str = ""


def setting_named(name: str) -> Setting:
    """The setting of this name.

    Raises:
        UsageError: there is none.
    """
    found = _BY_NAME.get(name)
    if found is not None:
        return found
    if re.search(_SECRET, name):
        raise UsageError(
            f"{name!r} is not a setting: keys and tokens are never kept in a file",
            "set OPENAI_API_KEY, HF_TOKEN or MAST_API_TOKEN in the environment",
        )
    if name in ("cache-dir", "cache_dir", "cache"):
        raise UsageError(
            f"{name!r} is not a setting, because programs in Python share the cache",
            "export PAPERCLIP_CACHE_DIR, for example in the profile of your shell",
        )
    raise UsageError(f"there is no setting {name!r}{_nearest(name)}", _choices())


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.lower().replace("_", "-"), _BY_NAME, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _choices() -> str:
    return f"choose {', '.join([*_BY_NAME][:-1])} or {[*_BY_NAME][-1]}"


def value_typed(setting: Setting, text: str, called: str = "") -> Value:
    """The value that a text means, in the shell or in the environment (`called`: the variable).

    Raises:
        UsageError: it is none, or not a valid one.
    """
    value: object = text
    if setting.kind == "bool":
        value = _WORDS.get(text.strip().lower(), text)
    elif setting.kind == "int" and re.fullmatch(r"\s*-?[0-9]{1,18}\s*", text):
        value = int(text)
    return _checked(setting, value, called or setting.name)


def _checked(setting: Setting, value: object, called: str) -> Value:
    """A value that the option of this name would accept, too."""
    if setting.kind == "bool" and not isinstance(value, bool):
        raise UsageError(f"{called} {value!r} is not true or false", "give true or false")
    try:
        read: Value = READERS[setting.kind](value, called)  # type: ignore[assignment]
        setting.check(read)
    except UsageError as error:
        option = re.compile(rf"^-{{0,2}}{re.escape(setting.name)}\b")
        raise UsageError(option.sub(called, error.message), error.hint) from error
    return read


def resolved(settings: Iterable[Setting] = SETTINGS) -> list[Resolved]:
    """The values of settings, and where they come from. No value holds a password.

    Raises:
        UsageError: a variable has no valid value.
        PaperclipError: the file cannot be used.
    """
    path = settings_path()
    kept = read_file(path)
    return [_resolved(one, kept, path) for one in settings]


def _resolved(setting: Setting, kept: Mapping[str, Value], path: Path) -> Resolved:
    said = os.environ.get(setting.variable)
    if said:
        return Resolved(setting, _value_said(setting, said), "environment", setting.variable)
    if setting.name in kept:
        return Resolved(setting, kept[setting.name], "file", str(path))
    return Resolved(setting, _default(setting.name))


def _value_said(setting: Setting, said: str) -> Value:
    """The value that a variable has."""
    if not setting.is_read_there:
        return value_typed(setting, said, setting.variable)
    from paperclip_cli.config.summaries import without_secrets

    return without_secrets(said)


def presets(command: str) -> dict[str, Value]:
    """The values that a user has set for a command, as if they were typed.

    Those of variables that other code reads are not among them, nor lines of the file below such
    a variable.

    Raises:
        UsageError: a variable has no valid value.
        PaperclipError: the file cannot be used.
    """
    used = [one for one in SETTINGS if command in one.commands]
    kept = read_file(settings_path()) if used else {}
    said = {one.name: os.environ.get(one.variable) for one in used}
    return {one.name: kept[one.name] for one in used if one.name in kept and not said[one.name]} | {
        one.name: value_typed(one, text, one.variable)
        for one in used
        if (text := said[one.name]) and not one.is_read_there
    }


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which every setting is the program's own."""
    variables = {one.variable for one in SETTINGS}
    kept = {name: value for name, value in environment.items() if name not in variables}
    return kept | {VARIABLE: os.devnull}


def read_file(path: Path) -> dict[str, Value]:
    """The settings in a file. A missing file has none.

    Raises:
        PaperclipError: it cannot be read, or has something else in it.
    """
    text = text_in(path)
    if not text.strip():
        return {}
    found = parsed(path, text, _EXAMPLES)
    return {key: _value_kept(path, text, key, value) for key, value in found.items()}


def _value_kept(path: Path, text: str, key: str, value: object) -> Value:
    try:
        return _checked(setting_named(key), value, key)
    except UsageError as error:
        line = line_of(text, key)
        place = f"{path}, line {line}" if line else str(path)
        hint = f"write for example {_BY_NAME[key].example}" if key in _BY_NAME else error.hint
        raise PaperclipError(f"{place}: {error.message}", hint) from error


def write_setting(setting: Setting, value: Value | None) -> bool:
    """Writes a setting into the file, or removes it (None). Returns whether that changed anything.

    Raises:
        PaperclipError: the file is damaged, or no file.
    """
    return write_key(settings_path(), setting.name, value, _EXAMPLES)
