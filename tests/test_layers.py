"""Imports run one way: cli -> output and stages -> the rooms of the pipeline -> base."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "paperclip_cli"
MODULES = sorted(PACKAGE.rglob("*.py"))
BASE = set(
    "config errors files filter_names install malloc"
    " progress records report signals threads values wording"
    " workspace".split()
)

# The rooms from the bottom up, and what each may import: the base, itself and the rooms named here.
# Stages may not even import each other: they meet on disk.
MAY_IMPORT = {
    "base": set(),
    "text": set(),
    "http": set(),
    "services": {"http"},
    "sky": set(),
    "images": {"sky"},
    "archives": {"http", "images", "sky"},
    "previews": {"archives"},
    "simulation": {"archives"},
    "summaries": {"http", "services", "text", "towers"},
    "dataset": {"images", "services", "sky", "text"},
    "towers": {"images", "services"},
    "indexes": {"http", "images", "sky", "text", "towers"},
    "engines": {"images", "indexes", "sky", "text"},
    "evaluation": {"dataset", "images", "indexes", "summaries", "text", "towers"},
    "training": {"dataset", "evaluation", "images", "towers"},
    "upkeep": {"dataset", "engines", "indexes"},
}
MAY_IMPORT["stages"] = set(MAY_IMPORT) - {"base"}
MAY_IMPORT["output"] = {"dataset", "evaluation", "images", "sky"}
MAY_IMPORT["cli"] = {"output", "stages"}
MAY_IMPORT["api"] = {*MAY_IMPORT, "stages", "output"} - {"base", "cli"}  # no room imports it
STAGES = "paperclip_cli.stages"
MOST_OF_A_ROOM = 0.15  # of the package's lines

HEAVY = set(
    "PIL astropy astroquery datasets flax hnswlib huggingface_hub jax jaxlib matplotlib numpy optax"
    " orbax outlines pyarrow rich safetensors scipy tokenizers transformers".split()
)
IMPORTED_ONLY_BY = {
    "datasets": {"loading.py"},
    "matplotlib": {"plots.py"},
    "rich": {"console.py", "bars.py"},
}


def name_of(path: Path) -> str:
    """`paperclip_cli.images.view`; a package is named like its folder."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room of `paperclip_cli.x.y`: its folder, or `base` or `cli` for modules at the top."""
    room = module.split(".")[1:2]
    if not room or room[0] in BASE:
        return "base"
    return "cli" if room[0] == "__main__" else room[0]


def imports(tree: ast.AST) -> set[str]:
    """The names in all import statements: modules and the names imported from them."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


NAMES = {name_of(path): path for path in MODULES}
IMPORTS = {
    name: imports(ast.parse(path.read_text(encoding="utf-8"))) for name, path in NAMES.items()
}


@pytest.mark.parametrize("name", NAMES)
def test_imports_run_one_way(name: str) -> None:
    room = room_of(name)
    allowed = MAY_IMPORT[room] | {"base"} | ({room} if room != "stages" else set())
    ours = {other for other in IMPORTS[name] & set(NAMES) if other != STAGES}
    wrong = {other for other in ours if room_of(other) not in allowed}
    assert not wrong, f"{room} may not import {sorted(wrong)}"


def test_rooms_are_known() -> None:
    assert {room_of(name) for name in NAMES} == set(MAY_IMPORT)


def test_no_import_circle() -> None:
    sorter = TopologicalSorter({name: IMPORTS[name] & set(NAMES) - {name} for name in NAMES})
    sorter.prepare()  # CycleError names the circle


@pytest.mark.parametrize("library", IMPORTED_ONLY_BY)
def test_a_slow_library_is_imported_in_one_place(library: str) -> None:
    users = {name for name in NAMES if library in {found.split(".")[0] for found in IMPORTS[name]}}
    assert {NAMES[name].name for name in users} == IMPORTED_ONLY_BY[library]


def test_one_room_talks_to_the_hub() -> None:
    users = {
        name for name in NAMES if any(one.startswith("huggingface_hub") for one in IMPORTS[name])
    }
    elsewhere = {name for name in users if room_of(name) != "services"}
    # They keep it quiet while other libraries use it.
    assert elsewhere == {"paperclip_cli.dataset.loading", "paperclip_cli.summaries.llm.outlines"}


def test_no_room_is_most_of_the_house() -> None:
    lines = Counter[str]()
    for name, path in NAMES.items():
        lines[room_of(name)] += len(path.read_text(encoding="utf-8").splitlines())
    assert {room: n for room, n in lines.items() if n > MOST_OF_A_ROOM * lines.total()} == {}


@pytest.mark.parametrize("name", [name for name in NAMES if room_of(name) == "cli"])
def test_commands_import_stages_inside_their_bodies_only(name: str) -> None:
    tree = ast.parse(NAMES[name].read_text(encoding="utf-8"))
    top = ast.Module(
        body=[node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)],
        type_ignores=[],
    )
    ours = imports(top) & set(NAMES)
    assert not {other for other in ours if room_of(other) not in {"base", "cli"}}


@pytest.mark.parametrize("name", [name for name in NAMES if room_of(name) == "cli"])
def test_commands_call_nothing_of_a_stage_but_run(name: str) -> None:
    tree = ast.parse(NAMES[name].read_text(encoding="utf-8"))
    stages = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == STAGES
        for alias in node.names
    }
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in stages
    }
    assert used <= {"run"}


@pytest.mark.parametrize("name", [name for name in NAMES if room_of(name) == "cli"])
def test_commands_hold_no_sql(name: str) -> None:
    sql = r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|PRAGMA)\b|sqlite3|\.execute\("
    found = re.findall(sql, NAMES[name].read_text(encoding="utf-8"))
    assert not found, "queries belong to the room of the database"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(f"{STAGES}.")])
def test_a_stage_has_one_public_function_which_is_run(name: str) -> None:
    body = ast.parse(NAMES[name].read_text(encoding="utf-8")).body
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    assert [function for function in functions if not function.startswith("_")] == ["run"]


@pytest.mark.parametrize("name", NAMES)
def test_dataclasses_of_more_than_four_fields_take_them_by_name(name: str) -> None:
    for node in ast.walk(ast.parse(NAMES[name].read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ClassDef):
            continue
        decorators = map(ast.unparse, node.decorator_list)
        made = [text for text in decorators if text.startswith("data")]
        fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
        if made and len(fields) > 4:
            assert "kw_only=True" in made[0], node.name


@pytest.mark.parametrize("name", NAMES)
def test_modules_stay_small(name: str) -> None:
    assert len(NAMES[name].read_text(encoding="utf-8").splitlines()) <= 400


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running `code`."""
    script = f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_nothing_heavy() -> None:
    code = "from paperclip_cli.cli.app import run\nassert run(['--help']) == 0"
    assert not loaded_by(code) & HEAVY


def test_a_usage_error_loads_nothing_heavy() -> None:
    code = "from paperclip_cli.cli.app import run\nassert run(['no-such-command']) == 2"
    assert not loaded_by(code) & HEAVY
