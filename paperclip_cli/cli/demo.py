"""`paperclip demo`: runs the other commands in turn, as a user would type them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Optional

import typer

from paperclip_cli import signals
from paperclip_cli.cli.session import Session, session
from paperclip_cli.errors import ExitCode, PaperclipError
from paperclip_cli.files import expanded

PROPOSALS, STEPS = 900, 1_500
HITS = "hits.jsonl"
_PROGRAM = (sys.executable, "-m", "paperclip_cli")
QUERIES = ("galaxy mergers", "gravitational lens", "globular cluster", "planetary nebula")


def demo(
    proposals: Annotated[
        int, typer.Option(help="Number of proposals to simulate.", min=50)
    ] = PROPOSALS,
    steps: Annotated[int, typer.Option(help="Number of training steps.", min=1)] = STEPS,
    out: Annotated[
        Optional[Path],
        typer.Option(help="Folder for the contact sheet. [default: the demo's cache]"),
    ] = None,
) -> int:
    """Run the whole pipeline on a simulated sky.

    It runs offline, in its own cache, in a few minutes. The demo shows how the commands work
    together. Its accuracy says nothing about real data, because both the sky and the texts are
    simulated.
    """
    here, start = session(), time.monotonic()
    cache = here.workspace.demo()
    folder = expanded(out or cache).absolute()
    _say("# A demo of how paperclip works, on a simulated sky. It says nothing about real data.")
    _say(f"export PAPERCLIP_CACHE_DIR={shlex.quote(str(cache))}")
    for arguments in _commands(proposals, steps):
        _run(here, cache, arguments)
    sheet = _contact_sheet(cache, folder)
    _run(here, cache, ["describe", _unseen_hit(folder)])
    _say(f"\n# Done in {time.monotonic() - start:.0f} s. The contact sheet: {sheet}")
    _say(f"# To continue with this sky:\nexport PAPERCLIP_CACHE_DIR={shlex.quote(str(cache))}")
    _say('paperclip query "arcs around a cluster of galaxies"')
    return ExitCode.OK


def _commands(proposals: int, steps: int) -> list[list[str]]:
    train = ["train", "--init", "scratch:tiny", "--steps", str(steps), "--eval-every", "200"]
    return [
        ["fetch", "--simulate", str(proposals)],
        ["summarize"],
        ["build-dataset", "--captions", "summary"],
        train,
        ["evaluate"],
        ["index"],
        *(["query", text, "-k", "5"] for text in QUERIES),
    ]


def _run(here: Session, cache: Path, arguments: list[str]) -> None:
    """Runs one command line in its own process, as a user would. Its failure ends the demo."""
    from paperclip_cli.config.user import without_settings

    _say(f"\n$ paperclip {shlex.join(arguments)}")
    flags = [
        flag for flag, is_set in (("--verbose", here.verbose), ("--quiet", here.quiet)) if is_set
    ]
    with subprocess.Popen(
        [*_PROGRAM, "--cache-dir", str(cache), "--offline", *flags, *arguments],
        env=without_settings(os.environ),
    ) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:  # the command receives it too, and cleans up its files
            signals.said_by_another(process.wait())
            raise
        except BaseException:
            process.terminate()
            signals.said_by_another(process.wait())
            raise
    if signals.said_by_another(code):
        raise typer.Exit(code)
    if code != ExitCode.OK:
        raise PaperclipError(
            f"the demo stopped at `paperclip {shlex.join(arguments)}` (exit {code})",
            "see the messages above",
        )


def _contact_sheet(cache: Path, folder: Path) -> Path:
    """Runs all queries at once, from standard input, and writes hits.jsonl and demo.html."""
    from paperclip_cli.config.user import without_settings

    folder.mkdir(parents=True, exist_ok=True)
    command = ["query", "-", "-k", "8", "--html", str(folder / "demo.html"), "--format", "jsonl"]
    target = shlex.quote(str(folder / HITS))
    piped = f"printf '%s\\n' {shlex.join(QUERIES)} | paperclip {shlex.join(command)} > {target}"
    _say(f"\n$ {piped}")
    with (folder / HITS).open("w", encoding="utf-8") as file:
        subprocess.run(
            [*_PROGRAM, "--cache-dir", str(cache), "--offline", "--quiet", *command],
            input="\n".join(QUERIES),
            stdout=file,
            text=True,
            check=True,
            env=without_settings(os.environ),
        )
    return folder / "demo.html"


def _unseen_hit(folder: Path) -> str:
    """The proposal of the first hit that the model was not trained on.

    If it was trained on all of them, the proposal of the first hit.
    """
    lines = (folder / HITS).read_text(encoding="utf-8").splitlines()
    hits = [json.loads(line) for line in lines]
    hit = next((hit for hit in hits if hit["split"] != "train"), hits[0])
    return f"{hit['mission']}:{hit['proposal_id']}"


def _say(line: str) -> None:
    from paperclip_cli.output import console

    console.emit(line + "\n")
