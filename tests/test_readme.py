"""The program accepts every command of the README.

CI runs those that need neither network nor GPU.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from paperclip_cli.cli.app import EXAMPLES, app

README = Path(__file__).resolve().parent.parent / "README.md"


def commands() -> list[str]:
    """The `paperclip` command lines in the README's shell blocks, continuation lines joined."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    parts = [
        re.sub(r"^.*?(?=(?<!\.)\bpaperclip )", "", part)
        for line in lines
        for part in re.split(r"&&|\|\s+|;", line)
    ]
    return [part.strip() for part in parts if part.startswith("paperclip ")]


@pytest.mark.parametrize("line", commands())
def test_the_readme_shows_commands_that_exist(line: str) -> None:
    words = shlex.split(re.sub(r"[<>].*", "", line), comments=True)[1:]
    group = typer.main.get_command(app)
    with group.make_context("paperclip", list(words)) as context:
        name, command, rest = group.resolve_command(
            context, [*context._protected_args, *context.args]
        )  # type: ignore[attr-defined]
        assert command is not None, name
        with command.make_context(name, rest, parent=context):
            pass


def test_the_readme_shows_every_command() -> None:
    shown = {word for line in commands() for word in line.split()[1:]}
    assert EXAMPLES.keys() <= shown
