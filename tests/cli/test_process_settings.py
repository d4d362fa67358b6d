"""What the commands set up in their process, and the Python API does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paperclip_cli import malloc
from paperclip_cli.cli.app import run
from paperclip_cli.cli.session import Session, spin_no_threads
from paperclip_cli.errors import ExitCode, PaperclipError

FOLDER, LEAST = "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
TRAIN = """
import sys
from paperclip_cli import malloc
from paperclip_cli.cli.app import run
from paperclip_cli.errors import PaperclipError

def stop():
    raise PaperclipError("far enough")

malloc.keep_freed_pages = stop
assert "jax" not in sys.modules
assert run(["--cache-dir", sys.argv[1], *sys.argv[2:]]) == 1
import jax
print(jax.config.values["jax_compilation_cache_dir"])
print(jax.config.values["jax_persistent_cache_min_compile_time_secs"])
"""


@pytest.mark.parametrize(
    "line",
    [
        ["fetch", "--simulate", "2"],
        ["train"],
        ["evaluate"],
        ["index"],
        ["describe", "a.png"],
        ["query", "--image", "a.png"],
    ],
)
def test_a_command_that_computes_keeps_freed_pages(
    line: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop() -> bool:
        raise PaperclipError("far enough")

    monkeypatch.setattr(malloc, "keep_freed_pages", stop)
    assert run(["--cache-dir", str(tmp_path), *line]) == ExitCode.ERROR
    assert capsys.readouterr().err == "error: far enough\n"


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_jax_keeps_what_it_compiles(command: str, tmp_path: Path) -> None:
    """The variables are set before JAX is imported, which reads them only then."""
    environment = {name: value for name, value in os.environ.items() if name not in (FOLDER, LEAST)}
    program = [sys.executable, "-c", TRAIN, str(tmp_path), command]
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines() == [str(tmp_path / "jax"), "0.5"], done.stderr


def test_a_users_own_folder_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "mine")
    monkeypatch.setenv(LEAST, "2")
    here = Session(cache_dir=tmp_path, offline=True, verbose=False, quiet=True)
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    here.prepare_jax()
    assert (os.environ[FOLDER], os.environ[LEAST]) == ("mine", "2")
    assert "JAX_ENABLE_X64" not in os.environ, "no model here has numbers of 64 bits"

    monkeypatch.delenv(FOLDER)
    here.prepare_jax()
    assert (os.environ[FOLDER], os.environ[LEAST]) == (str(tmp_path / "jax"), "2")


def test_threads_of_a_language_model_do_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    spin_no_threads("keywords")
    assert "OMP_WAIT_POLICY" not in os.environ
    spin_no_threads("llama-cpp")
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    os.environ["OMP_WAIT_POLICY"] = "active"
    spin_no_threads("llama-cpp")
    assert os.environ["OMP_WAIT_POLICY"] == "active"
