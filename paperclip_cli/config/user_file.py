"""The file of a user's own defaults: where it is, how it is read, and how a key of it is written.

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

# The key that a line sets, by the look of it.
_KEY = re.compile(r"""[ \t]*["']?([A-Za-z0-9_-]+)["']?[ \t]*=""")

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
        said = re.fullmatch(r"(?s)(.*) \(at line (\d+), column \d+\)", str(error))
        place, key = str(path), ""
        if said:
            place += f", line {said[2]}"
            found = _KEY.match(text.split("\n")[int(said[2]) - 1])
            key = found[1] if found else ""
        why = "it is set twice" if said and "overwrite" in said[1] else "this is not TOML"
        example = examples.get(key, next(iter(examples.values())))
        raise PaperclipError(
            f"{place}: {f'{key}: ' if key else ''}{why}", f"edit it: write for example {example}"
        ) from error


def line_of(text: str, key: str) -> int | None:
    """The number, from 1, of the line in which a key or a table of this name begins."""
    found = re.search(rf"(?m)^[ \t]*\[*[ \t]*[\"']?{re.escape(key)}(?![\w-])", text)
    return text.count("\n", 0, found.end()) + 1 if found else None


def write_key(path: Path, key: str, value: Value | None, examples: Mapping[str, str]) -> bool:
    """Sets a key in a file, or removes it (None). Returns whether that changed anything.

    Comments and order stay, and so do a link and the file's mode. Other processes wait meanwhile.

    Raises:
        PaperclipError: it is no file, it is damaged, or its key is a table.
    """
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
        text = text_in(path)
        kept = parsed(path, text, examples)
        if key not in kept and value is None:
            return False
        edited = _edited(path, text, kept, key, value)
        if edited != text:
            is_there = place.exists()
            mode = stat.S_IMODE(place.stat().st_mode) if is_there else None
            mark = _MARK if is_there and _bytes_of(path).startswith(_MARK.encode()) else ""
            replace_file(place, mark + edited)
            if mode is not None and mode != stat.S_IMODE(place.stat().st_mode):
                place.chmod(mode)
        return edited != text


def _edited(
    path: Path, text: str, kept: Mapping[str, object], key: str, value: Value | None
) -> str:
    """The text of a sound file with the key set or removed, and all else as it was."""
    import tomllib

    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    by_hand = PaperclipError(
        f"{path} sets {key} in another way than on a line of its own", "edit it by hand"
    )
    if isinstance(kept.get(key), dict | list):
        raise by_hand
    wanted = {name: one for name, one in kept.items() if name != key}
    ending = "\r\n" if "\r\n" in text else "\n"
    if text and key not in kept and not text.endswith("\n"):
        text += ending  # older versions of tomlkit write the new line behind the last one
    try:
        document = tomlkit.parse(text)
        if value is None:
            document.remove(key)
        else:
            wanted[key] = value
            item = tomlkit.item(value)
            item.trivia.trail = ending
            document[key] = item
        edited = tomlkit.dumps(document)
        if tomllib.loads(edited) == wanted:
            return edited
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise by_hand from error
    raise by_hand
