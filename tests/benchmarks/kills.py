"""Kill every stage at each of its renames, and check the cache then and after the next run.

    python tests/benchmarks/kills.py [--stages fetch,train] [--most 30] [--every 1] [--work DIR]

Needs strace. A small simulated sky goes through all stages once. Each stage then runs again on a
copy of that cache, so that it replaces what is there. It is killed at the N-th rename of one of its
threads, for N = 1, 2, ... until it ends unharmed. Stages that replace folders go through this
twice: the second time as if the system could not exchange two folders.

hidden: runs after which an artefact that was there is missing or damaged.
left: runs after which the same command, given again, leaves a temporary file or fails.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import _checkout  # noqa: F401

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
    """A command that replaces what is there. Names in capitals are paths outside the cache."""

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
    """Findings after the kills of one stage."""

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
        print("| stage | folders | kills | hidden | left | first finding |", flush=True)
        print("|---|---|---|---|---|---|", flush=True)
        for stage in STAGES:
            if not options.stages or stage.name in options.stages.split(","):
                print_stage(stage, work, options)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--stages", default="", help="names from the table, separated by commas")
    made.add_argument("--most", type=int, default=200, help="kills of one stage")
    made.add_argument("--every", type=int, default=1, help="try only every N-th rename")
    made.add_argument("--work", help="keep the results in this folder, and reuse them")
    return made


def print_stage(stage: Stage, work: Path, options: argparse.Namespace) -> None:
    """Print a line for each way in which a stage can put its result in place."""
    ways = {True: "at once", False: "by turns"} if stage.replaces_folder else {True: ""}
    for can_exchange, how in ways.items():
        tally = killed(stage, work, can_exchange, options)
        counts = f"{tally.kills} | {tally.hidden} | {tally.left}"
        print(f"| {stage.name} | {how} | {counts} | {tally.first} |", flush=True)


def prepare(work: Path) -> None:
    """Make `base`, a cache in which all stages have ended, beside an archive and a bundle."""
    from tests.archive_on_disk import write_archive_folder

    if (work / "ready").exists():
        return

    work.mkdir(parents=True, exist_ok=True)
    write_archive_folder(work / "archive", {number: ["a.jpg", "b.png"] for number in (1, 2)})
    for command in (*FIRST, ("fetch", "--from", work / "archive", "--size", "64")):
        arguments = [work / part if part == "in.zip" else part for part in command]
        done = paperclip(Workspace(work / "base"), *arguments)
        if done.returncode:
            raise SystemExit(f"{command}: {done.stderr}")
    (work / "ready").touch()


def killed(stage: Stage, work: Path, can_exchange: bool, options: argparse.Namespace) -> Tally:
    """Kill a stage at its renames, one after another."""
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
    """Faults after the kill, and what the next run leaves.

    None if the stage ended before that rename.
    """

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
    """Problems that remain after the same command, given again."""
    done = paperclip(workspace, *command)
    if done.returncode:
        yield f"exit {done.returncode}: {done.stderr.strip()[-200:]}"
    yield from left_over(place)


if __name__ == "__main__":
    main()
