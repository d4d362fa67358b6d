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
from paperclip_cli.indexes.database import Entry
from paperclip_cli.indexes.database_writer import write_observations
from paperclip_cli.records import Observation
from paperclip_cli.stages import index, index_values
from paperclip_cli.workspace import Manifest, Workspace, write_manifest
from tests.factories import write_archive, write_fetched
from tests.small_indexes import towers
from tests.test_layers import HEAVY, loaded_by

REPOSITORY = Path(__file__).resolve().parent.parent


def test_the_scripts_are_up_to_date() -> None:
    assert runpy.run_path(str(REPOSITORY / "completions" / "generate.py"))["stale"]() == []


def complete(*words: str, cache: Path | None = None, line: str = "") -> list[str]:
    """What bash offers for the last word of a line, which it has split into `words`."""
    script = f"""
        export PATH={Path(sys.executable).parent}:$PATH
        source {REPOSITORY}/completions/paperclip.bash
        COMP_WORDS=(paperclip "$@"); COMP_CWORD=$#; COMP_LINE="paperclip $LINE"
        _paperclip_completion paperclip; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = os.environ | ({"PAPERCLIP_CACHE_DIR": str(cache)} if cache else {})
    environment["LINE"] = line or " ".join(words)
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()[: None if done.stdout.strip() else 0]


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
    evil = replace(previews[0].observation, instrument="ACS\x1b[31m", target="M 51\n")
    names = ["NGC 4038", "M 51 (A)"]
    named = [
        replace(one, observation=replace(one.observation, target=names[place % 2]))
        for place, one in enumerate(previews[1:])
    ]
    write_archive(workspace, "local", [], [replace(previews[0], observation=evil), *named])
    index.run(IndexConfig(model=str(tiny_model), name="mine"), workspace, **towers())  # type: ignore[arg-type]
    for name in ("hubble", "home"):
        write_manifest(workspace.model(name), Manifest(stage="train", config={}))
    write_manifest(workspace.dataset("pairs"), Manifest(stage="build-dataset", config={}))
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
    assert complete("query", "--filter", "F8", cache=cache) == ["F814W"]
    assert complete("query", "--mission", "", cache=cache) == ["local"]
    assert complete("query", "--proposal", "", cache=cache) == ["1", "2", "3", "4"]
    assert complete("query", "--proposal", "local:2", cache=cache) == ["local:2"]
    assert complete("index", "--mission", "", cache=cache) == ["local"]
    assert complete("train", "--dataset", "p", cache=cache) == ["pairs"]
    assert complete("evaluate", "--split", "t") == ["test"]
    assert complete("show", "lo", cache=cache) == [f"local:{number}" for number in range(1, 5)]
    assert complete("describe", "", cache=cache) == [], "the shell offers files"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_quotes_a_name_with_blanks(cache: Path) -> None:
    assert complete("query", "--target", "", cache=cache) == ["M\\ 51\\ \\(A\\)", "NGC\\ 4038"]
    assert complete("query", "--target", "NGC\\ 4", cache=cache) == ["NGC\\ 4038"]
    assert complete("query", "--target", '"NGC 4', cache=cache) == ["NGC 4038"]
    assert complete("query", "--target", "M\\ 51,NGC", cache=cache) == ["M\\ 51\\,NGC\\ 4038"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_what_it_splits_at_colons_and_equals_signs(cache: Path) -> None:
    """It hands over `local : 2`, and puts what it gets in place of the `2`."""
    assert complete("show", "local", ":", "2", cache=cache, line="show local:2") == ["2"]
    assert complete("show", "local", ":", cache=cache, line="show local:") == list("1234")
    words = "query", "--index", "=", "m"
    assert complete(*words, cache=cache, line="query --index=m") == ["mine"]
    words = "query", "--proposal", "=", "local", ":", "2"
    assert complete(*words, cache=cache, line="query --proposal=local:2") == ["2"]


def test_a_large_index_offers_a_part(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_manifest(workspace.index("big"), Manifest(stage="index", config={}))
    entries = [
        Entry(
            path=f"/{number:04d}.png",
            size=1,
            mtime_ns=1,
            sha256=f"{number:064x}",
            observation=Observation(target=f"NGC {number}"),
        )
        for number in range(1000)
    ]
    write_observations(workspace.index("big") / "observations-000001.sqlite", entries, {}, {})
    assert len(index_values.run("targets", "", workspace)) == 200
    assert index_values.run("targets", "NGC 99", workspace) == [
        "NGC 99",
        *(f"NGC {number}" for number in range(990, 1000)),
    ]
    assert index_values.run("targets", "ngc' --", workspace) == []


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
