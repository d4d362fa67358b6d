"""`paperclip config`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paperclip_cli.cli.complete import setting_names, setting_values
from paperclip_cli.cli.session import Format, form_of, session
from paperclip_cli.config.user_file import settings_path
from paperclip_cli.errors import ExitCode, PaperclipError, UsageError

if TYPE_CHECKING:
    from paperclip_cli.config.user import Resolved
    from paperclip_cli.config.user_file import Value

WITHOUT_ACTION = True  # it shows all settings

NameArgument = Annotated[
    str,
    typer.Argument(
        help="The setting: index, k, thumbnails, llm, base-url or contact.",
        autocompletion=setting_names,
    ),
]


def config(
    ctx: typer.Context,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> int:
    """Show and change your own defaults.

    Without an action, every setting is shown with where its value comes from. Options that are
    typed count first, then variables of the environment, then the file, which PAPERCLIP_CONFIG
    may name.
    """
    from paperclip_cli.config.user import resolved

    shown = form_of(form, json)
    if ctx.invoked_subcommand is None:
        _show(resolved(), shown)
        path = settings_path()
        _tell(f"file: {path}{'' if path.exists() else ' (does not exist)'}")
    elif shown != Format.table:
        raise UsageError("--format is for the list of all settings", "leave out the action, or it")
    return ExitCode.OK


def get(name: NameArgument) -> int:
    """Print the value of a setting."""
    from paperclip_cli.config.user import resolved, setting_named
    from paperclip_cli.output import console

    found = resolved([setting_named(name)])[0]
    if found.value is None:
        raise PaperclipError(f"{name} is not set", f"paperclip config set {name} VALUE")
    console.emit(f"{_text(found.value)}\n")
    return ExitCode.OK


def set_to(
    name: NameArgument,
    value: Annotated[
        str,
        typer.Argument(help="Its value, as its option takes it.", autocompletion=setting_values),
    ],
) -> int:
    """Write a setting into the file.

    Its other lines stay as they are. A value that the option would refuse is not written, and a
    damaged file is not edited.
    """
    from paperclip_cli.config.user import setting_named, value_typed, write_setting

    setting = setting_named(name)
    path = settings_path()
    write_setting(setting, value_typed(setting, value))
    _tell(f"{name} is set in {path}")
    if name == "llm" and Path(value).exists() and not Path(value).is_absolute():
        _tell("it is a path from this folder only: write it in full for all others")
    return _checked(name)


def unset(name: NameArgument) -> int:
    """Remove a setting from the file."""
    from paperclip_cli.config.user import setting_named, write_setting

    setting = setting_named(name)
    path = settings_path()
    was_there = write_setting(setting, None)
    _tell(f"{name} is no longer set in {path}" if was_there else f"{name} is not set in {path}")
    return _checked(name)


def path() -> int:
    """Print the path of the file."""
    from paperclip_cli.output import console

    console.emit(f"{console.path_line(str(settings_path()))}\n")
    return ExitCode.OK


ACTIONS = {
    "get": (get, "paperclip config get index"),
    "set": (set_to, "paperclip config set k 20"),
    "unset": (unset, "paperclip config unset k"),
    "path": (path, "paperclip config path"),
}


def _checked(name: str) -> int:
    """Says what else stands in the way of a setting: a variable, or a fault of the file."""
    from paperclip_cli.config.user import resolved, setting_named

    try:
        found = resolved([setting_named(name)])[0]
    except PaperclipError as error:
        _tell(f"still wrong: {error.message}")
    else:
        if found.source == "environment":
            _tell(f"{found.place} is set in the environment, and counts instead")
    return ExitCode.OK


def _tell(line: str) -> None:
    from paperclip_cli.output import console

    if not session().quiet:
        print(console.printable(line), file=sys.stderr)


def _text(value: Value) -> str:
    """A value in one line, as `config set` takes it."""
    from paperclip_cli.output import console

    return str(value).lower() if isinstance(value, bool) else console.path_line(str(value))


def _show(found: list[Resolved], form: Format) -> None:
    from paperclip_cli.output import console

    if form != Format.table:
        rows = [
            {
                "name": one.setting.name,
                "value": one.value,
                "source": one.source,
                "place": one.place or None,
            }
            for one in found
        ]
        console.emit(console.rows(rows, form.value))
        return
    longest = max(len(_shown(one)) for one in found)
    columns = [
        console.TableColumn("Setting", 10),
        console.TableColumn("Value", max(5, min(longest, console.terminal_width() // 2 - 10))),
        console.TableColumn("From"),
    ]
    console.table(
        columns,
        [[one.setting.name, _shown(one), f"{one.source} {one.place}".strip()] for one in found],
    )


def _shown(one: Resolved) -> str:
    return "-" if one.value is None else _text(one.value)
