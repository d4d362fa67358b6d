"""The shipped completion scripts are those of the app, and a real bash completes with them."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from paperclip_cli.cli.app import app
from paperclip_cli.cli.complete import index_names, instrument_names, model_names
from paperclip_cli.config import IndexConfig
from paperclip_cli.stages import index
from paperclip_cli.workspace import Manifest, Workspace, write_manifest
from tests.factories import write_archive, write_fetched
from tests.small_indexes import towers
from tests.test_layers import HEAVY, loaded_by

REPOSITORY = Path(__file__).resolve().parent.parent


def test_the_scripts_are_up_to_date() -> None:
    assert runpy.run_path(str(REPOSITORY / "completions" / "generate.py"))["stale"]() == []


def complete(*words: str, cache: Path | None = None) -> list[str]:
    """What bash offers for the last word of a line."""
    script = f"""
        export PATH={Path(sys.executable).parent}:$PATH
        source {REPOSITORY}/completions/paperclip.bash
        COMP_WORDS=(paperclip "$@"); COMP_CWORD=$#
        _paperclip_completion paperclip; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = os.environ | ({"PAPERCLIP_CACHE_DIR": str(cache)} if cache else {})
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_options_and_choices() -> None:
    assert complete("que") == ["query"]
    assert "--near" in complete("query", "--n")
    assert complete("train", "--loss", "") == ["softmax", "sigmoid"]
    assert complete("summarize", "--backend", "o") == ["outlines", "openai"]


@pytest.mark.parametrize(
    ("shell", "more"), [("zsh", {}), ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})]
)
def test_other_shells_are_offered_choices_too(shell: str, more: dict[str, str]) -> None:
    environment = (
        os.environ
        | {
            "_PAPERCLIP_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": "paperclip query --rank-by ",
        }
        | more
    )
    done = subprocess.run(
        [sys.executable, "-m", "paperclip_cli"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert [word for word in ("semantic", "keyword", "hybrid") if word in done.stdout] == [
        "semantic",
        "keyword",
        "hybrid",
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """Two models and an index of instruments, one with a name that would break the line."""
    workspace = Workspace(tmp_path_factory.mktemp("cache"))
    previews = write_fetched(workspace, proposals=4)
    evil = replace(previews[0].observation, instrument="ACS\x1b[31m")
    write_archive(workspace, "local", [], [replace(previews[0], observation=evil), *previews[1:]])
    index.run(IndexConfig(model=str(tiny_model), name="mine"), workspace, **towers())  # type: ignore[arg-type]
    for name in ("hubble", "home"):
        write_manifest(workspace.model(name), Manifest(stage="train", config={}))
    return workspace.root


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_names_of_the_cache(cache: Path, tmp_path: Path) -> None:
    assert complete("query", "dust", "--index", "", cache=cache) == ["mine"]
    assert complete("--cache-dir", str(cache), "cite", "--index", "m", cache=tmp_path) == ["mine"]
    assert complete("describe", "a.fits", "--model", "h", cache=cache) == ["home", "hubble"]
    assert complete("publish", "m") == ["model"]
    assert complete("publish", "model", "h", cache=cache) == ["home", "hubble"]
    assert complete("publish", "index", "", cache=cache) == ["mine"]
    assert complete("query", "--instrument", "A", cache=cache) == ["ACS", "ACS/WFC"]
    assert complete("query", "--instrument", "WFC3,ACS/", cache=cache) == ["WFC3,ACS/WFC"]


def test_what_cannot_be_read_offers_nothing(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "none", tmp_path / "file"):
        context = typer.Context(typer.main.get_command(app))
        context.params["cache_dir"] = place
        for offered in (index_names, model_names, instrument_names):
            assert offered(context, "") == []


def test_completion_loads_nothing_heavy(cache: Path) -> None:
    environment = {
        "_PAPERCLIP_COMPLETE": "complete_bash",
        "COMP_WORDS": "paperclip query --instrument A",
        "COMP_CWORD": "3",
        "PAPERCLIP_CACHE_DIR": str(cache),
    }
    code = (
        f"import os\nos.environ |= {environment!r}\nfrom paperclip_cli.cli.app import app\n"
        "try: app(prog_name='paperclip')\nexcept SystemExit: pass"
    )
    assert not loaded_by(code) & HEAVY
