"""Every benchmark runs as its docstring says: by its file, from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent / "benchmarks"
PROGRAMS = sorted(FOLDER.glob("[!_]*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_it_answers_help_from_another_folder(program: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(program), "--help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {program.name}"), done.stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_its_docstring_says_so(program: Path) -> None:
    source = program.read_text(encoding="utf-8")
    assert f"python tests/benchmarks/{program.name}" in source
    assert "python -m tests" not in source


def test_a_benchmark_measures_its_own_checkout(tmp_path: Path) -> None:
    """Neither it nor a process that it starts imports another paperclip on the path."""
    (tmp_path / "paperclip_cli").mkdir()
    (tmp_path / "paperclip_cli" / "__init__.py").touch()
    show = "import paperclip_cli; print(paperclip_cli.__file__, flush=True)"
    program = (
        f"import subprocess, sys, _checkout; exec({show!r}); "
        f"subprocess.run([sys.executable, '-P', '-c', {show!r}], check=True)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(FOLDER)))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(FOLDER.parents[1] / "paperclip_cli" / "__init__.py")] * 2
