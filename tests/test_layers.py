"""Imports run one way: cli -> output and stages -> the rooms of the pipeline -> base."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "paperclip_cli"
BASE = {"errors", "config", "records", "workspace", "progress", "report", "threads", "malloc"}
OUTPUT = {"render", "answers", "contact_sheet", "figures", "scores", "table_files", "thumbnails"}
OLD = {"data", "model", "sources"}

# Which rooms a room may import from, from the bottom up. Everything may import the base and its own room, but for the stages, which meet on disk.
MAY_IMPORT = {
    "base": set(),
    "text": set(),
    "http": set(),
    "services": {"http"},
    "sky": set(),
    "previews": set(),
    "images": {"sky"},
    "archives": {"http", "images", "sky"},
    "simulation": {"archives"},
    "summaries": {"http", "text", "dataset", "indexes"},
    "dataset": {"images", "sky", "text"},
    "towers": {"images"},
    "indexes": {"images", "sky", "text", "towers"},
    "evaluation": {"dataset", "images", "indexes", "towers"},
    "training": {"dataset", "evaluation", "images", "towers"},
}
PIPELINE = set(MAY_IMPORT) - {"base"}
MAY_IMPORT |= dict.fromkeys(OLD, PIPELINE | OLD)
MAY_IMPORT |= {
    "stages": PIPELINE | OLD,
    "output": {"dataset", "evaluation", "images"} | OLD,
    "cli": {"output", "stages"} | PIPELINE | OLD,
}
ONLY_IN_RENDER = {"rich"}
HEAVY = {
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax",
    "transformers",
    "datasets",
    "outlines",
    "astroquery",
    "astropy",
    "numpy",
    "hnswlib",
    "PIL",
    "pyarrow",
    "tokenizers",
    "safetensors",
    "huggingface_hub",
    "rich",
    "matplotlib",
    "scipy",
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def module_room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return room_of(".".join(("paperclip_cli", *parts)))


def room_of(module: str) -> str:
    """The room of `paperclip_cli.x.y`: the folder, or base, output or cli for the modules at the top."""
    parts = module.split(".")[1:]
    if not parts or parts[0] in BASE | {"__init__"}:
        return "base"
    return "output" if parts[0] in OUTPUT else "cli" if parts[0] == "__main__" else parts[0]


def imports(tree: ast.AST) -> set[str]:
    """Every module named by an import statement, wherever it stands."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            if node.module == "paperclip_cli":
                found.update(
                    f"paperclip_cli.{alias.name}"
                    for alias in node.names
                    if alias.name != "__version__"
                )
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    room = module_room(path)
    named = imports(ast.parse(path.read_text(encoding="utf-8")))
    ours = {
        name for name in named if name.split(".")[0] == "paperclip_cli" and name != "paperclip_cli"
    }
    allowed = (
        MAY_IMPORT[room]
        | {"base"}
        | ({room} if room != "stages" else set())
        | (OLD if room in PIPELINE else set())
    )
    wrong = {
        name for name in ours if room_of(name) not in allowed and name != "paperclip_cli.stages"
    }
    assert not wrong, f"{room} may not import {sorted(wrong)}"
    if path.name not in ("figures.py", "plots.py"):
        assert "matplotlib" not in {name.split(".")[0] for name in named}, (
            "only plots.py imports matplotlib"
        )
    if path.name not in ("render.py", "console.py"):
        assert not {name.split(".")[0] for name in named} & ONLY_IN_RENDER, (
            "only console.py imports rich"
        )


@pytest.mark.parametrize(
    "path", [path for path in MODULES if module_room(path) == "cli"], ids=lambda path: path.name
)
def test_commands_import_stages_inside_their_bodies_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = ast.Module(
        body=[node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)],
        type_ignores=[],
    )
    ours = {name for name in imports(top) if name.startswith("paperclip_cli.")}
    assert not {name for name in ours if room_of(name) not in {"base", "cli"}}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running `code`."""
    script = f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_nothing_heavy() -> None:
    assert (
        not loaded_by("from paperclip_cli.cli.app import run\nassert run(['--help']) == 0") & HEAVY
    )


def test_a_usage_error_loads_nothing_heavy() -> None:
    assert (
        not loaded_by("from paperclip_cli.cli.app import run\nassert run(['no-such-command']) == 2")
        & HEAVY
    )
