"""Kills every stage at each of its renames, and looks at the cache after that and after the next run.

    python tests/benchmarks/kills.py [--stages fetch,train] [--most 30] [--every 1] [--work DIR]

Needs strace. A small simulated sky goes through all stages once; then each stage is run again on a copy of that cache, so that it
replaces what is there, and is killed at the N-th rename of one of its threads, for N = 1, 2, ... until it ends unharmed; the stages
that replace folders once more as if the system could not exchange two of them. Hidden: runs after which an artefact that was there is
not, or is not whole. Left: runs after which the same command, given again, leaves a temporary file or does not end well.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.workspace import Workspace
from tests.kills import KINDS, Kill, can_trace, faulty, left_over, paperclip, trace

TRAIN = ("train", "--init", "scratch:tiny", "--steps", "2", "--batch-size", "4")
BUILD = ("build-dataset", "--val-fraction", "0.2", "--test-fraction", "0.2")
FIRST = (
    ("fetch", "--simulate", "6", "--size", "64"),
    ("summarize",),
    BUILD,
    TRAIN,
    ("index", "--model", "default"),
    ("index", "--export", "in.zip"),
)


@dataclass(frozen=True)
class Stage:
    """A command that replaces what is there; names in capitals are paths beside the cache."""

    name: str
    command: tuple[str, ...]
    replaces_folder: bool = False


STAGES = (
    Stage("fetch --simulate", ("fetch", "--simulate", "6", "--size", "96")),
    Stage("fetch --from", ("fetch", "--from", "ARCHIVE", "--max-images", "1")),
    Stage("summarize", ("summarize", "--force")),
    Stage("build-dataset", (*BUILD, "--force"), replaces_folder=True),
    Stage("train", (*TRAIN, "--force"), replaces_folder=True),
    Stage("index", ("index", "--model", "default", "--force")),
    Stage("index --export", ("index", "--export", "OUT.zip")),
    Stage("index --import", ("index", "--import", "IN.zip", "--force"), replaces_folder=True),
    Stage("evaluate --plots", ("evaluate", "--plots", "PLOTS")),
)


@dataclass
class Tally:
    """What was found after the kills of one stage."""

    kills: int = 0
    hidden: int = 0
    left: int = 0
    first: str = ""

    def count(self, found: list[str], left: list[str]) -> None:
        self.kills += 1
        self.hidden += bool(found)
        self.left += bool(left)
        self.first = self.first or "; ".join([*found, *left])


def main() -> None:
    options = parser().parse_args()
    if not can_trace():
        raise SystemExit("strace is not installed, or may not trace")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(options.work or folder)
        prepare(work)
        print(
            "| stage | folders | kills | hidden | left | first finding |\n|---|---|---|---|---|---|",
            flush=True,
        )
        for stage in STAGES:
            if not options.stages or stage.name in options.stages.split(","):
                for can_exchange in (True, False) if stage.replaces_folder else (True,):
                    tally = killed(stage, work, can_exchange, options)
                    how = (
                        ""
                        if not stage.replaces_folder
                        else "at once"
                        if can_exchange
                        else "by turns"
                    )
                    print(
                        f"| {stage.name} | {how} | {tally.kills} | {tally.hidden} | {tally.left} | {tally.first} |",
                        flush=True,
                    )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--stages", default="", help="names from the table, divided by commas")
    made.add_argument("--most", type=int, default=200, help="kills of one stage")
    made.add_argument("--every", type=int, default=1, help="try only every so many renames")
    made.add_argument("--work", help="a folder to keep (and reuse) what is made")
    return made


def prepare(work: Path) -> None:
    """The cache in which all stages have ended, `base`, beside an archive on disk and a bundle."""
    from tests.archive_on_disk import write_archive_folder

    if (work / "ready").exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    write_archive_folder(work / "archive", {number: ["a.jpg", "b.png"] for number in (1, 2)})
    for command in (*FIRST, ("fetch", "--from", work / "archive", "--size", "64")):
        done = paperclip(
            Workspace(work / "base"),
            *(work / part if part == "in.zip" else part for part in command),
        )
        if done.returncode:
            raise SystemExit(f"{command}: {done.stderr}")
    (work / "ready").touch()


def killed(stage: Stage, work: Path, can_exchange: bool, options: argparse.Namespace) -> Tally:
    """Kills a stage at its renames, one after another."""
    tally = Tally()
    kills = [Kill(number, can_exchange) for number in range(1, options.most + 1, options.every)]
    if stage.replaces_folder and can_exchange:
        kills.insert(0, Kill(1, at_exchange=True))
    for kill in kills:
        place = Path(tempfile.mkdtemp(dir=work))
        try:
            found = one_kill(stage, work, place, kill)
        finally:
            shutil.rmtree(place)
        if found is None:
            break
        tally.count(*found)
    return tally


def one_kill(
    stage: Stage, work: Path, place: Path, kill: Kill
) -> tuple[list[str], list[str]] | None:
    """What is faulty after the kill, and what is left after the next run; None where there are not so many renames."""
    workspace = Workspace(place / "cache", offline=True)
    shutil.copytree(work / "base", workspace.root)
    before = {kind: Workspace(work / "base").names(kind) for kind in KINDS}
    paths = {
        "ARCHIVE": work / "archive",
        "OUT.zip": place / "out.zip",
        "IN.zip": work / "in.zip",
        "PLOTS": place / "plots",
    }
    command = [paths.get(part, part) for part in stage.command]
    done = paperclip(workspace, *command, under=trace(place / "strace.log", kill.options))
    if done.returncode in (0, 3):
        return None
    return list(faulty(workspace, before)), list(after(workspace, command, place))


def after(workspace: Workspace, command: list, place: Path) -> Iterator[str]:
    """What the same command, given again, does not put in order."""
    done = paperclip(workspace, *command)
    if done.returncode:
        yield f"exit {done.returncode}: {done.stderr.strip()[-200:]}"
    yield from left_over(place)


if __name__ == "__main__":
    main()
