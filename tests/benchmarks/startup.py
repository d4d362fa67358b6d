"""Time of `paperclip --help` and of `import paperclip_cli` as whole processes, beside Python alone.

python tests/benchmarks/startup.py [--runs 21]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import _checkout  # noqa: F401

ALONE = "python -c pass"


def timed(command: list[str]) -> float:
    """Seconds of wall clock."""
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()

    paperclip = str(Path(sys.executable).with_name("paperclip"))
    commands = {
        "paperclip --help": [paperclip, "--help"],
        "paperclip query --help": [paperclip, "query", "--help"],
        "import paperclip_cli": [sys.executable, "-c", "import paperclip_cli"],
        "paperclip_cli.fetch": [sys.executable, "-c", "import paperclip_cli; paperclip_cli.fetch"],
        ALONE: [sys.executable, "-c", "pass"],
    }

    # The commands take turns, so that other load on the machine falls on all of them.
    runs = [
        {name: timed(command) for name, command in commands.items()} for _ in range(options.runs)
    ]
    for name in commands:
        took = statistics.median(run[name] for run in runs)
        beyond = statistics.median(run[name] - run[ALONE] for run in runs)
        print(f"{name:24} {took:6.3f} s, {1000 * beyond:5.1f} ms beyond Python")


if __name__ == "__main__":
    main()
