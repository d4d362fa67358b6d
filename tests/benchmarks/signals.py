"""Send Ctrl-C and SIGTERM to real processes at seeded moments, and count how they end.

    python tests/benchmarks/signals.py [--count 100] [--seed 0] [--work DIR]

`index`, `describe`, `query` and `train` take turns on a small simulated sky. Three of five signals
come at any time between the start of a process and its usual end, one in the first 150 ms, and one
just after the work is done. The promise is exit code 130 or 143 and one line on stderr within 2 s,
or else a line that says what a second signal does. Exits with 1 if anything else was seen.

A signal that comes before the program has installed its handlers meets only the interpreter, which
no program can change. These are counted separately (Linux shows it in /proc).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import _checkout  # noqa: F401

LINES = {signal.SIGINT: "interrupted\n", signal.SIGTERM: "terminated\n"}
# Without this, LLVM's optimisations would take most of the time.
ENVIRONMENT = {**os.environ, "XLA_FLAGS": "--xla_backend_optimization_level=0"}
STATEMENT = "a second signal ends it at once"  # printed by a process that takes longer
SECONDS = 2.0
EARLY, LATE = 0.15, 0.1  # seconds after the start, and after the end of the work
TURNS = "index describe query index describe query index describe train train".split()
COMMANDS = {
    "index": ("index", "--index", "{name}", "--model", "default", "--batch-size", "8"),
    "describe": ("describe", "--batch", "{previews}", "--model", "default"),
    "query": ("query", "galaxy mergers", "--json"),
    # Each training has its own batch size, so that its step is compiled anew.
    "train": tuple("train --init scratch:tiny --steps 3 --batch-size {size} --name {name}".split()),
}
# The other commands print their results.
RESULTS = {"index": "indexes/{name}/manifest.json", "train": "models/{name}/manifest.json"}


@dataclass(frozen=True, kw_only=True)
class End:
    """The end of a process after a signal that came `moment` seconds after its start."""

    command: str
    number: signal.Signals
    moment: float
    was_heard: bool
    was_over: bool
    code: int
    seconds: float
    said: str

    @property
    def is_stated(self) -> bool:
        return STATEMENT in self.said.partition("\n")[0]

    @property
    def kind(self) -> str:
        is_silent = self.code == 0 and not self.said
        if self.was_over or (is_silent and self.seconds < SECONDS / 4):
            return "ended" if is_silent else "other"
        if not self.was_heard:
            return "unheard"
        said = self.said.partition("\n")[2] if self.is_stated else self.said
        is_right = self.code == 128 + self.number and said == LINES[self.number]
        return "right" if is_right and (self.is_stated or self.seconds <= SECONDS) else "other"


class Range:
    """A cache with a small sky, and the processes that work on it."""

    def __init__(self, cache: Path) -> None:
        self.cache, self.count = cache, 0
        if not (cache / "indexes" / "default").is_dir():
            for command in (
                "fetch --simulate 24",
                "build-dataset",
                "train --init scratch:tiny --steps 3",
                "index",
            ):
                subprocess.run([*self.program(), *command.split()], check=True, env=ENVIRONMENT)

    def program(self) -> list[str]:
        python = [sys.executable, "-m", "paperclip_cli"]
        return [*python, "--cache-dir", str(self.cache), "--offline", "--quiet"]

    def start(
        self, command: str, out: Path, err: Path
    ) -> tuple[subprocess.Popen[bytes], Callable[[], bool]]:
        """Start a command. Returns its process, and a function that tells if its work is done."""
        self.count += 1
        names = {
            "name": f"try{os.getpid()}-{self.count}",
            "size": 8 + self.count,
            "previews": self.cache / "previews",
        }
        arguments = [part.format(**names) for part in COMMANDS[command]]
        result = self.cache / RESULTS[command].format(**names) if command in RESULTS else out

        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [*self.program(), *arguments], stdout=stdout, stderr=stderr, env=ENVIRONMENT
            )
        return process, lambda: result.exists() and result.stat().st_size > 0

    def length(self, command: str) -> float:
        """Seconds that a command takes."""
        with tempfile.TemporaryDirectory() as place:
            begin = time.monotonic()
            process, _ = self.start(command, Path(place, "out"), Path(place, "err"))
            assert process.wait() == 0, Path(place, "err").read_text()
            return time.monotonic() - begin

    def shoot(
        self, command: str, number: signal.Signals, wait: Callable[[Callable[[], bool]], None]
    ) -> End:
        """Start a command, wait, and send it a signal."""
        with tempfile.TemporaryDirectory() as place:
            out, err = Path(place, "out"), Path(place, "err")
            begin = time.monotonic()
            process, is_done = self.start(command, out, err)
            wait(lambda: is_done() or process.poll() is not None)

            was_heard, was_over = hears(process.pid) or is_done(), process.poll() is not None
            sent = time.monotonic()
            process.send_signal(number)
            code = process.wait()

            return End(
                command=command,
                number=number,
                moment=sent - begin,
                was_heard=was_heard,
                was_over=was_over,
                code=code,
                seconds=time.monotonic() - sent,
                said=err.read_text(errors="replace"),
            )


def hears(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM. True if the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    except (OSError, ValueError):
        return True
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def waiting(chance: random.Random, length: float) -> Callable[[Callable[[], bool]], None]:
    """A function that waits for a random moment, given one that tells if the work is done."""
    kind, part = chance.random(), chance.random()
    if kind < 0.8:
        return lambda _: time.sleep(part * (length if kind < 0.6 else EARLY))
    return lambda is_done: _sleep_after(is_done, part * LATE)


def _sleep_after(is_done: Callable[[], bool], seconds: float) -> None:
    while not is_done():
        time.sleep(0.002)
    time.sleep(seconds)


def print_table(ends: list[End]) -> None:
    """Print a row for each command and signal."""
    kinds = {"right": "130/143", "ended": "ended", "unheard": "unheard", "other": "other"}
    rows: dict[tuple[str, str], list[End]] = defaultdict(list)
    for end in ends:
        rows[end.command, end.number.name] += [end]

    titles = (f"{title:>8}" for title in kinds.values())
    print(f"{'command':10}{'signal':9}{'tries':>9}", *titles, "  slowest")
    for (command, name), row in sorted(rows.items()):
        counts = (f"{sum(end.kind == kind for end in row):8}" for kind in kinds)
        slowest = max((end.seconds for end in row if end.kind != "ended"), default=0.0)
        print(f"{command:10}{name:9}{len(row):9}", *counts, f"{slowest:7.2f} s")


def report(ends: list[End]) -> int:
    """Print the table and every unexpected end. Returns the exit code."""
    print_table(ends)
    unheard = [end.moment for end in ends if end.kind == "unheard"]
    if unheard:
        print(f"the last signal before the handlers were installed came after {max(unheard):.3f} s")
    stated = sum(end.is_stated for end in ends if end.kind == "right")
    print(f"{stated} said that a second signal ends them at once")

    wrong = [end for end in ends if end.kind == "other"]
    for end in wrong:
        print(
            f"{end.command} {end.number.name} after {end.moment:.3f} s: "
            f"{end.code} in {end.seconds:.2f} s, {end.said[-300:]!r}"
        )
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="number of signals")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--work",
        type=Path,
        help="keep the cache in this folder; if it is there already, only send signals",
    )
    options = parser.parse_args()

    # A background job ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        sky = Range((options.work or Path(place)).absolute())
        lengths = {command: sky.length(command) for command in COMMANDS}
        ends = []
        for turn in range(options.count):
            command = TURNS[turn % len(TURNS)]
            number = chance.choice(list(LINES))
            ends.append(sky.shoot(command, number, waiting(chance, lengths[command])))

    print(", ".join(f"{command} takes {seconds:.1f} s" for command, seconds in lengths.items()))
    return report(ends)


if __name__ == "__main__":
    sys.exit(main())
