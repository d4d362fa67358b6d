"""`import paperclip_cli` is light, and its names are one list."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import paperclip_cli

PACKAGE = Path(paperclip_cli.__file__).parent


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running `code`."""
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    command = [sys.executable, "-c", script]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_import_loads_nothing_but_the_package() -> None:
    assert loaded_by("import paperclip_cli") == {"paperclip_cli"}
    assert loaded_by("import paperclip_cli; dir(paperclip_cli)") == {"paperclip_cli"}


def test_an_error_costs_only_its_module() -> None:
    loaded = loaded_by("from paperclip_cli import PaperclipError")
    ours = {name for name in loaded if name.startswith("paperclip_cli")}
    assert ours == {"paperclip_cli", "paperclip_cli.errors"}


def test_the_names_are_one_list() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    shown = {
        alias.asname: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: f"paperclip_cli.{home}" for name, home in paperclip_cli._MODULES.items()}
    assert shown == homes and list(homes) == sorted(homes)
    assert paperclip_cli.__all__ == list(homes)
    assert set(homes) <= set(dir(paperclip_cli))


@pytest.mark.parametrize("name", paperclip_cli.__all__)
def test_each_name_is_there(name: str) -> None:
    found = getattr(paperclip_cli, name)
    assert found.__module__ == f"paperclip_cli.{paperclip_cli._MODULES[name]}"
    assert found.__doc__


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'fetched'"):
        _ = paperclip_cli.fetched  # type: ignore[attr-defined]


def test_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
