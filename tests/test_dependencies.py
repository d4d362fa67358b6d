"""pyproject.toml declares the libraries that the package imports, and no others."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

from tests.test_layers import MODULES, imports

FILE = Path(__file__).resolve().parents[1] / "pyproject.toml"
PROJECT = tomllib.loads(FILE.read_text(encoding="utf-8"))["project"]
# Libraries whose module has another name.
MODULE = {"llama_cpp_python": "llama_cpp", "orbax_checkpoint": "orbax", "pillow": "PIL"}
# Installed by `llama_cpp`, which renders chats with it; and by `datasets`.
BROUGHT_ALONG = {"jinja2", "pandas"}


def modules(requirements: list[str]) -> set[str]:
    names = {re.split(r"[^\w-]", line)[0].lower().replace("-", "_") for line in requirements}
    return {MODULE.get(name, name) for name in names}


def test_every_library_is_declared_and_every_declared_one_is_imported() -> None:
    extras = [lines for name, lines in PROJECT["optional-dependencies"].items() if name != "test"]
    declared = modules(sum(extras, PROJECT["dependencies"]))
    named = set().union(*(imports(ast.parse(path.read_text("utf-8"))) for path in MODULES))
    ours = {"paperclip_cli", *sys.stdlib_module_names}
    assert {name.split(".")[0] for name in named} - ours - BROUGHT_ALONG == declared
