"""The file of a user's own defaults: where it is, how it is read, and how a line of it is written.

It is read at every start of a command that has such defaults, so a missing one costs one look, and
nothing is imported for it.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import expanded, make_folder, replace_file, turn_in

VARIABLE = "PAPERCLIP_CONFIG"
_MARK = "\ufeff"  # some editors begin a file in UTF-8 with it
_MOST = 2**20  # bytes of a file

Value = str | int | bool


def settings_path() -> Path:
    """`PAPERCLIP_CONFIG`, else `config.toml` in the platform's folder for settings."""
    given = os.environ.get(VARIABLE)
    return expanded(given).absolute() if given else _folder() / "config.toml"


def _folder() -> Path:
    if sys.platform == "linux":  # as platformdirs, which takes 3 ms to import
        given = os.environ.get("XDG_CONFIG_HOME", "")
        home = given if given.startswith("/") else os.path.expanduser("~/.config")  # noqa: PTH111
        return Path(home, "paperclip")  # relative where nobody knows a home
    import platformdirs

    return Path(platformdirs.user_config_dir("paperclip", appauthor=False))


def text_in(path: Path) -> str:
    """The text of a file, empty of a missing one.

    Raises:
        PaperclipError: it cannot be read, or is no text.
    """
    data = _bytes_of(path)
    try:
        return data.decode("utf-8").removeprefix(_MARK)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PaperclipError(
            f"{path}, line {line}: this is not UTF-8", "save the file in UTF-8"
        ) from error


def _bytes_of(path: Path) -> bytes:
    """The bytes of a file, none of a missing one."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise PaperclipError(
            f"the settings in {path} cannot be read: {error.strerror}",
            f"make it a file that you may read, or name another in {VARIABLE}",
        ) from error
    if len(data) > _MOST:
        raise PaperclipError(f"{path} is too large for settings", f"name another in {VARIABLE}")
    return data


def parsed(path: Path, text: str, examples: Mapping[str, str]) -> dict[str, object]:
    """The keys and values in the text of a file. `examples` are lines of it, by key.

    Raises:
        PaperclipError: it is not TOML. No value is told, because it may be a secret.
    """
    import tomllib  # 3 ms, which nobody waits for without a file

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        from paperclip_cli.toml_lines import first_fault, key_of

        said = re.fullmatch(r"(?s)(.*) \(at line (\d+), column \d+\)", str(error))
        line = int(said[2]) if said else first_fault(text)
        key = key_of(text.split("\n")[line - 1])
        why = "it is set twice" if said and "overwrite" in said[1] else "this is not TOML"
        raise PaperclipError(
            f"{path}, line {line}: {f'{key}: ' if key else ''}{why}",
            f"write for example {examples.get(key or '', next(iter(examples.values())))}",
        ) from error


def write_line(path: Path, key: str, value: Value | None) -> bool:
    """Sets a key in a file, or removes it (None). Returns whether that changed anything.

    Other lines stay as they are, and so do bytes that are not UTF-8, a link and the file's mode.
    Other processes wait meanwhile.

    Raises:
        PaperclipError: it is not a file, or sets the key in another way than on a line.
    """
    from paperclip_cli.toml_lines import with_value, without

    place = path.resolve()
    if not path.is_absolute():
        raise PaperclipError(
            "nobody knows where the home directory is", f"name a file in {VARIABLE}"
        )
    if place.exists() and not place.is_file():
        raise PaperclipError(f"{path} is not a file", f"name another in {VARIABLE}")
    if value is None and not place.exists():
        return False
    make_folder(place.parent)
    with turn_in(place.parent):
        data = _bytes_of(place)
        whole = data.decode("utf-8", "surrogateescape")
        mark, text = whole[: whole.startswith(_MARK)], whole.removeprefix(_MARK)
        edited = without(text, key) if value is None else with_value(text, key, value)
        _check_edit(path, text, edited, key, value)
        if edited != text:
            mode = stat.S_IMODE(place.stat().st_mode) if data else None
            replace_file(place, (mark + edited).encode("utf-8", "surrogateescape"))
            if mode is not None and mode != stat.S_IMODE(place.stat().st_mode):
                place.chmod(mode)
        return edited != text


def _check_edit(path: Path, text: str, edited: str, key: str, value: Value | None) -> None:
    """PaperclipError if an edit of a sound file would not do what it should, and only that."""
    import tomllib

    try:
        wanted = tomllib.loads(text)
    except (ValueError, RecursionError):
        return  # of a damaged file nothing is known
    wanted.pop(key, None)
    if value is not None:
        wanted[key] = value
    try:
        is_right = tomllib.loads(edited) == wanted
    except (ValueError, RecursionError):
        is_right = False
    if not is_right:
        raise PaperclipError(
            f"{path} sets {key} in another way than on a line of its own", "edit it by hand"
        )
